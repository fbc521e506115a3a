#include "sync/rwmutex.h"

#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <shared_mutex>
#include <thread>
#include <vector>

#include "runtime/go.h"
#include "sync/wait_group.h"
#include "tests/sync/waiting.h"
#include "tests/testing/runtime_test.h"

namespace gyre {
namespace {

using testing::AwaitWaiting;
using testing::Eventually;
using testing::Scaled;

GYRE_TEST(SyncRWMutex, RW_01_ReadersTogether) {
  for (int readers : {1, 3, 4}) {
    RWMutex mu;
    std::atomic<int> inside{0};
    WaitGroup wg;
    for (int i = 0; i < readers; ++i) {
      wg.Go([&] {
        ReaderLock hold(&mu);
        ++inside;
        EXPECT_TRUE(Eventually([&] { return inside == readers; }));
      });
    }
    wg.Wait();
  }
}

GYRE_TEST(SyncRWMutex, RW_02_TryLocks) {
  RWMutex mu;
  mu.Lock();
  EXPECT_FALSE(mu.TryLock());
  EXPECT_FALSE(mu.TryRLock());
  mu.Unlock();
  EXPECT_TRUE(mu.TryLock());
  mu.Unlock();
  EXPECT_TRUE(mu.TryRLock());
  EXPECT_TRUE(mu.TryRLock());
  EXPECT_FALSE(mu.TryLock());
  mu.RUnlock();
  mu.RUnlock();
  EXPECT_TRUE(mu.TryLock());
  mu.Unlock();
}

GYRE_TEST(SyncRWMutex, RW_03_RLocker) {
  RWMutex mu;
  ReadLocker* reader = mu.RLocker();
  for (int round = 0; round < 10; ++round) {
    reader->Lock();
    reader->Lock();
    std::atomic<bool> written{false};
    WaitGroup writer;
    writer.Go([&] {
      WriterLock hold(&mu);
      written = true;
    });
    AwaitWaiting(WaitReason::kRWMutexLock, 1);
    reader->Unlock();
    EXPECT_FALSE(written);
    reader->Unlock();
    writer.Wait();
    EXPECT_TRUE(written);
  }
}

using SyncRWMutexDeathTest = ::testing::Test;

void RunAlone(absl::FunctionRef<void()> f) {
  Config config;
  config.procs = 2;
  Runtime runtime(config);
  runtime.Run(f);
}

void ExpectFatal(void (*misuse)(RWMutex&), const char* text) {
  EXPECT_EXIT(RunAlone([&] {
                RWMutex mu;
                try {
                  misuse(mu);
                } catch (...) {
                }
              }),
              ::testing::ExitedWithCode(2), text);
}

TEST(SyncRWMutexDeathTest, RW_04_Misuse) {
  constexpr char kRUnlock[] = "^fatal error: sync: RUnlock of unlocked RWMutex";
  constexpr char kUnlock[] = "^fatal error: sync: Unlock of unlocked RWMutex";
  ExpectFatal([](RWMutex& mu) { mu.RUnlock(); }, kRUnlock);
  ExpectFatal([](RWMutex& mu) { mu.Unlock(); }, kUnlock);
  ExpectFatal(
      [](RWMutex& mu) {
        mu.Lock();
        mu.RUnlock();
      },
      kRUnlock);
  ExpectFatal(
      [](RWMutex& mu) {
        mu.RLock();
        mu.Unlock();
      },
      kUnlock);
  ExpectFatal(
      [](RWMutex& mu) {
        mu.Lock();
        mu.Unlock();
        mu.Unlock();
      },
      kUnlock);
  ExpectFatal(
      [](RWMutex& mu) {
        mu.RLock();
        mu.RUnlock();
        mu.RUnlock();
      },
      kRUnlock);
  ExpectFatal([](RWMutex& mu) { mu.RLocker()->Unlock(); }, kRUnlock);
  ExpectFatal(
      [](RWMutex& mu) {
        mu.RLocker()->Lock();
        mu.Unlock();
      },
      kUnlock);
}

TEST(SyncRWMutexDeathTest, RW_05_NoUpgrade) {
  EXPECT_EXIT(RunAlone([] {
                RWMutex mu;
                mu.RLock();
                mu.Lock();
              }),
              ::testing::ExitedWithCode(2),
              "^fatal error: all goroutines are asleep - deadlock!\n\ngoroutine 1 \\[sync.RWMutex.Lock");
}

GYRE_TEST(SyncRWMutex, RW_06_WaitReasons) {
  RWMutex mu;
  mu.RLock();
  WaitGroup wg;
  wg.Go([&] { WriterLock hold(&mu); });
  AwaitWaiting(WaitReason::kRWMutexLock, 1);
  wg.Go([&] { ReaderLock hold(&mu); });
  AwaitWaiting(WaitReason::kRWMutexRLock, 1);
  mu.RUnlock();
  wg.Wait();
}

GYRE_TEST(SyncRWMutex, RW_07_AnotherGoroutineMayUnlock) {
  RWMutex mu;
  mu.RLock();
  WaitGroup wg;
  wg.Go([&] { mu.RUnlock(); });
  mu.Lock();
  wg.Go([&] { mu.Unlock(); });
  mu.RLock();
  mu.RUnlock();
  wg.Wait();
}

// A writer that waits keeps new readers out; readers that waited for a writer go before the next one.
GYRE_TEST(SyncRWMutex, NeitherSideStarves) {
  RWMutex mu;
  std::vector<int> order;
  Mutex order_mu;
  auto note = [&](int who) {
    MutexLock hold(&order_mu);
    order.push_back(who);
  };
  mu.RLock();
  WaitGroup wg;
  wg.Go([&] {
    WriterLock hold(&mu);
    note(1);
  });
  AwaitWaiting(WaitReason::kRWMutexLock, 1);
  EXPECT_FALSE(mu.TryRLock());
  wg.Go([&] {
    ReaderLock hold(&mu);
    note(2);
  });
  AwaitWaiting(WaitReason::kRWMutexRLock, 1);
  wg.Go([&] {
    WriterLock hold(&mu);
    note(3);
  });
  AwaitWaiting(WaitReason::kMutexLock, 1);
  mu.RUnlock();
  wg.Wait();
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
}

GYRE_TEST(SyncRWMutex, ReadersAndWritersHammer) {
  RWMutex mu;
  int64_t a = 0, b = 0;  // equal whenever nobody writes
  WaitGroup wg;
  for (int i = 0; i < 8; ++i) {
    wg.Go([&, i] {
      for (int n = 0; n < Scaled(200); ++n) {
        if ((n + i) % 5 == 0) {
          if (n % 2 == 0 || !mu.TryLock()) mu.Lock();
          ++a;
          if (n % 8 == 0) Yield();
          ++b;
          mu.Unlock();
        } else {
          ReaderLock hold(&mu);
          EXPECT_EQ(a, b);
          if (n % 8 == 0) Yield();
        }
      }
    });
  }
  wg.Wait();
  EXPECT_EQ(a, b);
}

GYRE_TEST(SyncRWMutex, MeetsTheStandardsRequirements) {
  RWMutex mu;
  { std::shared_lock<RWMutex> hold(mu); }
  { std::unique_lock<RWMutex> hold(mu); }
  { std::lock_guard<ReadLocker> hold(*mu.RLocker()); }
  std::shared_lock<RWMutex> read(mu);
  std::unique_lock<RWMutex> write(mu, std::try_to_lock);
  EXPECT_FALSE(write.owns_lock());
}

TEST(SyncRWMutex, WorksOnForeignThreadsAlone) {
  RWMutex mu;
  int64_t a = 0, b = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      for (int n = 0; n < Scaled(10000); ++n) {
        if ((n + i) % 5 == 0) {
          WriterLock hold(&mu);
          ++a;
          ++b;
        } else {
          ReaderLock hold(&mu);
          EXPECT_EQ(a, b);
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(a, 4 * Scaled(10000) / 5);
}

}  // namespace
}  // namespace gyre
