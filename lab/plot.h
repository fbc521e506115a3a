// A line chart as SVG, for a page that needs nothing else: no script, no file beside it.
#ifndef GYRE_LAB_PLOT_H_
#define GYRE_LAB_PLOT_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace gyre::lab {

struct Series {
  std::string name;
  std::vector<std::pair<double, double>> points;  // in ascending order of x
};

struct Plot {
  std::string title;
  std::string x_label, y_label;
  bool logarithmic = false;  // both axes; points that are not positive are left out
  std::vector<Series> series;
};

std::string PlotSvg(const Plot& plot);

// With &, <, > and quotes spelled out.
std::string HtmlEscape(absl::string_view text);

}  // namespace gyre::lab

#endif  // GYRE_LAB_PLOT_H_
