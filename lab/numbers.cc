#include "lab/numbers.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace gyre::lab {

double PercentileOf(absl::Span<const double> sorted, double percent) {
  const double count = static_cast<double>(sorted.size());
  // 99.9 is no binary fraction: without the allowance, the 999th of 1000 would be missed by one.
  const double rank = std::ceil(percent / 100 * count - 1e-9 * count);
  const size_t index = static_cast<size_t>(std::clamp(rank, 1.0, count)) - 1;
  return sorted[index];
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

Summary Summarize(const std::vector<double>& values) {
  if (values.empty()) return {};
  const auto [min, max] = std::minmax_element(values.begin(), values.end());
  return {static_cast<int>(values.size()), Median(values), *min, *max};
}

std::string Significant(double value) {
  const double magnitude = std::fabs(value);
  if (magnitude == 0) return "0";
  if (magnitude >= 99.95) return absl::StrFormat("%.0f", value);
  if (magnitude >= 9.995) return absl::StrFormat("%.1f", value);
  const int digits = 2 - static_cast<int>(std::floor(std::log10(magnitude * 1.0005)));
  return absl::StrFormat("%.*f", std::clamp(digits, 0, 9), value);
}

std::string ShortCount(double value) {
  static constexpr Unit kUnits[] = {{"T", 1e12}, {"G", 1e9}, {"M", 1e6}, {"k", 1e3}};
  if (std::fabs(value) < 9999.5)
    return value == std::floor(value) ? absl::StrFormat("%.0f", value) : Significant(value);
  for (const Unit& unit : kUnits) {
    // What would be shown as 1000 k is 1.00 M.
    if (std::fabs(value) >= 0.9995 * unit.scale) return absl::StrCat(Significant(value / unit.scale), unit.name);
  }
  return Significant(value);
}

Unit TimeUnit(absl::Span<const double> nanoseconds) {
  static constexpr Unit kUnits[] = {{"s", 1e9}, {"ms", 1e6}, {"us", 1e3}};
  double least = 0;
  for (double value : nanoseconds) {
    if (value > 0 && (least == 0 || value < least)) least = value;
  }
  for (const Unit& unit : kUnits) {
    if (least >= unit.scale) return unit;
  }
  return {"ns", 1};
}

std::string ShowFigure(absl::string_view name, double value) {
  if (absl::EndsWith(name, "_ns")) {
    const Unit unit = TimeUnit({value});
    return absl::StrCat(Significant(value / unit.scale), " ", unit.name);
  }
  if (absl::EndsWith(name, "_bytes")) return absl::StrCat(Significant(value / (1 << 20)), " MiB");
  if (absl::EndsWith(name, "_per_s")) return absl::StrCat(ShortCount(value), "/s");
  return ShortCount(value);
}

}  // namespace gyre::lab
