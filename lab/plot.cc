#include "lab/plot.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "lab/numbers.h"

namespace gyre::lab {

namespace {

constexpr double kWidth = 760, kHeight = 420, kLeft = 80, kRight = 200, kTop = 40, kBottom = 56;

// Distinct for people who do not see all colours alike (Okabe and Ito, 2008).
constexpr const char* kColours[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"};

class Axis {
 public:
  Axis(bool logarithmic, double from, double to) : logarithmic_(logarithmic), from_(from), to_(to) {}

  void Add(double value) {
    least_ = std::min(least_, value);
    most_ = std::max(most_, value);
  }

  // Once all values are known.
  void Settle() {
    if (least_ > most_) least_ = most_ = 1;
    if (!logarithmic_ && least_ > 0 && least_ < most_ / 2) least_ = 0;
    if (least_ == most_) {
      least_ = logarithmic_ ? least_ / 2 : least_ - 1;
      most_ = logarithmic_ ? most_ * 2 : most_ + 1;
    }
  }

  double At(double value) const {
    const double part =
        logarithmic_ ? std::log(value / least_) / std::log(most_ / least_) : (value - least_) / (most_ - least_);
    return from_ + part * (to_ - from_);
  }

  std::vector<double> Ticks() const {
    std::vector<double> ticks;
    if (logarithmic_) {
      // Powers of two where they are few, else of ten.
      const double base = most_ / least_ <= 300 ? 2 : 10;
      for (double tick = std::pow(base, std::ceil(std::log(least_) / std::log(base) - 1e-9)); tick <= most_ * 1.0001;
           tick *= base) {
        ticks.push_back(tick);
      }
      return ticks;
    }
    const double rough = (most_ - least_) / 6;
    const double power = std::pow(10, std::floor(std::log10(rough)));
    const double step = rough / power < 1.5   ? power
                        : rough / power < 3.5 ? 2 * power
                        : rough / power < 7.5 ? 5 * power
                                              : 10 * power;
    for (double tick = std::ceil(least_ / step) * step; tick <= most_ + step * 1e-6; tick += step)
      ticks.push_back(tick);
    return ticks;
  }

 private:
  const bool logarithmic_;
  const double from_, to_;
  double least_ = std::numeric_limits<double>::infinity(), most_ = -std::numeric_limits<double>::infinity();
};

std::string TextAt(double x, double y, const char* attributes, absl::string_view text) {
  return absl::StrFormat("<text x=\"%.1f\" y=\"%.1f\" %s>%s</text>\n", x, y, attributes, HtmlEscape(text));
}

}  // namespace

std::string HtmlEscape(absl::string_view text) {
  return absl::StrReplaceAll(text, {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}});
}

std::string PlotSvg(const Plot& plot) {
  const auto shown = [&](const std::pair<double, double>& point) {
    return !plot.logarithmic || (point.first > 0 && point.second > 0);
  };
  Axis x(plot.logarithmic, kLeft, kWidth - kRight), y(plot.logarithmic, kHeight - kBottom, kTop);
  for (const Series& series : plot.series) {
    for (const auto& point : series.points) {
      if (!shown(point)) continue;
      x.Add(point.first);
      y.Add(point.second);
    }
  }
  x.Settle();
  y.Settle();
  std::string svg = absl::StrFormat(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %g %g\" width=\"%g\" font-family=\"sans-serif\" "
      "font-size=\"12\">\n",
      kWidth, kHeight, kWidth);
  absl::StrAppend(&svg, TextAt(kLeft, 22, "font-size=\"15\" font-weight=\"bold\"", plot.title));
  for (double tick : x.Ticks()) {
    absl::StrAppendFormat(&svg, "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%g\" y2=\"%g\" stroke=\"#ddd\"/>\n", x.At(tick),
                          x.At(tick), kTop, kHeight - kBottom);
    absl::StrAppend(&svg, TextAt(x.At(tick), kHeight - kBottom + 18, "text-anchor=\"middle\"", Significant(tick)));
  }
  for (double tick : y.Ticks()) {
    absl::StrAppendFormat(&svg, "<line x1=\"%g\" x2=\"%g\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"#ddd\"/>\n", kLeft,
                          kWidth - kRight, y.At(tick), y.At(tick));
    absl::StrAppend(&svg, TextAt(kLeft - 8, y.At(tick) + 4, "text-anchor=\"end\"", ShortCount(tick)));
  }
  absl::StrAppend(&svg, TextAt((kLeft + kWidth - kRight) / 2, kHeight - 12, "text-anchor=\"middle\"", plot.x_label));
  absl::StrAppend(&svg, TextAt(kLeft - 8, kTop - 8, "text-anchor=\"end\"", plot.y_label));
  for (size_t i = 0; i < plot.series.size(); ++i) {
    const char* colour = kColours[i % std::size(kColours)];
    std::string line, dots;
    for (const auto& point : plot.series[i].points) {
      if (!shown(point)) continue;
      absl::StrAppendFormat(&line, "%.1f,%.1f ", x.At(point.first), y.At(point.second));
      absl::StrAppendFormat(&dots, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3.5\" fill=\"%s\"><title>%s</title></circle>\n",
                            x.At(point.first), y.At(point.second), colour,
                            HtmlEscape(absl::StrCat(plot.series[i].name, ": ", point.first, ", ", point.second)));
    }
    absl::StrAppendFormat(&svg, "<polyline points=\"%s\" fill=\"none\" stroke=\"%s\" stroke-width=\"2\"/>\n%s", line,
                          colour, dots);
    const double legend = kTop + 18.0 * static_cast<double>(i) + 8;
    absl::StrAppendFormat(&svg, "<rect x=\"%g\" y=\"%g\" width=\"14\" height=\"4\" fill=\"%s\"/>\n",
                          kWidth - kRight + 14, legend - 6, colour);
    absl::StrAppend(&svg, TextAt(kWidth - kRight + 34, legend, "", plot.series[i].name));
  }
  return svg + "</svg>\n";
}

}  // namespace gyre::lab
