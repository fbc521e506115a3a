// How an exploration chooses: which goroutine goes on at each point where several could.
//
// An exploration runs a program many times on one virtual processor. At every runtime call of a goroutine, and whenever one
// parks, yields or ends, the strategy picks the goroutine that goes on, out of all that can. That covers every interleaving
// of the program's runtime calls (sequentially consistent ones: what lies between two calls of one goroutine is indivisible).
//
// Each choice between at least two alternatives is a decision. Decisions are numbered from 0, and so are the alternatives: 0
// is the one that makes no fuss (the running goroutine goes on; else the one that has been runnable for longest; the
// first case of a select). So a run is determined by those decisions that were not 0: "17:1/40:2" says that the 17th went to
// alternative 1 and the 40th to 2. That text replays it.
#ifndef GYRE_RUNTIME_SIMULATION_STRATEGY_H_
#define GYRE_RUNTIME_SIMULATION_STRATEGY_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace gyre::internal::simulation {

// What there is to choose from.
struct Alternatives {
  uint32_t count = 0;              // at least 2
  const uint64_t* ids = nullptr;   // the goroutines, numbered in the order of their making; null for a draw of lots
  bool current_first = false;      // the first runs, and could go on: any other is a preemption
};

// The decisions that were not 0, by number.
using Decisions = std::map<uint64_t, uint32_t>;
std::string DecisionsToString(const Decisions& decisions);
absl::StatusOr<Decisions> DecisionsFromString(absl::string_view text);

// Used by one thread.
class Strategy {
 public:
  virtual ~Strategy() = default;
  virtual void BeginRun() {}
  virtual uint32_t Choose(const Alternatives& alternatives) = 0;
  // The run is over, after `decisions` of them. False: there is no schedule left that it would try.
  virtual bool EndRun(uint64_t decisions) {
    (void)decisions;
    return true;
  }
};

struct StrategyOptions {
  uint64_t seed = 1;
  int depth = 3;   // pct: the number of ordering constraints that the bug needs
  int bound = 2;   // dfs: the most preemptions in a run
};

// fifo    always alternative 0.
// random  each alternative alike.
// pct     Burckhardt, Kothari, Musuvathi, Nagarakatte, "A Randomized Scheduler with Probabilistic Guarantees of Finding Bugs",
//         ASPLOS 2010: every goroutine has a random priority and the highest runs; at depth-1 random decisions the one that
//         runs falls below all others. A run finds a bug of depth d among n goroutines and k decisions with a probability
//         of at least 1 / (n k^(d-1)). k is the most that a run so far has needed.
// dfs     all schedules with at most `bound` preemptions, one after another (Musuvathi and Qadeer's CHESS, PLDI 2007).
// An unknown name is an error that lists these.
absl::StatusOr<std::unique_ptr<Strategy>> MakeStrategy(absl::string_view name, const StrategyOptions& options);
const std::vector<std::string>& StrategyNames();

// Follows `decisions`.
std::unique_ptr<Strategy> MakeReplay(Decisions decisions);

}  // namespace gyre::internal::simulation

#endif  // GYRE_RUNTIME_SIMULATION_STRATEGY_H_
