// Making a failing schedule small: fewer departures from the plain one, and fewer preemptions.
#ifndef GYRE_RUNTIME_SIMULATION_SHRINK_H_
#define GYRE_RUNTIME_SIMULATION_SHRINK_H_

#include <cstdint>
#include <string>

#include "absl/functional/function_ref.h"
#include "plugins/decisions.h"

namespace gyre::internal::simulation {

// One run of an exploration, as far as it is remembered.
struct ExploredRun {
  std::string failure;     // empty: there was none
  Decisions schedule;      // what it did
  int preemptions = 0;     // among that
  uint64_t decisions = 0;  // that it had to make

  // What kind of failure it is: numbers and names in its text may differ from run to run.
  std::string Kind() const { return failure.substr(0, failure.find_first_of("0123456789\n")); }
};

// Takes away what can be taken away of the decisions of `run`, which failed, first in large pieces, then one by one
// (Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", 2002), as long as the run that `follow`
// makes of the rest fails in the same way. Those that remain are all needed, unless `most_runs` was reached. Counts the
// runs in *runs.
ExploredRun Shrink(ExploredRun run, absl::FunctionRef<ExploredRun(const Decisions&)> follow, int most_runs, int* runs);

}  // namespace gyre::internal::simulation

#endif  // GYRE_RUNTIME_SIMULATION_SHRINK_H_
