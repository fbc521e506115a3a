// The semaphore under the locks.
#include "sync/sema.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "runtime/go.h"
#include "sync/wait_group.h"
#include "tests/sync/waiting.h"
#include "tests/testing/runtime_test.h"

namespace gyre {
namespace {

using internal::Sema;
using testing::AwaitWaiting;
using testing::Scaled;

void Take(Sema& sema) {
  sema.Acquire(WaitReason::kSemacquire, &sema);
}

GYRE_TEST(Sema, MU_09_HammeredEndsWithOneToken) {
  Sema sema(1);
  int inside = 0;
  WaitGroup wg;
  for (int i = 0; i < 10; ++i) {
    wg.Go([&] {
      for (int n = 0; n < Scaled(1000); ++n) {
        Take(sema);
        ++inside;
        if (n % 7 == 0) Yield();
        sema.Release();
      }
    });
  }
  wg.Wait();
  EXPECT_EQ(inside, 10 * Scaled(1000));
  // One token is there, and no more.
  Take(sema);
  Go([&] { Take(sema); });
  AwaitWaiting(WaitReason::kSemacquire, 1);
  sema.Release();
}

GYRE_TEST(Sema, WakesInOrderAndPutsThoseWhoComeBackFirst) {
  Sema sema;
  std::vector<int> order;
  for (int i = 0; i < 4; ++i) {
    Go([&, i] {
      sema.Acquire(WaitReason::kSemacquire, &sema, i == 3 ? Sema::Place::kFirst : Sema::Place::kLast);
      order.push_back(i);
      sema.Release();
    });
    AwaitWaiting(WaitReason::kSemacquire, i + 1);
  }
  sema.Release();
  ASSERT_TRUE(testing::Eventually([] { return NumGoroutine() == 1; }));
  Take(sema);
  EXPECT_EQ(order, (std::vector<int>{3, 0, 1, 2}));
}

GYRE_TEST(Sema, ReleasesManyAtOnceAndKeepsTheRest) {
  Sema sema;
  std::atomic<int> through{0};
  for (int i = 0; i < 5; ++i) {
    Go([&] {
      Take(sema);
      ++through;
    });
  }
  AwaitWaiting(WaitReason::kSemacquire, 5);
  sema.Release(3);
  ASSERT_TRUE(testing::Eventually([&] { return through == 3; }));
  EXPECT_EQ(testing::CountWaiting(WaitReason::kSemacquire), 2);
  sema.Release(4);
  ASSERT_TRUE(testing::Eventually([&] { return through == 5; }));
  Take(sema);
  Take(sema);
}

TEST(Sema, WorksOnForeignThreadsAlone) {
  Sema sema(2);
  std::atomic<int> inside{0};
  std::atomic<int> most{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 6; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < Scaled(5000); ++n) {
        Take(sema);
        const int now = ++inside;
        int seen = most;
        while (seen < now && !most.compare_exchange_weak(seen, now)) {
        }
        --inside;
        sema.Release();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(inside, 0);
  EXPECT_LE(most, 2);
}

}  // namespace
}  // namespace gyre
