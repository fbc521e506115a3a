// Numbers: what a set of them is summed up as, and how one is shown to a reader.
#ifndef GYRE_LAB_NUMBERS_H_
#define GYRE_LAB_NUMBERS_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace gyre::lab {

// The nearest-rank percentile: the least value that at least `percent` of all are not above. It is one of the values,
// exact, and not interpolated. `sorted` is ascending and not empty; 0 < percent <= 100.
double PercentileOf(absl::Span<const double> sorted, double percent);

// The middle of the values, or the mean of the two in the middle. `values` is not empty.
double Median(std::vector<double> values);

struct Summary {
  int count = 0;
  double median = 0;
  double min = 0;
  double max = 0;
  // (max - min) / median: how far apart the runs are. 0 if the median is.
  double spread() const { return median == 0 ? 0 : (max - min) / median; }
};
Summary Summarize(const std::vector<double>& values);

// At least three digits that count, no exponent: 0.0123, 1.23, 12.3, 123, 1234.
std::string Significant(double value);

// A count, short: 9999, 12.3k, 1.11M, 500G.
std::string ShortCount(double value);

// A unit that fits a set of values in some base unit.
struct Unit {
  const char* name;
  double scale;  // in the base unit
};
// Of ns, us, ms and s, the largest that leaves the least of the positive values at 1 or above.
Unit TimeUnit(absl::Span<const double> nanoseconds);

// How a figure (result.h) is shown on its own; its name's ending tells what it is: _ns, _bytes, _per_s, or a plain
// number.
std::string ShowFigure(absl::string_view name, double value);

}  // namespace gyre::lab

#endif  // GYRE_LAB_NUMBERS_H_
