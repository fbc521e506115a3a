// Explores a program of the user's: an executable that uses gyre::Main, unchanged. Each run is a process, which is told
// in the environment variable GYRE to run on the simulator under one schedule, and says in the simulator's summary
// which it was.
#ifndef GYRE_LAB_EXPLORE_PROGRAM_H_
#define GYRE_LAB_EXPLORE_PROGRAM_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "runtime/simulation/explore.h"

namespace gyre::lab {

// As Explore, for the program words[0] with the arguments behind it. A strategy that remembers earlier runs (dfs)
// cannot be used: each run has a strategy of its own, with another seed.
absl::StatusOr<Exploration> ExploreProgram(const ExploreOptions& options, const std::vector<std::string>& words);

// An engine's spec with one more option.
std::string WithEngineOption(std::string engine, absl::string_view option);

}  // namespace gyre::lab

#endif  // GYRE_LAB_EXPLORE_PROGRAM_H_
