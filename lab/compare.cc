// lab compare: workloads under a matrix of configurations, in turn, several times.
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lab/command.h"
#include "lab/comparison.h"
#include "lab/measure.h"
#include "lab/selection.h"

namespace gyre::lab {

namespace {

absl::StatusOr<int> Run(const Arguments& arguments) {
  const MeasureDefaults defaults{
      .simulates = false, .schedulers = {"gmp", "global"}, .stacks = {"contiguous", "fixed"}, .procs = 0, .repeat = 5};
  Comparison comparison;
  comparison.date = DateNow();
  comparison.machine = Machine::ThisOne();
  comparison.arguments = arguments.all;
  absl::StatusOr<std::vector<Selection>> selections = ParseSelections(arguments.words);
  if (!selections.ok()) return selections.status();
  const absl::StatusOr<std::vector<Config>> configs = PlanConfigs(arguments, defaults);
  if (!configs.ok()) return configs.status();
  absl::StatusOr<std::vector<ComparisonRow>> rows = PlanRows(*std::move(selections), *configs);
  if (!rows.ok()) return rows.status();
  comparison.rows = *std::move(rows);
  const absl::StatusOr<MeasureOptions> options = ReadMeasureOptions(arguments, defaults);
  if (!options.ok()) return options.status();
  comparison.rounds = options->rounds;

  Measure(&comparison.rows, *options);
  if (absl::Status status =
          ShowResults(*options, ComparisonText(comparison), ComparisonJson(comparison), ComparisonCsv(comparison));
      !status.ok()) {
    return status;
  }
  return ExitCodeOf(comparison.rows);
}

}  // namespace

Command CompareCommand() {
  return {
      .name = "compare",
      .arguments = "[WORKLOAD [PARAMETER=VALUE ...] ...] [--schedulers=...] [--repeat=N] ...",
      .summary = "runs workloads under all combinations of schedulers, stacks, ... and prints a table",
      .description =
          "Without a workload it runs all of them, at a size that suits a comparison. Each run is a process of its "
          "own, and\n"
          "runs of different configurations take turns. For example:\n"
          "  compare skynet leaves=100000 pingpong --schedulers=gmp,gmp:steal=one,runnext=off,global --procs_list=1,2\n"
          "compares three schedulers (the second with two options) on one and two processors, with two kinds of "
          "stack.\n"
          "Exit codes: 0; 1 if a run failed, for instance with a wrong answer; 2 if the command line is wrong, or no\n"
          "combination can work.\n",
      .flags = MeasureFlags(),
      .run = Run,
  };
}

}  // namespace gyre::lab
