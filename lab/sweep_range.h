// The values of a sweep, as they are written: "procs=1,2,4", "procs=1..64", "load=0.1..0.9+0.1".
#ifndef GYRE_LAB_SWEEP_RANGE_H_
#define GYRE_LAB_SWEEP_RANGE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace gyre::lab {

struct SweepRange {
  std::string name;
  std::vector<double> values;      // ascending
  std::vector<std::string> texts;  // the same, as a parameter takes them
};

// A range without a step doubles; its end belongs to it. A value may have a unit, as parameters do (100us, 1.5ms, 4K);
// all of a list the same. Errors: what is none of the three forms, more than 1000 values, values that do not ascend.
absl::StatusOr<SweepRange> ParseSweepRange(absl::string_view text);

}  // namespace gyre::lab

#endif  // GYRE_LAB_SWEEP_RANGE_H_
