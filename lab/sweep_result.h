// The results of a sweep, how they grow, and the four ways in which they are shown. What is measured is in sweep.cc.
#ifndef GYRE_LAB_SWEEP_RESULT_H_
#define GYRE_LAB_SWEEP_RESULT_H_

#include <string>
#include <vector>

#include "absl/types/span.h"
#include "lab/comparison.h"

namespace gyre::lab {

// y = c x^exponent, fitted by least squares to the logarithms.
struct PowerLaw {
  bool known = false;  // there are three points at least, and all are positive
  double exponent = 0;
  double r_squared = 0;  // 1: the points are on the line
};
PowerLaw FitPowerLaw(absl::Span<const double> x, absl::Span<const double> y);

struct Sweep {
  Comparison comparison;            // rows: by workload, then series, then x; ascending in x
  std::string over;                 // the parameter's name, or "procs"
  std::vector<double> x;            // its values
  std::vector<std::string> series;  // the configurations' names, short
  std::vector<std::string> figures;

  size_t workloads() const { return comparison.rows.size() / (x.size() * series.size()); }
  const ComparisonRow& Row(size_t workload, size_t which_series, size_t at) const {
    return comparison.rows[(workload * series.size() + which_series) * x.size() + at];
  }
  // Whether some run of a workload has this figure.
  bool Has(size_t workload, const std::string& figure) const;
  // Of a figure along a series.
  PowerLaw Growth(size_t workload, size_t which_series, const std::string& figure) const;
};

std::string SweepText(const Sweep& sweep);
std::string SweepJson(const Sweep& sweep);
std::string SweepCsv(const Sweep& sweep);
std::string SweepHtml(const Sweep& sweep);

}  // namespace gyre::lab

#endif  // GYRE_LAB_SWEEP_RESULT_H_
