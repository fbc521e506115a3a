// Schedule exploration: runs a small program again and again, each time interleaved in another way, until it fails;
// then finds the smallest change to the plain schedule that still makes it fail, and how to see it again.
//
//   const auto found = gyre::Explore({.strategy = "pct"}, [] {
//     ...                       // a program over gyre's goroutines, channels and locks, that panics if something is
//     wrong
//   });
//   EXPECT_FALSE(found.failed) << found.ToString();
//
// A failure is an uncaught exception, a panic or a fatal error of any goroutine, a deadlock, and on request a goroutine
// that is left behind. Nothing else ends a run: the program must not keep state of its own from one run to the next.
//
// Goroutines are interleaved at their runtime calls: channel operations, selects, locks, spawns, waits and
// gyre::Checkpoint(), which a program puts between accesses to shared memory that should be taken for interruptible (an
// atomic's load and store). Timers fire when virtual time has come to them, that is, mostly when nothing else can run.
#ifndef GYRE_RUNTIME_SIMULATION_EXPLORE_H_
#define GYRE_RUNTIME_SIMULATION_EXPLORE_H_

#include <cstdint>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/time/time.h"
#include "plugins/config.h"

namespace gyre {

struct ExploreOptions {
  Config config = {};  // stack and engine options; one processor
  std::string strategy =
      "random";  // a plug-in, with options: fifo, random, pct:depth=2, dfs:bound=1 (plugins/strategy.h)
  uint64_t seed = 1;
  int runs = 10'000;                                 // at most
  absl::Duration budget = absl::InfiniteDuration();  // of real time, until a failure; shrinking it comes on top
  bool leaks = false;  // a goroutine that is left an hour after the body has returned is a failure
  bool shrink = true;
  std::string replay = "";  // not empty: run this schedule, once ("-": the plain one); `strategy` does not count
};

struct Exploration {
  bool failed = false;
  bool exhausted = false;  // the strategy has tried all that there is
  int runs = 0;            // until the failure, or in all
  int shrinking_runs = 0;
  std::string failure;       // the report, with the traces of all goroutines
  std::string schedule;      // for ExploreOptions::replay; of the smallest failing run
  int preemptions = 0;       // in it
  uint64_t decisions = 0;    // that it had to make
  std::string interleaving;  // what it does, a line for each decision that is not the plain one

  // All of it, to be read.
  std::string ToString() const;
};

// Throws std::invalid_argument for options that are wrong.
Exploration Explore(const ExploreOptions& options, absl::FunctionRef<void()> body);

}  // namespace gyre

#endif  // GYRE_RUNTIME_SIMULATION_EXPLORE_H_
