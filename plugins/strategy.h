// The interface of an exploration strategy: how schedule exploration chooses which goroutine goes on at each point
// where several could, and every other thing that might happen in more than one way.
//
// An exploration runs a program many times on one virtual processor. At every runtime call of a goroutine, and whenever
// one parks, yields or ends, the strategy picks the goroutine that goes on, out of all that can. That covers every
// interleaving of the program's runtime calls (sequentially consistent ones: what lies between two calls of one
// goroutine is indivisible). It also draws the lots: which of its ready cases a select takes, which of the timers that
// are due at one moment is first.
//
// Each choice between at least two alternatives is a decision. Decisions are numbered from 0, and so are the
// alternatives: 0 is the one that makes no fuss (the running goroutine goes on; else the one that has been runnable for
// longest; the first case of a select). So a run is determined by those decisions that were not 0: "17:1/40:2" says
// that the 17th went to alternative 1 and the 40th to 2. That text replays it.
//
// One object serves all runs of an exploration, on one thread. It has no clock and no randomness but the seed that it
// is started with.
#ifndef GYRE_PLUGINS_STRATEGY_H_
#define GYRE_PLUGINS_STRATEGY_H_

#include <cstdint>

#include "absl/status/status.h"
#include "plugins/options.h"

namespace gyre {

// What there is to choose from.
struct Alternatives {
  uint32_t count = 0;             // at least 2
  const uint64_t* ids = nullptr;  // the goroutines, numbered in the order of their making; null for a draw of lots
  bool current_first = false;     // the first runs, and could go on: any other is a preemption
};

class ExplorationStrategy {
 public:
  virtual ~ExplorationStrategy() = default;

  // Called once, before anything else. An error is shown to the user, and nothing is run.
  virtual absl::Status Start(uint64_t seed, const PluginOptions& options) = 0;

  // A run begins. `longest`: how many decisions the longest run so far had to make; 0: this is the first.
  virtual void BeginRun(uint64_t longest) { (void)longest; }
  // The number of an alternative, below `alternatives.count`.
  virtual uint32_t Choose(const Alternatives& alternatives) = 0;
  // The run is over. False: there is no schedule left that it would try.
  virtual bool EndRun() { return true; }
};

}  // namespace gyre

#endif  // GYRE_PLUGINS_STRATEGY_H_
