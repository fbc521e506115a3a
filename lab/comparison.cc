#include "lab/comparison.h"

#include <algorithm>

namespace gyre::lab {

int ComparisonRow::Count(Outcome outcome) const {
  return static_cast<int>(
      std::count_if(runs.begin(), runs.end(), [outcome](const RunResult& run) { return run.outcome == outcome; }));
}

Summary ComparisonRow::Of(absl::string_view figure) const {
  std::vector<double> values;
  for (const RunResult& run : runs) {
    const double* value = run.Find(figure);
    if (run.outcome == Outcome::kOk && value != nullptr) values.push_back(*value);
  }
  return Summarize(values);
}

}  // namespace gyre::lab
