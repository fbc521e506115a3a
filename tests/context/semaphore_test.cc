// Semaphore::Acquire with a context.
#include "context/semaphore.h"

#include <gtest/gtest.h>

#include <atomic>

#include "context/context.h"
#include "runtime/go.h"
#include "sync/wait_group.h"
#include "tests/sync/waiting.h"
#include "tests/testing/runtime_test.h"

namespace gyre {
namespace {

using testing::AwaitWaiting;
using testing::Scaled;

GYRE_TEST(SemaphoreWithContext, XS_02_EndOfTheContextLeavesItUnchanged) {
  Semaphore sem(2);
  EXPECT_EQ(sem.Acquire(context::Background(), 2), nullptr);
  auto [ctx, cancel] = context::WithTimeout(context::Background(), absl::Milliseconds(2));
  EXPECT_EQ(sem.Acquire(ctx, 1), context::DeadlineExceeded);
  sem.Release(2);
  EXPECT_EQ(sem.Acquire(ctx, 1), context::DeadlineExceeded) << "though there is room";
  EXPECT_TRUE(sem.TryAcquire(2));
  sem.Release(2);
}

GYRE_TEST(SemaphoreWithContext, OneThatGivesUpLetsThoseBehindThrough) {
  Semaphore sem(3);
  sem.Acquire(2);
  auto [ctx, cancel] = context::WithCancel(context::Background());
  WaitGroup wg;
  wg.Go([&, ctx = ctx] { EXPECT_EQ(sem.Acquire(ctx, 2), context::Canceled); });
  AwaitWaiting(WaitReason::kSelect, 1);
  wg.Go([&] {
    EXPECT_EQ(sem.Acquire(context::Background(), 1), nullptr);
    sem.Release(1);
  });
  cancel();
  wg.Wait();
  sem.Release(2);
  EXPECT_TRUE(sem.TryAcquire(3));
}

GYRE_TEST(SemaphoreWithContext, XS_04_TooLargeARequestBlocksNobody) {
  Semaphore sem(2);
  sem.Acquire(1);
  auto [ctx, cancel] = context::WithCancel(context::Background());
  WaitGroup wg;
  wg.Go([&, ctx = ctx] { EXPECT_EQ(sem.Acquire(ctx, 3), context::Canceled); });
  AwaitWaiting(WaitReason::kChanReceive, 1);
  WaitGroup small;
  for (int i = 0; i < 6; ++i) {
    small.Go([&, ctx = ctx] {
      EXPECT_EQ(sem.Acquire(ctx, 1), nullptr);
      sem.Release(1);
    });
  }
  small.Wait();
  cancel();
  wg.Wait();
  sem.Release(1);
}

GYRE_TEST(SemaphoreWithContext, Hammer) {
  Semaphore sem(3);
  std::atomic<int> used{0};
  std::atomic<int> taken{0};
  WaitGroup wg;
  for (int i = 0; i < 6; ++i) {
    wg.Go([&, i] {
      for (int n = 0; n < Scaled(50); ++n) {
        auto [ctx, cancel] = context::WithTimeout(context::Background(), absl::Microseconds(100 * (n % 4)));
        const int units = (n + i) % 3 + 1;
        if (sem.Acquire(ctx, units) == nullptr) {
          EXPECT_LE(used += units, 3);
          ++taken;
          Yield();
          used -= units;
          sem.Release(units);
        }
        cancel();
      }
    });
  }
  wg.Wait();
  EXPECT_TRUE(sem.TryAcquire(3)) << "units were lost";
}

}  // namespace
}  // namespace gyre
