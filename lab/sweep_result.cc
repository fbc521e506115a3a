#include "lab/sweep_result.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "lab/csv.h"
#include "lab/json.h"
#include "lab/plot.h"
#include "lab/table.h"
#include "lab/version.h"

namespace gyre::lab {

namespace {

constexpr size_t kWidth = 120;

std::string Exactly(double value) {
  char digits[32];
  return std::string(digits, std::to_chars(digits, digits + sizeof(digits), value).ptr);
}

std::string ShowGrowth(const PowerLaw& law, absl::string_view x) {
  if (!law.known) return "-";
  return absl::StrFormat("%s^%.2f (R2 %.2f)", x, law.exponent, law.r_squared);
}

std::string TitleOf(const Sweep& sweep, size_t workload) {
  const RunResult& identity = sweep.Row(workload, 0, 0).identity;
  Parameters others;
  for (const auto& parameter : identity.parameters) {
    if (parameter.first != sweep.over) others.push_back(parameter);
  }
  return absl::StrCat(identity.workload, others.empty() ? "" : " ", ToWords(others));
}

// What all rows have in common, but for the swept parameter.
std::string Conditions(const Sweep& sweep) {
  const Config& config = sweep.comparison.rows.front().identity.config;
  return absl::StrCat("engine ", config.engine, ", preemption ", config.preemption,
                      sweep.over == "procs" ? "" : absl::StrCat(", procs ", config.procs), ", seed ", config.seed, ", ",
                      sweep.comparison.rounds, sweep.comparison.rounds == 1 ? " run" : " runs", " of each");
}

std::string FigureTable(const Sweep& sweep, size_t workload, const std::string& figure) {
  std::vector<TableColumn> columns = {{sweep.over, Align::kRight}};
  for (const std::string& series : sweep.series) columns.push_back({series, Align::kRight});
  TextTable table(std::move(columns));
  for (size_t at = 0; at < sweep.x.size(); ++at) {
    std::vector<std::string> cells = {absl::StrCat(sweep.x[at])};
    for (size_t series = 0; series < sweep.series.size(); ++series) {
      const ComparisonRow& row = sweep.Row(workload, series, at);
      const Summary summary = row.Of(figure);
      cells.push_back(summary.count != 0                 ? ShowFigure(figure, summary.median)
                      : row.Count(Outcome::kRefused) > 0 ? "refused"
                                                         : "failed");
    }
    table.AddRow(std::move(cells));
  }
  std::vector<std::string> growth = {"grows as"};
  for (size_t series = 0; series < sweep.series.size(); ++series) {
    growth.push_back(ShowGrowth(sweep.Growth(workload, series, figure), sweep.over));
  }
  table.AddRow(std::move(growth));
  return table.Text("  ");
}

}  // namespace

PowerLaw FitPowerLaw(absl::Span<const double> x, absl::Span<const double> y) {
  PowerLaw law;
  if (x.size() < 3 || x.size() != y.size()) return law;
  const double n = static_cast<double>(x.size());
  double sum_x = 0, sum_y = 0, sum_xx = 0, sum_xy = 0, sum_yy = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    if (x[i] <= 0 || y[i] <= 0) return law;
    const double a = std::log(x[i]), b = std::log(y[i]);
    sum_x += a;
    sum_y += b;
    sum_xx += a * a;
    sum_xy += a * b;
    sum_yy += b * b;
  }
  const double var_x = sum_xx - sum_x * sum_x / n, var_y = sum_yy - sum_y * sum_y / n, cov = sum_xy - sum_x * sum_y / n;
  if (var_x <= 0) return law;
  law.known = true;
  law.exponent = cov / var_x;
  law.r_squared = var_y <= 1e-12 ? 1 : cov * cov / (var_x * var_y);
  return law;
}

bool Sweep::Has(size_t workload, const std::string& figure) const {
  for (size_t series_at = 0; series_at < series.size(); ++series_at) {
    for (size_t at = 0; at < x.size(); ++at) {
      if (Row(workload, series_at, at).Of(figure).count != 0) return true;
    }
  }
  return false;
}

PowerLaw Sweep::Growth(size_t workload, size_t which_series, const std::string& figure) const {
  std::vector<double> xs, ys;
  for (size_t at = 0; at < x.size(); ++at) {
    const Summary summary = Row(workload, which_series, at).Of(figure);
    if (summary.count == 0) continue;
    xs.push_back(x[at]);
    ys.push_back(summary.median);
  }
  return FitPowerLaw(xs, ys);
}

std::string SweepText(const Sweep& sweep) {
  const Comparison& comparison = sweep.comparison;
  std::string text = absl::StrCat(
      Wrap(absl::StrCat("gyre ", kVersion, ", ", comparison.date, ", on ", comparison.machine.ToString()), "", kWidth),
      Wrap(Conditions(sweep), "", kWidth));
  for (size_t workload = 0; workload < sweep.workloads(); ++workload) {
    absl::StrAppend(&text, "\n", Wrap(TitleOf(sweep, workload), "", kWidth));
    for (const std::string& figure : sweep.figures) {
      if (sweep.Has(workload, figure)) absl::StrAppend(&text, figure, "\n", FigureTable(sweep, workload, figure));
    }
  }
  absl::StrAppend(
      &text, "\n",
      Wrap(absl::StrCat("Each figure is the median over the runs that ended well. \"grows as\" is the power of ",
                        sweep.over, " that fits best (least squares of the logarithms), and how well it does."),
           "", kWidth));
  for (const ComparisonRow& row : comparison.rows) {
    for (const RunResult& run : row.runs) {
      if (run.outcome == Outcome::kOk) continue;
      absl::StrAppend(
          &text, Wrap(absl::StrCat(run.outcome == Outcome::kRefused ? "REFUSED: " : "FAILED: ", run.error), "", kWidth),
          "  ", ShellCommand(ArgumentsOf(run)), "\n");
      break;
    }
  }
  return text;
}

std::string SweepJson(const Sweep& sweep) {
  JsonWriter json;
  json.BeginObject();
  WriteProvenance(json, "sweep", sweep.comparison.date, sweep.comparison.machine);
  json.Key("command").String(ShellCommand(sweep.comparison.arguments));
  json.Key("over").String(sweep.over);
  json.Key("rounds").Integer(sweep.comparison.rounds);
  json.Key("workloads").BeginArray();
  for (size_t workload = 0; workload < sweep.workloads(); ++workload) {
    json.BeginObject();
    json.Key("workload").String(sweep.Row(workload, 0, 0).identity.workload);
    json.Key("series").BeginArray();
    for (size_t series = 0; series < sweep.series.size(); ++series) {
      json.BeginObject();
      json.Key("name").String(sweep.series[series]);
      json.Key("points").BeginArray();
      for (size_t at = 0; at < sweep.x.size(); ++at) {
        const ComparisonRow& row = sweep.Row(workload, series, at);
        json.BeginObject();
        json.Key("x").Number(sweep.x[at]);
        WriteIdentity(json, row.identity);
        json.Key("command").String(ShellCommand(ArgumentsOf(row.identity)));
        json.Key("ok").Integer(row.Count(Outcome::kOk));
        json.Key("failed").Integer(row.Count(Outcome::kFailed));
        json.Key("refused").Integer(row.Count(Outcome::kRefused));
        json.Key("medians").BeginObject();
        if (!row.runs.empty()) {
          for (const Figure& figure : row.runs.front().figures)
            json.Key(figure.name).Number(row.Of(figure.name).median);
        }
        json.EndObject();
        json.EndObject();
      }
      json.EndArray();
      json.Key("growth").BeginObject();
      for (const std::string& figure : sweep.figures) {
        const PowerLaw law = sweep.Growth(workload, series, figure);
        if (!law.known) continue;
        json.Key(figure).BeginObject();
        json.Key("exponent").Number(law.exponent);
        json.Key("r_squared").Number(law.r_squared);
        json.EndObject();
      }
      json.EndObject();
      json.EndObject();
    }
    json.EndArray();
    json.EndObject();
  }
  json.EndArray();
  json.EndObject();
  return json.text();
}

std::string SweepCsv(const Sweep& sweep) {
  std::vector<std::string> heading = {"workload", "series", sweep.over};
  heading.insert(heading.end(), sweep.figures.begin(), sweep.figures.end());
  for (const std::string& figure : sweep.figures) heading.push_back(figure + "_exponent");
  heading.push_back("command");
  std::string text = CsvLine(heading);
  for (size_t workload = 0; workload < sweep.workloads(); ++workload) {
    for (size_t series = 0; series < sweep.series.size(); ++series) {
      for (size_t at = 0; at < sweep.x.size(); ++at) {
        const ComparisonRow& row = sweep.Row(workload, series, at);
        std::vector<std::string> fields = {row.identity.workload, sweep.series[series], Exactly(sweep.x[at])};
        for (const std::string& figure : sweep.figures) {
          const Summary summary = row.Of(figure);
          fields.push_back(summary.count == 0 ? "" : Exactly(summary.median));
        }
        for (const std::string& figure : sweep.figures) {
          const PowerLaw law = sweep.Growth(workload, series, figure);
          fields.push_back(law.known ? Exactly(law.exponent) : "");
        }
        fields.push_back(ShellCommand(ArgumentsOf(row.identity)));
        text += CsvLine(fields);
      }
    }
  }
  return text;
}

std::string SweepHtml(const Sweep& sweep) {
  const Comparison& comparison = sweep.comparison;
  // Powers show as straight lines.
  const bool logarithmic = sweep.x.front() > 0 && sweep.x.back() / sweep.x.front() >= 8;
  std::string html =
      absl::StrCat("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>gyre: a sweep over ",
                   HtmlEscape(sweep.over),
                   "</title>\n<style>body{font-family:sans-serif;max-width:860px;margin:2em auto;padding:0 1em}"
                   "pre{background:#f6f6f6;padding:.8em;overflow-x:auto}</style></head><body>\n<h1>A sweep over ",
                   HtmlEscape(sweep.over), "</h1>\n<p>gyre ", kVersion, ", ", comparison.date, ", on ",
                   HtmlEscape(comparison.machine.ToString()), "; ", HtmlEscape(Conditions(sweep)), ".</p>\n<pre>",
                   HtmlEscape(ShellCommand(comparison.arguments)), "</pre>\n");
  for (size_t workload = 0; workload < sweep.workloads(); ++workload) {
    absl::StrAppend(&html, "<h2>", HtmlEscape(TitleOf(sweep, workload)), "</h2>\n");
    for (const std::string& figure : sweep.figures) {
      if (!sweep.Has(workload, figure)) continue;
      Plot plot{.title = absl::StrCat(sweep.Row(workload, 0, 0).identity.workload, ": ", figure),
                .x_label = sweep.over,
                .y_label = figure,
                .logarithmic = logarithmic,
                .series = {}};
      for (size_t series = 0; series < sweep.series.size(); ++series) {
        Series line{sweep.series[series], {}};
        for (size_t at = 0; at < sweep.x.size(); ++at) {
          const Summary summary = sweep.Row(workload, series, at).Of(figure);
          if (summary.count != 0) line.points.emplace_back(sweep.x[at], summary.median);
        }
        plot.series.push_back(std::move(line));
      }
      absl::StrAppend(&html, PlotSvg(plot), "<pre>", HtmlEscape(FigureTable(sweep, workload, figure)), "</pre>\n");
    }
  }
  return html + "</body></html>\n";
}

}  // namespace gyre::lab
