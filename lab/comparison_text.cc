#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "lab/comparison.h"
#include "lab/table.h"
#include "lab/version.h"
#include "lab/workload.h"

namespace gyre::lab {

namespace {

constexpr size_t kWidth = 120;

// A part of a configuration that rows may differ in.
struct Axis {
  const char* heading;
  Align align;
  bool always;  // shown though all rows agree
  std::function<std::string(const Config&)> value;
};

const std::vector<Axis>& AllAxes() {
  static const auto* const kAxes = new std::vector<Axis>{
      {"engine", Align::kLeft, false, [](const Config& config) { return config.engine; }},
      {"scheduler", Align::kLeft, true, [](const Config& config) { return config.scheduler; }},
      {"stack", Align::kLeft, true, [](const Config& config) { return config.stack; }},
      {"preemption", Align::kLeft, false, [](const Config& config) { return config.preemption; }},
      {"procs", Align::kRight, false, [](const Config& config) { return absl::StrCat(config.procs); }},
  };
  return *kAxes;
}

bool SameEverywhere(const Comparison& comparison, const Axis& axis) {
  for (const ComparisonRow& row : comparison.rows) {
    if (axis.value(row.identity.config) != axis.value(comparison.rows.front().identity.config)) return false;
  }
  return true;
}

// A row's cells to the right of its configuration.
struct Column {
  std::string heading;
  std::function<std::string(const ComparisonRow&)> cell;
};

Column FigureColumn(std::string heading, std::string figure, std::function<std::string(double)> show) {
  return {std::move(heading), [figure, show](const ComparisonRow& row) {
            const Summary summary = row.Of(figure);
            return summary.count == 0 ? "-" : show(summary.median);
          }};
}

// The unit for these figures of all rows.
Unit UnitFor(const std::vector<const ComparisonRow*>& rows, const std::vector<std::string>& figures) {
  std::vector<double> values;
  for (const ComparisonRow* row : rows) {
    for (const std::string& figure : figures) values.push_back(row->Of(figure).median);
  }
  return TimeUnit(values);
}

std::string Outcomes(const ComparisonRow& row) {
  if (row.Count(Outcome::kRefused) > 0) return "refused";
  return absl::StrCat(row.Count(Outcome::kFailed), " of ", row.runs.size());
}

std::vector<Column> CommonColumns(const std::vector<const ComparisonRow*>& rows) {
  std::vector<Column> columns;
  for (const ComparisonRow* row : rows) {
    if (row->Count(Outcome::kOk) == static_cast<int>(row->runs.size())) continue;
    columns.push_back({"failed", Outcomes});
    break;
  }
  const Unit unit = UnitFor(rows, {"time_ns"});
  columns.push_back(FigureColumn(absl::StrCat("time ", unit.name), "time_ns",
                                 [unit](double value) { return Significant(value / unit.scale); }));
  columns.push_back({"+-", [](const ComparisonRow& row) {
                       const Summary time = row.Of("time_ns");
                       return time.count < 2 ? "-" : absl::StrFormat("%.0f%%", 100 * time.spread());
                     }});
  for (const auto& [heading, figure] :
       {std::pair{"switches", "switches"}, {"steals", "steals"}, {"parks", "parks"}, {"wake-ups", "wakeups"}}) {
    columns.push_back(FigureColumn(heading, figure, [](double value) { return ShortCount(std::round(value)); }));
  }
  const bool simulated =
      std::any_of(rows.begin(), rows.end(), [](const ComparisonRow* row) { return row->Of("events").count != 0; });
  if (simulated) {
    columns.push_back(FigureColumn("events", "events", ShortCount));
    columns.push_back(FigureColumn("wall s", "wall_ns", [](double value) { return Significant(value / 1e9); }));
    columns.push_back(FigureColumn("events/s", "events_per_s", ShortCount));
  }
  columns.push_back(
      FigureColumn("peak MiB", "peak_memory_bytes", [](double value) { return Significant(value / (1 << 20)); }));
  return columns;
}

// The workload's own, if it has any; *unit is that of their times.
std::vector<Column> OwnColumns(const std::vector<const ComparisonRow*>& rows, Unit* unit) {
  const absl::StatusOr<const Workload*> workload = FindWorkload(rows.front()->identity.workload);
  if (!workload.ok()) return {};
  std::vector<std::string> times;
  for (const WorkloadColumn& column : (*workload)->columns) {
    if (absl::EndsWith(column.figure, "_ns")) times.push_back(column.figure);
  }
  *unit = UnitFor(rows, times);
  std::vector<Column> columns;
  for (const WorkloadColumn& column : (*workload)->columns) {
    if (absl::EndsWith(column.figure, "_ns")) {
      columns.push_back(FigureColumn(absl::StrCat(column.heading, " ", unit->name), column.figure,
                                     [scale = unit->scale](double value) { return Significant(value / scale); }));
    } else {
      columns.push_back(FigureColumn(column.heading, column.figure, ShortCount));
    }
  }
  return columns;
}

std::string Table(const std::vector<const ComparisonRow*>& rows, const std::vector<const Axis*>& axes,
                  const std::vector<Column>& columns) {
  std::vector<TableColumn> headings;
  for (const Axis* axis : axes) headings.push_back({axis->heading, axis->align});
  for (const Column& column : columns) headings.push_back({column.heading, Align::kRight});
  TextTable table(std::move(headings));
  for (const ComparisonRow* row : rows) {
    std::vector<std::string> cells;
    for (const Axis* axis : axes) cells.push_back(axis->value(row->identity.config));
    for (const Column& column : columns) cells.push_back(column.cell(*row));
    table.AddRow(std::move(cells));
  }
  return table.Text("  ");
}

// What went wrong in a row: one of its errors, and how to see it again.
std::string Complaint(const ComparisonRow& row) {
  for (const RunResult& run : row.runs) {
    if (run.outcome == Outcome::kOk) continue;
    const bool refused = run.outcome == Outcome::kRefused;
    const Config& config = run.config;
    return absl::StrCat(Wrap(absl::StrCat(refused ? "REFUSED: " : "FAILED: ", config.scheduler, ", ", config.stack,
                                          ", ", config.preemption, ", procs ", config.procs, ": ", run.error),
                             "  ", kWidth),
                        refused ? "" : absl::StrCat("    ", ShellCommand(ArgumentsOf(run)), "\n"));
  }
  return "";
}

std::string Section(const std::vector<const ComparisonRow*>& rows, const std::vector<const Axis*>& axes) {
  const RunResult& identity = rows.front()->identity;
  std::string text = Wrap(absl::StrCat(identity.workload, " ", ToWords(identity.parameters)), "", kWidth);
  absl::StrAppend(&text, Table(rows, axes, CommonColumns(rows)));
  Unit unit;
  if (const std::vector<Column> own = OwnColumns(rows, &unit); !own.empty()) {
    absl::StrAppend(&text, "\n", Table(rows, axes, own));
  }
  for (const ComparisonRow* row : rows) absl::StrAppend(&text, Complaint(*row));
  return text;
}

}  // namespace

std::string ComparisonText(const Comparison& comparison) {
  if (comparison.rows.empty()) return "";
  std::vector<const Axis*> axes;
  std::string shared;
  for (const Axis& axis : AllAxes()) {
    const bool same = SameEverywhere(comparison, axis);
    if (axis.always || !same) axes.push_back(&axis);
    if (!axis.always && same) {
      absl::StrAppend(&shared, shared.empty() ? "" : ", ", axis.heading, " ",
                      axis.value(comparison.rows.front().identity.config));
    }
  }
  std::string text = absl::StrCat(
      Wrap(absl::StrCat("gyre ", kVersion, ", ", comparison.date, ", on ", comparison.machine.ToString()), "", kWidth),
      Wrap(absl::StrCat(comparison.rounds, comparison.rounds == 1 ? " run" : " runs", " of each, in turn",
                        shared.empty() ? "" : absl::StrCat("; all with ", shared)),
           "", kWidth));

  std::vector<const ComparisonRow*> section;
  for (size_t i = 0; i < comparison.rows.size(); ++i) {
    const ComparisonRow& row = comparison.rows[i];
    section.push_back(&row);
    const ComparisonRow* next = i + 1 < comparison.rows.size() ? &comparison.rows[i + 1] : nullptr;
    if (next != nullptr && next->identity.workload == row.identity.workload &&
        next->identity.parameters == row.identity.parameters) {
      continue;
    }
    absl::StrAppend(&text, "\n", Section(section, axes));
    section.clear();
  }
  absl::StrAppend(&text, "\n",
                  Wrap("Every figure is the median over the runs that ended well; +- is (largest - smallest) / median "
                       "of their times. "
                       "Each run is a process of its own, and its peak MiB that process's resident memory (VmHWM). "
                       "Percentiles are exact "
                       "(nearest rank, of all requests of a run) and count from the moment a request was due. Every "
                       "answer was checked.",
                       "", kWidth));
  return text;
}

}  // namespace gyre::lab
