// The configurations of a comparison: all combinations of what was listed on each axis.
#ifndef GYRE_LAB_MATRIX_H_
#define GYRE_LAB_MATRIX_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "plugins/config.h"

namespace gyre::lab {

// Splits "gmp:steal=one,runnext=off,global,chaos(gmp:steal=one,runnext=off)" into three plug-ins: a part that is
// name=value belongs to the plug-in before it, as does everything between parentheses. Errors name `flag`.
absl::StatusOr<std::vector<std::string>> SplitSpecs(absl::string_view flag, absl::string_view text);

// "1,2,4"
absl::StatusOr<std::vector<int>> SplitProcs(absl::string_view flag, absl::string_view text);

struct Axes {
  std::vector<std::string> engines;
  std::vector<std::string> schedulers;
  std::vector<std::string> stacks;
  std::vector<std::string> preemptions;
  std::vector<int> procs;
};

// `base` with each combination in place; the last axis changes fastest. An empty axis leaves base's value.
std::vector<Config> Configurations(const Config& base, const Axes& axes);

}  // namespace gyre::lab

#endif  // GYRE_LAB_MATRIX_H_
