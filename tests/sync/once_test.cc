#include "sync/once.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "runtime/go.h"
#include "runtime/panic.h"
#include "sync/wait_group.h"
#include "tests/sync/waiting.h"
#include "tests/testing/runtime_test.h"

namespace gyre {
namespace {

using testing::Eventually;

GYRE_TEST(SyncOnce, ON_01_OnceAmongMany) {
  Once once;
  int value = 0;
  int runs = 0;
  WaitGroup wg, go_on;
  go_on.Add(1);
  for (int i = 0; i < 10; ++i) {
    wg.Go([&] {
      once.Do([&] {
        ++runs;
        go_on.Wait();
        value = 1;
      });
      EXPECT_EQ(value, 1);
    });
  }
  testing::AwaitWaiting(WaitReason::kMutexLock, 9);
  go_on.Done();
  wg.Wait();
  EXPECT_EQ(runs, 1);
}

GYRE_TEST(SyncOnce, ON_02_PanicCountsAsDone) {
  Once once;
  bool caught = false;
  try {
    once.Do([] { Panic("failed"); });
  } catch (const PanicError& panic) {
    caught = true;
    EXPECT_STREQ(panic.what(), "failed");
  }
  EXPECT_TRUE(caught);
  once.Do([] { ADD_FAILURE() << "a second run"; });
}

GYRE_TEST(SyncOnce, ON_03_GoexitCountsAsDone) {
  Once once;
  WaitGroup wg;
  std::atomic<int> runs{0};
  wg.Go([&] {
    once.Do([&] {
      ++runs;
      Goexit();
    });
    ADD_FAILURE() << "came back from Goexit";
  });
  wg.Wait();
  once.Do([&] { ++runs; });
  EXPECT_EQ(runs, 1);
}

using SyncOnceDeathTest = ::testing::Test;

TEST(SyncOnceDeathTest, ON_04_NestedDoDeadlocks) {
  EXPECT_EXIT(
      {
        Config config;
        config.procs = 2;
        Runtime runtime(config);
        runtime.Run([] {
          Once once;
          once.Do([&] { once.Do([] {}); });
        });
      },
      ::testing::ExitedWithCode(2),
      "^fatal error: all goroutines are asleep - deadlock!\n\ngoroutine 1 \\[sync.Mutex.Lock");
}

GYRE_TEST(SyncOnce, ON_05_ValuesAreReplayed) {
  int calls = 0;
  auto func = OnceFunc([&] { ++calls; });
  for (int i = 0; i < 11; ++i) func();
  EXPECT_EQ(calls, 1);

  calls = 0;
  auto value = OnceValue([&] { return ++calls; });
  auto copy = value;
  for (int i = 0; i < 11; ++i) EXPECT_EQ(i % 2 ? value() : copy(), 1);
  EXPECT_EQ(calls, 1);

  calls = 0;
  auto values = OnceValues([&] {
    ++calls;
    return std::pair(1, std::string("two"));
  });
  for (int i = 0; i < 11; ++i) {
    auto [one, two] = values();
    EXPECT_EQ(one, 1);
    EXPECT_EQ(two, "two");
  }
  EXPECT_EQ(calls, 1);

  auto move_only = OnceValue([] { return std::make_unique<int>(7); });
  EXPECT_EQ(*move_only(), 7);
  EXPECT_EQ(*move_only(), 7);
}

GYRE_TEST(SyncOnce, ON_05_PanicsAreReplayed) {
  int calls = 0;
  auto value = OnceValue([&]() -> int {
    ++calls;
    throw std::runtime_error("no value");
  });
  for (int i = 0; i < 3; ++i) EXPECT_THROW(value(), std::runtime_error);
  EXPECT_EQ(calls, 1);

  auto exits = OnceFunc([] { Goexit(); });
  WaitGroup wg;
  wg.Go([&] { exits(); });
  wg.Wait();
  EXPECT_THROW(exits(), PanicError);
}

GYRE_TEST(SyncOnce, ON_06_HappensBefore) {
  Once once;
  std::vector<int> table;  // TSan watches
  WaitGroup wg;
  for (int i = 0; i < 64; ++i) {
    wg.Go([&] {
      once.Do([&] { table.assign(100, 1); });
      EXPECT_EQ(table[99], 1);
    });
  }
  wg.Wait();
}

GYRE_TEST(SyncOnce, ON_07_DropsItsFunction) {
  auto held = std::make_shared<int>(1);
  auto func = OnceFunc([held] {});
  EXPECT_EQ(held.use_count(), 2);
  func();
  EXPECT_EQ(held.use_count(), 1);
  auto value = OnceValue([held] { return *held; });
  EXPECT_EQ(held.use_count(), 2);
  EXPECT_EQ(value(), 1);
  EXPECT_EQ(held.use_count(), 1);
}

}  // namespace
}  // namespace gyre
