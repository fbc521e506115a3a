#include "runtime/simulation/shrink.h"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace gyre::internal::simulation {

ExploredRun Shrink(ExploredRun run, absl::FunctionRef<ExploredRun(const Decisions&)> follow, int most_runs, int* runs) {
  const std::string kind = run.Kind();
  const int limit = *runs + most_runs;
  for (size_t piece = std::max<size_t>(run.schedule.size() / 2, 1); !run.schedule.empty() && *runs < limit;) {
    bool smaller = false;
    for (size_t begin = 0; begin < run.schedule.size() && *runs < limit;) {
      Decisions candidate;
      size_t index = 0;
      for (const auto& decision : run.schedule) {
        if (index < begin || index >= begin + piece) candidate.insert(decision);
        ++index;
      }
      ExploredRun attempt = follow(candidate);
      ++*runs;
      // What it did, which may be less than what it was told: a decision that never came is not on the record.
      if (attempt.Kind() == kind && attempt.schedule.size() < run.schedule.size()) {
        run = std::move(attempt);
        smaller = true;
      } else {
        begin += piece;
      }
    }
    if (!smaller && piece == 1) break;
    piece = std::max<size_t>(std::min(piece / 2, run.schedule.size()), 1);
  }
  return run;
}

}  // namespace gyre::internal::simulation
