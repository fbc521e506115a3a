#include "lab/sweep_range.h"

#include <cmath>
#include <cstddef>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"

namespace gyre::lab {

namespace {

constexpr size_t kMost = 1000;

absl::Status Malformed(absl::string_view text, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat(
      "--over=", text, ": ", why, "; write NAME=1,2,4, or NAME=1..64, which doubles, or NAME=0.1..0.9+0.1"));
}

// The number, and what is behind it.
bool Split(absl::string_view text, double* number, std::string* unit) {
  const size_t end = text.find_last_of("0123456789.");
  if (end == absl::string_view::npos) return false;
  *unit = std::string(text.substr(end + 1));
  return absl::SimpleAtod(text.substr(0, end + 1), number) && std::isfinite(*number);
}

}  // namespace

absl::StatusOr<SweepRange> ParseSweepRange(absl::string_view text) {
  const size_t equals = text.find('=');
  if (equals == absl::string_view::npos || equals == 0) return Malformed(text, "there is no NAME=VALUES");
  SweepRange range;
  range.name = std::string(text.substr(0, equals));
  const absl::string_view values = text.substr(equals + 1);
  std::string unit;
  if (const size_t dots = values.find(".."); dots != absl::string_view::npos) {
    absl::string_view end = values.substr(dots + 2);
    double first, last, step = 0;
    std::string end_unit, step_unit;
    if (const size_t plus = end.find('+'); plus != absl::string_view::npos) {
      if (!Split(end.substr(plus + 1), &step, &step_unit) || step <= 0)
        return Malformed(text, "the step is no positive number");
      end = end.substr(0, plus);
    }
    if (!Split(values.substr(0, dots), &first, &unit) || !Split(end, &last, &end_unit)) {
      return Malformed(text, "an end of the range is no number");
    }
    if (unit.empty()) unit = end_unit;
    if (unit != end_unit || (!step_unit.empty() && step_unit != unit)) return Malformed(text, "the units differ");
    if (last < first || (step == 0 && first <= 0)) return Malformed(text, "the range does not ascend, or begins at 0");
    // The end belongs to the range, rounding errors or not.
    const double slack = step == 0 ? last * 1e-9 : step * 1e-6;
    for (size_t i = 0; range.values.size() <= kMost; ++i) {
      const double value = step == 0 ? std::ldexp(first, static_cast<int>(i)) : first + step * static_cast<double>(i);
      if (value > last + slack) break;
      range.values.push_back(value);
    }
  } else {
    for (absl::string_view part : absl::StrSplit(values, ',')) {
      double value;
      std::string its_unit;
      if (!Split(part, &value, &its_unit)) return Malformed(text, absl::StrCat("\"", part, "\" is no number"));
      if (!range.values.empty() && its_unit != unit) return Malformed(text, "the units differ");
      if (!range.values.empty() && value <= range.values.back()) return Malformed(text, "the values do not ascend");
      unit = its_unit;
      range.values.push_back(value);
    }
  }
  if (range.values.size() > kMost) return Malformed(text, absl::StrCat("these are more than ", kMost, " values"));
  for (double value : range.values) range.texts.push_back(absl::StrCat(absl::StrFormat("%.10g", value), unit));
  return range;
}

}  // namespace gyre::lab
