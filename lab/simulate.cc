// lab simulate: what run and compare do, on virtual processors; a program of the user's as well as the lab's workloads.
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "lab/child.h"
#include "lab/command.h"
#include "lab/comparison.h"
#include "lab/explore_program.h"
#include "lab/measure.h"
#include "lab/selection.h"
#include "lab/table.h"

ABSL_FLAG(bool, twice, false,
          "runs everything twice, and fails where the second run is not the first one's, event for event");

namespace gyre::lab {

namespace {

// ---- workloads ----

// What came of the second runs: a sentence, and a line for each that differs.
struct Repetition {
  std::string text;
  bool same = true;
};

Repetition Repeat(const std::vector<ComparisonRow>& rows, absl::Duration limit) {
  Repetition repetition;
  int count = 0;
  for (const ComparisonRow& row : rows) {
    for (const RunResult& first : row.runs) {
      if (first.outcome != Outcome::kOk) continue;
      bool timed_out;
      const RunResult second = RunInChild(first, limit, &timed_out);
      ++count;
      if (second.outcome == Outcome::kOk && second.trace == first.trace && second.answer == first.answer) continue;
      repetition.same = false;
      absl::StrAppend(&repetition.text, "NOT REPEATABLE: the trace of the first run is ", first.trace,
                      ", of the second ", second.outcome == Outcome::kOk ? second.trace : second.error, ": ",
                      ShellCommand(ArgumentsOf(first)), "\n");
    }
  }
  if (repetition.same) {
    repetition.text = absl::StrCat("Each of the ", count, " runs was done twice, and was the same, event for event.\n");
  }
  return repetition;
}

absl::StatusOr<int> SimulateWorkloads(const Arguments& arguments) {
  const MeasureDefaults defaults{
      .simulates = true, .schedulers = {"gmp", "global"}, .stacks = {}, .procs = 16, .repeat = 1};
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
  std::string text = ComparisonText(comparison);
  int code = ExitCodeOf(comparison.rows);
  if (absl::GetFlag(FLAGS_twice)) {
    const Repetition repetition = Repeat(comparison.rows, options->limit);
    absl::StrAppend(&text, "\n", repetition.text);
    if (!repetition.same) code = kExitFailed;
  }
  if (absl::Status status = ShowResults(*options, text, ComparisonJson(comparison), ComparisonCsv(comparison));
      !status.ok()) {
    return status;
  }
  return code;
}

// ---- a program of the user's ----

constexpr char kReport[] = "simulation: ";

// The configuration for the program's GYRE, with the engine's report on.
std::string EnvironmentFor(Config config) {
  config.engine = WithEngineOption(config.engine, "report=summary");
  return config.ToString();
}

struct ProgramRun {
  std::string ended;   // how
  std::string report;  // the engine's, behind its name
  std::string output;  // all else
  bool ok = false;
};

absl::StatusOr<ProgramRun> RunProgramUnder(const Config& config, const std::vector<std::string>& words,
                                           absl::Duration limit) {
  const absl::StatusOr<ChildResult> child = RunProgram(words, EnvironmentFor(config), limit);
  if (!child.ok()) return child.status();
  ProgramRun run;
  run.ended = child->ended.empty() ? absl::StrCat("exit code ", child->exit_code) : child->ended;
  run.ok = child->ended.empty() && child->exit_code == 0;
  for (absl::string_view line : absl::StrSplit(child->output, '\n')) {
    if (absl::StartsWith(line, kReport) && absl::StrContains(line, " trace ")) {
      run.report = std::string(line.substr(sizeof(kReport) - 1));
    } else if (!line.empty()) {
      absl::StrAppend(&run.output, line, "\n");
    }
  }
  return run;
}

absl::StatusOr<int> SimulateProgram(const Arguments& arguments) {
  const MeasureDefaults defaults{.simulates = true, .schedulers = {}, .stacks = {}, .procs = 16, .repeat = 1};
  const absl::StatusOr<std::vector<Config>> configs = PlanConfigs(arguments, defaults);
  if (!configs.ok()) return configs.status();
  const absl::StatusOr<MeasureOptions> options = ReadMeasureOptions(arguments, defaults);
  if (!options.ok()) return options.status();
  if (!options->json.empty() || !options->csv.empty()) {
    return absl::InvalidArgumentError("--json and --csv are for workloads; a program of yours prints what it likes");
  }
  int code = kExitOk;
  for (const Config& given : *configs) {
    for (int round = 0; round < options->rounds; ++round) {
      Config config = given;
      config.seed += static_cast<uint64_t>(round);
      const absl::StatusOr<ProgramRun> run = RunProgramUnder(config, arguments.words, options->limit);
      if (!run.ok()) return run.status();
      absl::PrintF("%s", run->output);
      if (run->report.empty()) {
        return absl::InvalidArgumentError(
            absl::StrCat(arguments.words[0], " ended (", run->ended,
                         ") without having run on the simulator: it must be a program of gyre::Main, or make its "
                         "gyre::Runtime from the environment, and link //:gyre"));
      }
      absl::PrintF("%s: %s; %s\n", config.ToString(), run->ended, run->report);
      if (!run->ok) code = kExitFailed;
      if (!absl::GetFlag(FLAGS_twice)) continue;
      const absl::StatusOr<ProgramRun> second = RunProgramUnder(config, arguments.words, options->limit);
      if (!second.ok()) return second.status();
      if (second->report == run->report && second->output == run->output && second->ended == run->ended) {
        absl::PrintF("the second run was the same, event for event\n");
        continue;
      }
      code = kExitFailed;
      absl::PrintF("NOT REPEATABLE: the second run was not the same: %s; %s%s\n", second->ended, second->report,
                   second->output == run->output ? "" : "; its output differs");
    }
  }
  return code;
}

absl::StatusOr<int> Run(const Arguments& arguments) {
  const bool program = !arguments.words.empty() && absl::StrContains(arguments.words[0], '/');
  return program ? SimulateProgram(arguments) : SimulateWorkloads(arguments);
}

}  // namespace

Command SimulateCommand() {
  std::vector<FlagUse> flags = MeasureFlags();
  flags.push_back({"twice", nullptr});
  return {
      .name = "simulate",
      .arguments = "[WORKLOAD [PARAMETER=VALUE ...] ... | ./PROGRAM [ARGUMENT ...]] [--procs=N] [--twice] ...",
      .summary = "runs workloads, or a program of yours, on virtual processors in virtual time",
      .description =
          "As compare, with --engine=simulation and 16 processors where the command line says nothing else, and with\n"
          "one run of each, for another of the same seed would be the same. For example:\n"
          "  simulate service load=0.8 requests=100000 --procs=256 --seed=7\n"
          "  simulate sieve --engine=simulation:switch=50ns,wake=10us --procs_list=1,16,64\n"
          "A word with a slash is a program that uses gyre::Main; it finds its configuration in the environment:\n"
          "  simulate ./hello --procs=64 --twice\n"
          "--twice checks that a program is deterministic: that nothing but the seed decides what it does.\n"
          "Exit codes: 0; 1 if a run failed or was not repeatable; 2 if the command line is wrong.\n",
      .flags = std::move(flags),
      .run = Run,
  };
}

}  // namespace gyre::lab
