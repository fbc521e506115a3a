// How the subcommands that run many configurations (compare, simulate, sweep) run them: the flags that say which, the
// plan, and the runs, each in a process of its own, in turn.
#ifndef GYRE_LAB_MEASURE_H_
#define GYRE_LAB_MEASURE_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lab/arguments.h"
#include "lab/comparison.h"
#include "lab/matrix.h"
#include "lab/selection.h"
#include "plugins/config.h"

namespace gyre::lab {

// What a subcommand does where the command line says nothing.
struct MeasureDefaults {
  bool simulates = false;  // the engine is the simulator, and no other is taken
  std::vector<std::string> schedulers;
  std::vector<std::string> stacks;
  int procs = 0;  // 0: as many as the machine has
  int repeat = 1;
};

// --schedulers, --stacks, ..., --repeat, --timeout, --json, --csv, and the flags of a configuration.
std::vector<FlagUse> MeasureFlags();

// The configurations that the command line asks for: all combinations of its lists. Each can be made.
absl::StatusOr<std::vector<Config>> PlanConfigs(const Arguments& arguments, const MeasureDefaults& defaults);

// A row for each workload and configuration, without runs as yet. No selection: all workloads.
absl::StatusOr<std::vector<ComparisonRow>> PlanRows(std::vector<Selection> selections,
                                                    const std::vector<Config>& configs);

// --repeat, --timeout and where results go, checked; the files can be written.
struct MeasureOptions {
  int rounds = 1;
  absl::Duration limit;
  std::string json, csv;  // as output_flags.h has it
};
absl::StatusOr<MeasureOptions> ReadMeasureOptions(const Arguments& arguments, const MeasureDefaults& defaults);

// One run, in a process of its own, which is killed after `limit`.
RunResult RunInChild(const RunResult& identity, absl::Duration limit, bool* timed_out);

// Fills in the rows' runs. A row that timed out or was refused is not run again.
void Measure(std::vector<ComparisonRow>* rows, const MeasureOptions& options);

// For the exit: 1 if a run failed; 2 if nothing could run at all.
int ExitCodeOf(const std::vector<ComparisonRow>& rows);

// The text, unless JSON or CSV takes its place, and the files.
absl::Status ShowResults(const MeasureOptions& options, absl::string_view text, absl::string_view json,
                         absl::string_view csv);

}  // namespace gyre::lab

#endif  // GYRE_LAB_MEASURE_H_
