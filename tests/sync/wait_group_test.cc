#include "sync/wait_group.h"

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "runtime/go.h"
#include "runtime/panic.h"
#include "tests/sync/waiting.h"
#include "tests/testing/runtime_test.h"

namespace gyre {
namespace {

using testing::AwaitWaiting;
using testing::Eventually;
using testing::Scaled;

GYRE_TEST(SyncWaitGroup, WG_01_WaitsForAllAndIsReused) {
  constexpr int kWorkers = 16;
  WaitGroup first, second;
  first.Wait();  // nothing to wait for
  std::atomic<int> released{0};
  for (int round = 0; round < 8; ++round) {
    released = 0;
    first.Add(kWorkers);
    second.Add(kWorkers);
    for (int i = 0; i < kWorkers; ++i) {
      Go([&] {
        first.Done();
        second.Wait();
        ++released;
      });
    }
    first.Wait();
    for (int i = 0; i < kWorkers; ++i) {
      EXPECT_EQ(released, 0) << "released before the last Done";
      second.Done();
    }
    ASSERT_TRUE(Eventually([&] { return released == kWorkers; }));
    ASSERT_TRUE(Eventually([&] { return NumGoroutine() == 1; }));
  }
}

void ExpectPanic(const std::function<void()>& f, const std::string& text) {
  try {
    f();
    ADD_FAILURE() << "no panic";
  } catch (const RuntimeError& error) {
    ADD_FAILURE() << "a run-time error: " << error.what();
  } catch (const PanicError& panic) {
    EXPECT_EQ(panic.what(), text);
  }
}

GYRE_TEST(SyncWaitGroup, WG_02_NegativeCountPanics) {
  ExpectPanic(
      [] {
        WaitGroup wg;
        wg.Add(1);
        wg.Done();
        wg.Done();
      },
      "sync: negative WaitGroup counter");
  ExpectPanic(
      [] {
        WaitGroup wg;
        wg.Done();
      },
      "sync: negative WaitGroup counter");
}

GYRE_TEST(SyncWaitGroup, WG_03_AllWaitersReleased) {
  WaitGroup wg, waiters;
  wg.Add(1);
  for (int i = 0; i < 100; ++i) waiters.Go([&] { wg.Wait(); });
  AwaitWaiting(WaitReason::kWaitGroupWait, 100);
  wg.Done();
  waiters.Wait();
}

GYRE_TEST(SyncWaitGroup, WG_04_NoSpuriousReturn) {
  for (int round = 0; round < Scaled(1000); ++round) {
    WaitGroup wg;
    std::atomic<int> done{0};
    wg.Add(1);
    Go([&] {
      ++done;
      wg.Done();
    });
    wg.Add(1);
    Go([&] {
      ++done;
      wg.Done();
    });
    wg.Wait();
    ASSERT_EQ(done, 2);
    // The group and the counter go out of scope while the last Done may still be on its way out.
  }
}

GYRE_TEST(SyncWaitGroup, WG_05_DoneHappensBeforeWaitReturns) {
  constexpr int kWorkers = 32;
  std::vector<int> results(kWorkers);  // TSan watches
  WaitGroup wg;
  for (int i = 0; i < kWorkers; ++i) wg.Go([&results, i] { results[i] = i + 1; });
  wg.Wait();
  for (int i = 0; i < kWorkers; ++i) EXPECT_EQ(results[i], i + 1);
}

GYRE_TEST(SyncWaitGroup, WG_06_AddOfNegative) {
  WaitGroup wg;
  wg.Add(5);
  wg.Add(-5);
  wg.Wait();
  wg.Add(3);
  for (int i = 0; i < 3; ++i) Go([&] { wg.Add(-1); });
  wg.Wait();
}

GYRE_TEST(SyncWaitGroup, GoDestroysWhatTheFunctionHoldsBeforeWaitReturns) {
  for (int round = 0; round < Scaled(100); ++round) {
    auto held = std::make_shared<int>(round);
    WaitGroup wg;
    for (int i = 0; i < 3; ++i) wg.Go([held] { EXPECT_GT(held.use_count(), 1); });
    wg.Wait();
    EXPECT_EQ(held.use_count(), 1);
  }
}

GYRE_TEST(SyncWaitGroup, GoCountsAlsoWhenTheFunctionCallsGoexit) {
  WaitGroup wg;
  auto held = std::make_shared<int>(1);
  wg.Go([held] { Goexit(); });
  wg.Wait();
  EXPECT_EQ(held.use_count(), 1);
}

GYRE_TEST(SyncWaitGroup, GoTakesOptionsAndMoveOnlyFunctions) {
  WaitGroup wg;
  int sum = 0;
  wg.Go({.name = "adder"}, [&sum, term = std::make_unique<int>(4)] { sum += *term; });
  wg.Wait();
  EXPECT_EQ(sum, 4);
}

TEST(SyncWaitGroup, WorksOnForeignThreadsAlone) {
  for (int round = 0; round < Scaled(500); ++round) {
    WaitGroup wg;
    std::vector<int> results(3);
    std::vector<std::thread> threads;
    wg.Add(3);
    for (int i = 0; i < 3; ++i) {
      threads.emplace_back([&, i] {
        results[i] = i + 1;
        wg.Done();
      });
    }
    wg.Wait();
    EXPECT_EQ(results, (std::vector<int>{1, 2, 3}));
    for (std::thread& thread : threads) thread.join();
  }
}

}  // namespace
}  // namespace gyre
