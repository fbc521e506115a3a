// Schedule exploration finds the classic bugs, shrinks them, and shows them again.
#include "runtime/simulation/explore.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

#include "channels/chan.h"
#include "lab/bugs/bugs.h"
#include "plugins/decisions.h"
#include "plugins/registry.h"
#include "runtime/panic.h"
#include "runtime/timer.h"
#include "sync/mutex.h"
#include "sync/wait_group.h"
#include "tests/testing/runtime_test.h"

// A run that fails abandons its goroutines where they are, with all that they own.
extern "C" const char* __asan_default_options() {
  return "detect_leaks=0";
}

namespace gyre {
namespace {

class Bugs : public ::testing::TestWithParam<lab::Bug> {};

ExploreOptions OptionsFor(const lab::Bug& bug, const std::string& strategy) {
  ExploreOptions options;
  options.strategy = strategy;
  options.leaks = bug.leaks;
  return options;
}

TEST_P(Bugs, AreFoundShrunkAndShownAgain) {
  const lab::Bug& bug = GetParam();
  for (const char* strategy : {"random", "pct"}) {
    SCOPED_TRACE(strategy);
    ExploreOptions options = OptionsFor(bug, strategy);
    const Exploration found = Explore(options, bug.program);
    ASSERT_TRUE(found.failed) << found.ToString();
    RecordProperty(std::string(strategy) + "_runs", found.runs);
    RecordProperty(std::string(strategy) + "_schedule", found.schedule);
    EXPECT_LE(found.preemptions, 3);
    options.replay = found.schedule;
    const Exploration again = Explore(options, bug.program);
    EXPECT_TRUE(again.failed);
    EXPECT_EQ(again.schedule, found.schedule);
    EXPECT_EQ(again.interleaving, found.interleaving);
  }
}

TEST_P(Bugs, AreNotThereInTheCorrectedProgram) {
  for (const char* strategy : {"random", "pct", "dfs"}) {
    SCOPED_TRACE(strategy);
    ExploreOptions options = OptionsFor(GetParam(), strategy);
    options.runs = testing::Scaled(500);
    const Exploration found = Explore(options, GetParam().corrected);
    EXPECT_FALSE(found.failed) << found.ToString();
  }
}

INSTANTIATE_TEST_SUITE_P(Classic, Bugs, ::testing::ValuesIn(lab::ClassicBugs()), [](const auto& info) {
  std::string name = info.param.name;
  for (char& c : name) c = c == '-' ? '_' : c;
  return name;
});

void LostUpdate() {
  Mutex mu;
  int balance = 100;
  WaitGroup both;
  for (int i = 0; i < 2; ++i) {
    both.Go([&] {
      mu.Lock();
      const int seen = balance;
      mu.Unlock();
      mu.Lock();
      balance = seen - 10;
      mu.Unlock();
    });
  }
  both.Wait();
  if (balance != 80) Panic("an update is lost");
}

TEST(Explore, DepthFirstSearchIsExhaustive) {
  ExploreOptions options;
  options.strategy = "dfs:bound=0";
  Exploration found = Explore(options, &LostUpdate);
  EXPECT_FALSE(found.failed);  // it takes a preemption
  EXPECT_TRUE(found.exhausted);
  options.strategy = "dfs:bound=1";
  found = Explore(options, &LostUpdate);
  EXPECT_TRUE(found.failed);
  EXPECT_EQ(found.preemptions, 1);
}

TEST(Explore, TellsWhatHappened) {
  const Exploration found = Explore({}, &LostUpdate);
  ASSERT_TRUE(found.failed);
  EXPECT_EQ(found.preemptions, 1);
  EXPECT_NE(found.interleaving.find("is stopped"), std::string::npos) << found.interleaving;
  EXPECT_NE(found.ToString().find("panic: an update is lost"), std::string::npos);
  EXPECT_NE(found.ToString().find("replay: " + found.schedule), std::string::npos);
}

TEST(Explore, TheSameSeedFindsTheSame) {
  const Exploration first = Explore({.strategy = "random", .seed = 5}, &LostUpdate);
  const Exploration second = Explore({.strategy = "random", .seed = 5}, &LostUpdate);
  EXPECT_EQ(first.runs, second.runs);
  EXPECT_EQ(first.schedule, second.schedule);
}

TEST(Explore, ALoopThatWaitsForOthersEnds) {
  for (const char* strategy : {"fifo", "random", "pct", "dfs"}) {
    SCOPED_TRACE(strategy);
    ExploreOptions options;
    options.strategy = strategy;
    options.runs = 5;
    const Exploration found = Explore(options, [] {
      bool ready = false;
      Go([&] {
        Yield();
        ready = true;
      });
      while (!ready) Checkpoint();
    });
    EXPECT_FALSE(found.failed) << found.ToString();
  }
}

// Two timers of one moment: either may be first.
TEST(Explore, TheOrderOfTimersIsAChoice) {
  for (const char* strategy : {"random", "dfs:bound=0"}) {
    SCOPED_TRACE(strategy);
    const auto orders = [&](int wanted) {
      return Explore({.strategy = strategy, .runs = 200}, [wanted] {
        int first = 0;
        struct Marker : internal::Timer {
          Marker(int mark, int* where) : Timer(&Fire), mark(mark), where(where) {}
          static void Fire(Timer* timer, Nanos) {
            auto* marker = static_cast<Marker*>(timer);
            if (*marker->where == 0) *marker->where = marker->mark;
          }
          const int mark;
          int* const where;
        };
        Marker one(1, &first), two(2, &first);
        const Nanos when = NowNanos() + 1'000'000;
        one.Start(when);
        two.Start(when);
        Sleep(absl::Milliseconds(2));
        if (first == wanted) Panic("found");
      });
    };
    EXPECT_TRUE(orders(1).failed);
    EXPECT_TRUE(orders(2).failed);
  }
}

TEST(Explore, ABudgetOfNothingTriesNothing) {
  ExploreOptions options;
  options.budget = absl::ZeroDuration();
  EXPECT_EQ(Explore(options, &LostUpdate).runs, 0);
}

TEST(Explore, BadOptionsGetASentence) {
  auto message = [](const ExploreOptions& options) -> std::string {
    try {
      Explore(options, [] {});
    } catch (const std::invalid_argument& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_NE(message({.strategy = "pcd"}).find("there are: dfs, fifo, pct, random, replay"), std::string::npos);
  EXPECT_NE(message({.replay = "12"}).find("\"12\" is no decision"), std::string::npos);
  ExploreOptions four;
  four.config.procs = 4;
  EXPECT_NE(message(four).find("one virtual processor"), std::string::npos);
}

TEST(Decisions, AreReadAsTheyAreWritten) {
  const auto decisions = DecisionsFromString("17:1/40:2");
  ASSERT_TRUE(decisions.ok());
  EXPECT_EQ(decisions->size(), 2u);
  EXPECT_EQ(DecisionsToString(*decisions), "17:1/40:2");
  EXPECT_EQ(DecisionsToString({}), "-");
  EXPECT_TRUE(DecisionsFromString("-")->empty());
  EXPECT_FALSE(DecisionsFromString("17").ok());
  EXPECT_FALSE(DecisionsFromString("a:b").ok());
}

}  // namespace
}  // namespace gyre
