// Workloads with parameters, as words on a command line: `skynet leaves=1000 sieve primes=500`.
#ifndef GYRE_LAB_SELECTION_H_
#define GYRE_LAB_SELECTION_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lab/workload.h"

namespace gyre::lab {

struct Selection {
  const Workload* workload;
  Parameters written;
};

// A word with "=" is a parameter of the workload before it. Unknown workloads, and parameters without one, are errors;
// the parameters' names and values are for CheckParameters.
absl::StatusOr<std::vector<Selection>> ParseSelections(const std::vector<std::string>& words);

}  // namespace gyre::lab

#endif  // GYRE_LAB_SELECTION_H_
