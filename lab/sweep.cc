// lab sweep: how figures grow with the number of processors, or with a parameter of the workload.
#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "lab/command.h"
#include "lab/measure.h"
#include "lab/selection.h"
#include "lab/sweep_range.h"
#include "lab/sweep_result.h"
#include "plugins/config.h"

ABSL_FLAG(std::string, over, "procs=1..64",
          "what is swept: procs, or a parameter of the workload, and its values: a list 1,2,4, a range 1..64 that "
          "doubles, or "
          "a range 0.1..0.9+0.1 with a step");
ABSL_FLAG(std::string, figures, "", "the figures to show (default: time_ns and those of the workload's own table)");
ABSL_FLAG(std::string, html, "", "writes a page with plots, which needs nothing else, into FILE");

namespace gyre::lab {

namespace {

constexpr char kProcs[] = "procs";

// A configuration's name where only what differs counts.
std::string SeriesName(const Config& config, const std::vector<Config>& all) {
  const auto differs = [&](auto Config::*part) {
    return std::any_of(all.begin(), all.end(), [&](const Config& other) { return other.*part != config.*part; });
  };
  std::vector<std::string> parts = {config.scheduler};
  if (differs(&Config::stack)) parts.push_back(config.stack);
  if (differs(&Config::preemption)) parts.push_back(config.preemption);
  if (differs(&Config::engine)) parts.push_back(config.engine);
  if (differs(&Config::procs)) parts.push_back(absl::StrCat(config.procs, " procs"));
  return absl::StrJoin(parts, " ");
}

absl::StatusOr<std::vector<ComparisonRow>> Plan(const std::vector<Selection>& selections,
                                                const std::vector<Config>& configs, const SweepRange& range) {
  std::vector<ComparisonRow> rows;
  for (const Selection& selection : selections) {
    for (const Config& given : configs) {
      for (const std::string& value : range.texts) {
        Selection at = selection;
        Config config = given;
        if (range.name == kProcs) {
          if (!absl::SimpleAtoi(value, &config.procs) || config.procs < 1 || config.procs > Config::kMaxProcs) {
            return absl::InvalidArgumentError(absl::StrCat(
                "--over=procs: \"", value, "\" is not a number of processors from 1 to ", Config::kMaxProcs));
          }
        } else {
          at.written.emplace_back(range.name, value);
        }
        absl::StatusOr<std::vector<ComparisonRow>> row = PlanRows({at}, {config});
        if (!row.ok()) return row.status();
        rows.push_back(std::move(row->front()));
      }
    }
  }
  return rows;
}

std::vector<std::string> FiguresOf(const std::vector<Selection>& selections) {
  if (const std::string given = absl::GetFlag(FLAGS_figures); !given.empty()) {
    return absl::StrSplit(given, ',', absl::SkipWhitespace());
  }
  std::vector<std::string> figures = {"time_ns"};
  for (const Selection& selection : selections) {
    for (const WorkloadColumn& column : selection.workload->columns) {
      if (std::find(figures.begin(), figures.end(), column.figure) == figures.end()) figures.push_back(column.figure);
    }
  }
  return figures;
}

absl::StatusOr<int> Run(const Arguments& arguments) {
  const MeasureDefaults defaults{
      .simulates = false, .schedulers = {"gmp", "global"}, .stacks = {}, .procs = 0, .repeat = 1};
  absl::StatusOr<std::vector<Selection>> selections = ParseSelections(arguments.words);
  if (!selections.ok()) return selections.status();
  if (selections->empty()) {
    return absl::InvalidArgumentError("sweep needs a workload, or several; the subcommand list shows them");
  }
  const absl::StatusOr<SweepRange> range = ParseSweepRange(absl::GetFlag(FLAGS_over));
  if (!range.ok()) return range.status();
  if (range->name == kProcs && (arguments.Given("procs") || arguments.Given("procs_list"))) {
    return absl::InvalidArgumentError("--over=procs=... says how many processors: leave out --procs and --procs_list");
  }
  const absl::StatusOr<std::vector<Config>> configs = PlanConfigs(arguments, defaults);
  if (!configs.ok()) return configs.status();
  Sweep sweep;
  sweep.over = range->name;
  sweep.x = range->values;
  for (const Config& config : *configs) sweep.series.push_back(SeriesName(config, *configs));
  sweep.figures = FiguresOf(*selections);
  absl::StatusOr<std::vector<ComparisonRow>> rows = Plan(*selections, *configs, *range);
  if (!rows.ok()) return rows.status();
  sweep.comparison.rows = *std::move(rows);
  const absl::StatusOr<MeasureOptions> options = ReadMeasureOptions(arguments, defaults);
  if (!options.ok()) return options.status();
  const std::string html = absl::GetFlag(FLAGS_html);
  if (!html.empty()) {
    if (absl::Status status = WriteOutput(html, ""); !status.ok()) return status;
  }
  sweep.comparison.date = DateNow();
  sweep.comparison.machine = Machine::ThisOne();
  sweep.comparison.arguments = arguments.all;
  sweep.comparison.rounds = options->rounds;

  Measure(&sweep.comparison.rows, *options);
  if (absl::Status status = ShowResults(*options, SweepText(sweep), SweepJson(sweep), SweepCsv(sweep)); !status.ok())
    return status;
  if (!html.empty()) {
    if (absl::Status status = WriteOutput(html, SweepHtml(sweep)); !status.ok()) return status;
  }
  for (const std::string& figure : sweep.figures) {
    bool known = ExitCodeOf(sweep.comparison.rows) != kExitOk;
    for (size_t workload = 0; workload < sweep.workloads(); ++workload) known |= sweep.Has(workload, figure);
    if (!known)
      return absl::InvalidArgumentError(absl::StrCat("no run has a figure \"", figure, "\"; run shows what there is"));
  }
  return ExitCodeOf(sweep.comparison.rows);
}

}  // namespace

Command SweepCommand() {
  std::vector<FlagUse> flags = {{"over", "NAME=VALUES"}, {"figures", "LIST"}, {"html", "FILE"}};
  const std::vector<FlagUse> others = MeasureFlags();
  flags.insert(flags.end(), others.begin(), others.end());
  return {
      .name = "sweep",
      .arguments = "WORKLOAD [PARAMETER=VALUE ...] ... [--over=NAME=VALUES] [--html=FILE] ...",
      .summary = "runs workloads along a range of processors, or of a parameter, and fits how they grow",
      .description =
          "For example:\n"
          "  sweep skynet leaves=10000 sieve primes=500 --engine=simulation --seed=1 --html=scaling.html\n"
          "shows how two schedulers grow from 1 to 64 virtual processors, and\n"
          "  sweep service requests=20000 --over=load=0.1..0.9+0.1 --engine=simulation --procs=16 "
          "--figures=sojourn_p99_ns\n"
          "how the tail grows with the load. Each run is a process of its own, and runs take turns.\n"
          "Exit codes: 0; 1 if a run failed; 2 if the command line is wrong, or nothing could run.\n",
      .flags = std::move(flags),
      .run = Run,
  };
}

}  // namespace gyre::lab
