#include "sync/mutex.h"

#include <dirent.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "runtime/go.h"
#include "runtime/panic.h"
#include "sync/wait_group.h"
#include "tests/sync/waiting.h"
#include "tests/testing/runtime_test.h"

namespace gyre {
namespace {

using testing::AwaitWaiting;
using testing::Eventually;
using testing::Scaled;

GYRE_TEST(SyncMutex, MU_01_LockExcludes) {
  Mutex mu;
  int64_t count = 0;
  std::atomic<int64_t> acquired{0};
  WaitGroup wg;
  for (int i = 0; i < 10; ++i) {
    wg.Go([&] {
      for (int n = 0; n < Scaled(1000); ++n) {
        if (n % 3 == 0) {
          if (!mu.TryLock()) continue;
        } else {
          mu.Lock();
        }
        ++acquired;
        const int64_t read = count;
        if (n % 50 == 0) Yield();
        count = read + 1;
        mu.Unlock();
      }
    });
  }
  wg.Wait();
  EXPECT_EQ(count, acquired);
}

GYRE_TEST(SyncMutex, MU_02_TryLock) {
  static constinit Mutex mu;
  EXPECT_TRUE(mu.TryLock());
  EXPECT_FALSE(mu.TryLock());
  mu.Unlock();
  mu.Lock();
  EXPECT_FALSE(mu.TryLock());
  mu.Unlock();
  EXPECT_TRUE(mu.TryLock());
  mu.Unlock();
}

using SyncMutexDeathTest = ::testing::Test;

void RunAlone(absl::FunctionRef<void()> f) {
  Config config;
  config.procs = 2;
  Runtime runtime(config);
  runtime.Run(f);
}

TEST(SyncMutexDeathTest, MU_03_UnlockOfUnlockedIsFatal) {
  constexpr char kText[] = "^fatal error: sync: unlock of unlocked mutex";
  EXPECT_EXIT(RunAlone([] {
                Mutex mu;
                mu.Unlock();
              }),
              ::testing::ExitedWithCode(2), kText);
  EXPECT_EXIT(RunAlone([] {
                Mutex mu;
                mu.Lock();
                mu.Unlock();
                mu.Unlock();
              }),
              ::testing::ExitedWithCode(2), kText);
  EXPECT_EXIT(RunAlone([] {
                Mutex mu;
                try {
                  mu.Unlock();
                } catch (...) {
                }
              }),
              ::testing::ExitedWithCode(2), kText);
}

GYRE_TEST(SyncMutex, MU_04_AnotherGoroutineMayUnlock) {
  Mutex mu;
  mu.Lock();
  Go([&] { mu.Unlock(); });
  mu.Lock();
  mu.Unlock();
}

TEST(SyncMutexDeathTest, MU_05_NotReentrant) {
  EXPECT_EXIT(RunAlone([] {
                Mutex mu;
                mu.Lock();
                mu.Lock();
              }),
              ::testing::ExitedWithCode(2),
              "^fatal error: all goroutines are asleep - deadlock!\n\ngoroutine 1 \\[sync.Mutex.Lock");
}

GYRE_TEST(SyncMutex, MU_06_WaitersInOrderOfArrival) {
  Mutex mu;
  std::vector<int> order;
  mu.Lock();
  for (int i = 0; i < 5; ++i) {
    Go([&, i] {
      mu.Lock();
      order.push_back(i);
      mu.Unlock();
    });
    AwaitWaiting(WaitReason::kMutexLock, i + 1);
  }
  mu.Unlock();
  ASSERT_TRUE(Eventually([] { return NumGoroutine() == 1; }));
  MutexLock hold(&mu);
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3, 4}));
}

GYRE_TEST(SyncMutex, MU_07_UnlockHappensBeforeLock) {
  Mutex mu;
  std::vector<int> shared;  // TSan watches
  WaitGroup wg;
  for (int i = 0; i < 4; ++i) {
    wg.Go([&, i] {
      for (int n = 0; n < Scaled(200); ++n) {
        if (i % 2 == 0 || !mu.TryLock()) mu.Lock();
        shared.push_back(n);
        mu.Unlock();
      }
    });
  }
  wg.Wait();
  EXPECT_EQ(shared.size(), static_cast<size_t>(4 * Scaled(200)));
}

int Threads() {
  DIR* tasks = opendir("/proc/self/task");
  int count = 0;
  while (dirent* entry = readdir(tasks)) count += entry->d_name[0] != '.';
  closedir(tasks);
  return count;
}

GYRE_TEST(SyncMutex, MU_08_WaitersOccupyNoThread) {
  constexpr int kWaiters = Scaled(1000);
  Mutex mu;
  mu.Lock();
  int threads = 0;
  int64_t counted = 0;
  bool stop = false;
  WaitGroup counter;
  counter.Go([&] {
    for (; !std::atomic_ref(stop).load(); Sleep(absl::Microseconds(10))) ++std::atomic_ref(counted);
  });
  WaitGroup wg;
  for (int i = 0; i < kWaiters; ++i) {
    if (i == kWaiters / 10) threads = Threads();
    wg.Go([&] { MutexLock hold(&mu); });
  }
  AwaitWaiting(WaitReason::kMutexLock, kWaiters);
  EXPECT_LE(Threads(), threads + 8);
  // The counter goes on while this goroutine sleeps with the lock.
  const int64_t before = std::atomic_ref(counted).load();
  ASSERT_TRUE(Eventually([&] { return std::atomic_ref(counted).load() > before + 10; }));
  mu.Unlock();
  wg.Wait();
  std::atomic_ref(stop).store(true);
  counter.Wait();
}

GYRE_TEST_SMALL(SyncMutex, MU_10_ManyMutexesWithAWaiterEach) {
  constexpr int kMutexes = Scaled(4000);
  std::vector<Mutex> mutexes(kMutexes);
  WaitGroup wg;
  for (Mutex& mu : mutexes) {
    mu.Lock();
    wg.Go([&mu] { MutexLock hold(&mu); });
  }
  AwaitWaiting(WaitReason::kMutexLock, kMutexes);
  for (Mutex& mu : mutexes) mu.Unlock();
  wg.Wait();
}

// A waiter that has been passed over for a millisecond gets the lock from a holder who would take it again at once.
GYRE_TEST(SyncMutex, NobodyStarves) {
  Mutex mu;
  bool done = false;
  WaitGroup wg;
  wg.Go([&] {
    for (;;) {
      MutexLock hold(&mu);
      if (done) return;
      const Nanos until = NowNanos() + 100'000;
      while (NowNanos() < until) Yield();  // so that the other one sees the lock taken, each time
    }
  });
  for (int i = 0; i < 10; ++i) {
    MutexLock hold(&mu);
    done = i == 9;
  }
  wg.Wait();
}

// From starvation mode, through many hands, back to a lock that works as new.
GYRE_TEST(SyncMutex, ComesBackFromStarvation) {
  Mutex mu;
  int64_t count = 0;
  mu.Lock();
  WaitGroup wg;
  for (int i = 0; i < 20; ++i) {
    wg.Go([&] {
      for (int n = 0; n < Scaled(50); ++n) {
        MutexLock hold(&mu);
        ++count;
        if (n == 0) Yield();
      }
    });
  }
  AwaitWaiting(WaitReason::kMutexLock, 20);
  Sleep(absl::Milliseconds(2));  // so that all of them starve
  mu.Unlock();
  wg.Wait();
  EXPECT_EQ(count, 20 * Scaled(50));
  EXPECT_TRUE(mu.TryLock());
  mu.Unlock();
}

// Whoever was last to lock it may destroy it, though the Unlock before has not returned. ASan and TSan watch.
GYRE_TEST(SyncMutex, DestroyedByTheLastHolder) {
  struct Object {
    Mutex mu;
    int references = 3;
  };
  WaitGroup wg;
  for (int round = 0; round < Scaled(200); ++round) {
    auto* object = new Object;
    auto drop = [object] {
      object->mu.Lock();
      const bool last = --object->references == 0;
      object->mu.Unlock();
      if (last) delete object;
    };
    for (int i = 0; i < 3; ++i) wg.Go(drop);
  }
  wg.Wait();
}

GYRE_TEST(SyncMutex, MeetsTheStandardsRequirements) {
  Mutex a, b;
  { std::lock_guard<Mutex> hold(a); }
  { std::scoped_lock hold(a, b); }
  std::unique_lock<Mutex> first(a, std::try_to_lock);
  EXPECT_TRUE(first.owns_lock());
  std::unique_lock<Mutex> second(a, std::try_to_lock);
  EXPECT_FALSE(second.owns_lock());
}

GYRE_TEST_ON_THREADS(SyncMutex, SharedWithForeignThreads) {
  Mutex mu;
  int64_t count = 0;
  std::atomic<int> threads_left{2};
  WaitGroup wg;
  std::vector<std::thread> threads;
  auto work = [&] {
    for (int n = 0; n < Scaled(300); ++n) {
      MutexLock hold(&mu);
      ++count;
    }
  };
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&] {
      work();
      --threads_left;
    });
    wg.Go(work);
  }
  wg.Wait();
  ASSERT_TRUE(Eventually([&] { return threads_left == 0; }));
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(count, 4 * Scaled(300));
}

TEST(SyncMutex, WorksOnForeignThreadsAlone) {
  Mutex mu;
  int64_t count = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < Scaled(20000); ++n) {
        if (n % 3 == 0) {
          while (!mu.TryLock()) std::this_thread::yield();
        } else {
          mu.Lock();
        }
        ++count;
        mu.Unlock();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(count, 4 * Scaled(20000));
}

}  // namespace
}  // namespace gyre
