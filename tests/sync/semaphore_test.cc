#include "sync/semaphore.h"

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "runtime/go.h"
#include "runtime/panic.h"
#include "sync/mutex.h"
#include "sync/wait_group.h"
#include "tests/sync/waiting.h"
#include "tests/testing/runtime_test.h"

namespace gyre {
namespace {

using testing::AwaitWaiting;
using testing::Eventually;
using testing::Scaled;

GYRE_TEST(SyncSemaphore, XS_01_TryAcquire) {
  Semaphore sem(2);
  sem.Acquire(1);
  EXPECT_TRUE(sem.TryAcquire(1));
  EXPECT_FALSE(sem.TryAcquire(1));
  sem.Release(2);
  EXPECT_TRUE(sem.TryAcquire(1));
  sem.Acquire(1);
  EXPECT_FALSE(sem.TryAcquire(1));
  sem.Release(2);
}

void ExpectPanic(const std::function<void()>& f, const std::string& text) {
  try {
    f();
    ADD_FAILURE() << "no panic";
  } catch (const PanicError& panic) {
    EXPECT_EQ(panic.what(), text);
  }
}

GYRE_TEST(SyncSemaphore, XS_03_ReleaseOfMoreThanHeld) {
  Semaphore sem(1);
  ExpectPanic([&] { sem.Release(1); }, "semaphore: released more than held");
  sem.Acquire(1);
  ExpectPanic([&] { sem.Release(2); }, "semaphore: released more than held");
  sem.Release(1);
  ExpectPanic([&] { sem.Acquire(-1); }, "semaphore: negative number of units");
  ExpectPanic([&] { sem.TryAcquire(-1); }, "semaphore: negative number of units");
  ExpectPanic([&] { sem.Release(-1); }, "semaphore: negative number of units");
}

GYRE_TEST(SyncSemaphore, FirstComeFirstServed) {
  Semaphore sem(4);
  sem.Acquire(3);
  std::vector<int> order;
  Mutex mu;
  WaitGroup wg;
  for (int n : {4, 1, 2}) {
    wg.Go([&, n] {
      sem.Acquire(n);
      {
        MutexLock hold(&mu);
        order.push_back(n);
      }
      sem.Release(n);
    });
    AwaitWaiting(WaitReason::kSemacquire, n == 4 ? 1 : n == 1 ? 2 : 3);
  }
  EXPECT_FALSE(sem.TryAcquire(1)) << "it went ahead of those who wait";
  sem.Release(3);
  wg.Wait();
  EXPECT_EQ(order[0], 4);
  EXPECT_EQ(order.size(), 3u);
  EXPECT_TRUE(sem.TryAcquire(4));
}

GYRE_TEST(SyncSemaphore, Hammer) {
  Semaphore sem(5);
  std::atomic<int64_t> used{0};
  WaitGroup wg;
  for (int i = 0; i < 8; ++i) {
    wg.Go([&, i] {
      for (int n = 0; n < Scaled(200); ++n) {
        const int64_t units = (i + n) % 5 + 1;
        sem.Acquire(units);
        EXPECT_LE(used += units, 5);
        if (n % 4 == 0) Yield();
        used -= units;
        sem.Release(units);
      }
    });
  }
  wg.Wait();
  EXPECT_TRUE(sem.TryAcquire(5));
}

TEST(SyncSemaphore, WorksOnForeignThreadsAlone) {
  Semaphore sem(3);
  std::atomic<int64_t> used{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      for (int n = 0; n < Scaled(2000); ++n) {
        const int64_t units = (i + n) % 3 + 1;
        sem.Acquire(units);
        EXPECT_LE(used += units, 3);
        used -= units;
        sem.Release(units);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(sem.TryAcquire(3));
}

}  // namespace
}  // namespace gyre
