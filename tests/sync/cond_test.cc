#include "sync/cond.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <thread>
#include <vector>

#include "runtime/go.h"
#include "runtime/panic.h"
#include "sync/mutex.h"
#include "sync/rwmutex.h"
#include "sync/wait_group.h"
#include "tests/sync/waiting.h"
#include "tests/testing/runtime_test.h"

namespace gyre {
namespace {

using testing::AwaitWaiting;
using testing::Eventually;
using testing::Scaled;

GYRE_TEST(SyncCond, CO_01_SignalWakesOne) {
  Mutex mu;
  Cond cond(&mu);
  std::atomic<int> awake{0};
  cond.Signal();  // nobody there: lost
  for (int i = 0; i < 2; ++i) {
    Go([&] {
      MutexLock hold(&mu);
      cond.Wait();
      ++awake;
    });
  }
  AwaitWaiting(WaitReason::kCondWait, 2);
  EXPECT_EQ(awake, 0);
  cond.Signal();
  ASSERT_TRUE(Eventually([&] { return awake == 1; }));
  EXPECT_EQ(testing::CountWaiting(WaitReason::kCondWait), 1);
  cond.Signal();
  ASSERT_TRUE(Eventually([&] { return awake == 2; }));
  cond.Signal();
}

GYRE_TEST(SyncCond, CO_02_WokenInOrder) {
  Mutex mu;
  Cond cond(&mu);
  std::vector<int> order;
  for (int i = 0; i < 5; ++i) {
    Go([&, i] {
      MutexLock hold(&mu);
      cond.Wait();
      order.push_back(i);
    });
    AwaitWaiting(WaitReason::kCondWait, i + 1);
  }
  for (size_t i = 1; i <= 5; ++i) {
    cond.Signal();
    ASSERT_TRUE(Eventually([&] {
      MutexLock hold(&mu);
      return order.size() == i;
    }));
  }
  MutexLock hold(&mu);
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3, 4}));
}

GYRE_TEST(SyncCond, CO_03_BroadcastWakesAllOnce) {
  constexpr int kWaiters = 200;
  const int rounds = Scaled(20);
  Mutex mu;
  Cond cond(&mu);
  std::vector<int> woken(kWaiters);
  int waiting = 0;
  int round = 0;
  WaitGroup wg;
  for (int i = 0; i < kWaiters; ++i) {
    wg.Go([&, i] {
      MutexLock hold(&mu);
      for (int n = 0; n < rounds; ++n) {
        ++waiting;
        const int now = round;
        while (round == now) cond.Wait();
        ++woken[i];
      }
    });
  }
  for (int n = 1; n <= rounds; ++n) {
    ASSERT_TRUE(Eventually([&] {
      MutexLock hold(&mu);
      return waiting == kWaiters;
    }));
    {
      MutexLock hold(&mu);
      waiting = 0;
      ++round;
    }
    cond.Broadcast();
  }
  wg.Wait();
  EXPECT_EQ(testing::CountWaiting(WaitReason::kCondWait), 0);
  for (int times : woken) EXPECT_EQ(times, rounds);
}

GYRE_TEST(SyncCond, CO_04_WaitReleasesAndRetakesTheLock) {
  Mutex mu;
  Cond cond(&mu);
  std::atomic<bool> returned{false};
  WaitGroup wg, go_on;
  go_on.Add(1);
  wg.Go([&] {
    MutexLock hold(&mu);
    cond.Wait();
    returned = true;
    go_on.Wait();
  });
  AwaitWaiting(WaitReason::kCondWait, 1);
  EXPECT_TRUE(mu.TryLock());
  mu.Unlock();
  cond.Signal();  // without the lock
  ASSERT_TRUE(Eventually([&] { return returned.load(); }));
  EXPECT_FALSE(mu.TryLock());
  go_on.Done();
  wg.Wait();
}

GYRE_TEST(SyncCond, CO_05_CopyPanics) {
  Mutex mu;
  Cond cond(&mu);
  cond.Signal();
  alignas(Cond) unsigned char bytes[sizeof(Cond)];
  std::memcpy(bytes, static_cast<const void*>(&cond), sizeof(Cond));
  Cond* copy = reinterpret_cast<Cond*>(bytes);
  auto expect_panic = [](auto&& f) {
    try {
      f();
      ADD_FAILURE() << "no panic";
    } catch (const PanicError& panic) {
      EXPECT_STREQ(panic.what(), "sync.Cond is copied");
    }
  };
  expect_panic([&] { copy->Signal(); });
  expect_panic([&] { copy->Broadcast(); });
  expect_panic([&] { copy->Wait(); });
}

GYRE_TEST(SyncCond, CO_06_OverAReadLock) {
  RWMutex mu;
  Cond cond(mu.RLocker());
  std::atomic<int> holding{0};
  WaitGroup wg;
  for (int i = 0; i < 10; ++i) {
    wg.Go([&] {
      ReaderLock hold(&mu);
      cond.Wait();
      ++holding;
      EXPECT_TRUE(Eventually([&] { return holding == 10; }));  // all at once: they hold read locks
      EXPECT_FALSE(mu.TryLock());
    });
  }
  AwaitWaiting(WaitReason::kCondWait, 10);
  EXPECT_TRUE(mu.TryLock());
  mu.Unlock();
  cond.Broadcast();
  wg.Wait();
}

// Signals that come between the unlocking of L and the parking.
GYRE_TEST(SyncCond, NoSignalIsLost) {
  Mutex mu;
  Cond cond(&mu);
  const int items = Scaled(2000);
  int queued = 0;
  int taken = 0;
  WaitGroup wg;
  for (int i = 0; i < 4; ++i) {
    wg.Go([&] {
      for (;;) {
        MutexLock hold(&mu);
        while (queued == 0) cond.Wait();
        if (queued < 0) return;
        --queued;
        ++taken;
      }
    });
  }
  for (int n = 0; n < items; ++n) {
    cond.L.Lock();
    ++queued;
    cond.L.Unlock();
    cond.Signal();
  }
  ASSERT_TRUE(Eventually([&] {
    MutexLock hold(&mu);
    return taken == items;
  }));
  mu.Lock();
  queued = -1;
  mu.Unlock();
  cond.Broadcast();
  wg.Wait();
}

TEST(SyncCond, WorksOnForeignThreadsAlone) {
  Mutex mu;
  Cond cond(&mu);
  int turn = 0;
  const int rounds = Scaled(2000);
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&, i] {
      for (int n = 0; n < rounds; ++n) {
        MutexLock hold(&mu);
        while (turn % 3 != i) cond.Wait();
        ++turn;
        cond.Broadcast();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(turn, 3 * rounds);
}

}  // namespace
}  // namespace gyre
