#include "lab/measure.h"

#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <utility>

#include "absl/flags/flag.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "lab/child.h"
#include "lab/command.h"
#include "lab/execute.h"
#include "lab/output_flags.h"
#include "plugins/flags.h"
#include "plugins/options.h"
#include "runtime/engine.h"

ABSL_FLAG(std::string, schedulers, "", "the schedulers to compare, with options (default: gmp,global)");
ABSL_FLAG(std::string, stacks, "", "the stack allocators to compare (default: contiguous,fixed; sweep: contiguous)");
ABSL_FLAG(std::string, preemptions, "", "the preemption strategies to compare (default: that of --preemption)");
ABSL_FLAG(std::string, engines, "", "the engines to compare (default: that of --engine)");
ABSL_FLAG(std::string, procs_list, "", "the numbers of processors to compare (default: that of --procs)");
ABSL_FLAG(int32_t, repeat, 0, "how often each combination runs (default: compare 5, simulate and sweep 1)");
ABSL_FLAG(std::string, timeout, "2m", "how long a run may take before it is killed, and has failed");

namespace gyre::lab {

namespace {

constexpr char kSimulation[] = "simulation";

// A line on a terminal that is overwritten; nothing elsewhere.
class Progress {
 public:
  explicit Progress(size_t total) : total_(total), on_terminal_(isatty(STDERR_FILENO) != 0) {}
  ~Progress() {
    if (on_terminal_) absl::FPrintF(stderr, "\r\033[K");
  }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void Next(const RunResult& run) {
    ++number_;
    if (!on_terminal_) return;
    const double done = static_cast<double>(number_ - 1);
    const absl::Duration so_far = absl::Now() - start_;
    std::string left;
    if (done > 0) {
      const absl::Duration rest = so_far * ((static_cast<double>(total_) - done) / done);
      left = absl::StrCat(", about ", absl::FormatDuration(absl::Ceil(rest, absl::Seconds(1))), " left");
    }
    absl::FPrintF(stderr, "\r\033[K[%d/%d] %s: %s, %s%s", number_, total_, run.workload, run.config.scheduler,
                  run.config.stack, left);
  }

 private:
  const size_t total_;
  const bool on_terminal_;
  const absl::Time start_ = absl::Now();
  size_t number_ = 0;
};

// Whether the environment variable GYRE chooses this part of a configuration.
bool EnvironmentChooses(std::string Config::*part) {
  Config probe;
  probe.*part = "";
  const char* text = std::getenv("GYRE");
  return text != nullptr && probe.Apply(text).ok() && !(probe.*part).empty();
}

// The values of an axis: those listed, or else the single one that was chosen, or else `by_default`.
absl::StatusOr<std::vector<std::string>> AxisValues(const Arguments& arguments, const char* single, const char* list,
                                                    const std::string& text, std::string Config::*part,
                                                    std::vector<std::string> by_default) {
  if (arguments.Given(list)) {
    if (arguments.Given(single)) {
      return absl::InvalidArgumentError(
          absl::StrCat("--", list, " and --", single, " say the same thing: write one of them"));
    }
    return SplitSpecs(list, text);
  }
  if (arguments.Given(single) || EnvironmentChooses(part)) return std::vector<std::string>{};
  return by_default;
}

absl::StatusOr<Axes> ReadAxes(const Arguments& arguments, const MeasureDefaults& defaults) {
  Axes axes;
  const auto read = [&](std::vector<std::string>* values, const char* single, const char* list, const std::string& text,
                        std::string Config::*part, std::vector<std::string> by_default) -> absl::Status {
    absl::StatusOr<std::vector<std::string>> read =
        AxisValues(arguments, single, list, text, part, std::move(by_default));
    if (!read.ok()) return read.status();
    *values = *std::move(read);
    return absl::OkStatus();
  };
  absl::Status status;
  status.Update(read(&axes.engines, "engine", "engines", absl::GetFlag(FLAGS_engines), &Config::engine, {}));
  status.Update(read(&axes.schedulers, "scheduler", "schedulers", absl::GetFlag(FLAGS_schedulers), &Config::scheduler,
                     defaults.schedulers));
  status.Update(read(&axes.stacks, "stack", "stacks", absl::GetFlag(FLAGS_stacks), &Config::stack, defaults.stacks));
  status.Update(
      read(&axes.preemptions, "preemption", "preemptions", absl::GetFlag(FLAGS_preemptions), &Config::preemption, {}));
  if (!status.ok()) return status;
  if (arguments.Given("procs_list")) {
    if (arguments.Given("procs")) {
      return absl::InvalidArgumentError("--procs_list and --procs say the same thing: write one of them");
    }
    absl::StatusOr<std::vector<int>> procs = SplitProcs("procs_list", absl::GetFlag(FLAGS_procs_list));
    if (!procs.ok()) return procs.status();
    axes.procs = *std::move(procs);
  }
  return axes;
}

}  // namespace

std::vector<FlagUse> MeasureFlags() {
  std::vector<FlagUse> flags = {{"schedulers", "LIST"},
                                {"stacks", "LIST"},
                                {"preemptions", "LIST"},
                                {"engines", "LIST"},
                                {"procs_list", "LIST"},
                                {"repeat", "N"},
                                {"timeout", "DURATION"},
                                kJsonFlag,
                                kCsvFlag};
  flags.insert(flags.end(), ConfigurationFlags().begin(), ConfigurationFlags().end());
  return flags;
}

absl::StatusOr<std::vector<Config>> PlanConfigs(const Arguments& arguments, const MeasureDefaults& defaults) {
  const absl::StatusOr<Axes> axes = ReadAxes(arguments, defaults);
  if (!axes.ok()) return axes.status();
  absl::StatusOr<Config> base = ConfigFromFlags();
  if (!base.ok()) return base.status();
  if (defaults.simulates && !arguments.Given("engine") && !EnvironmentChooses(&Config::engine))
    base->engine = kSimulation;
  if (base->procs == 0) base->procs = defaults.procs != 0 ? defaults.procs : Machine::ThisOne().cores;
  if (base->seed == 0) base->seed = defaults.simulates ? 1 : DrawSeed();
  const std::vector<Config> configs = Configurations(*base, *axes);
  for (const Config& config : configs) {
    if (absl::Status status = CheckConfig(config); !status.ok()) return status;
    if (absl::Status status = internal::MakeEngine(config).status(); !status.ok()) return status;
    if (defaults.simulates && !absl::StartsWith(config.engine, kSimulation)) {
      return absl::InvalidArgumentError(absl::StrCat(arguments.all[0],
                                                     " runs on virtual processors, and --engine=", config.engine,
                                                     " has none; write --engine=simulation, with options "
                                                     "or without, or use compare"));
    }
  }
  return configs;
}

absl::StatusOr<std::vector<ComparisonRow>> PlanRows(std::vector<Selection> selections,
                                                    const std::vector<Config>& configs) {
  const bool all = selections.empty();
  if (all) {
    for (const Workload& workload : Workloads()) selections.push_back({&workload, {}});
  }
  std::vector<ComparisonRow> rows;
  for (const Selection& selection : selections) {
    Parameters written = selection.written;
    for (const auto& parameter : selection.workload->compare) {
      const bool given = std::any_of(written.begin(), written.end(),
                                     [&](const auto& other) { return other.first == parameter.first; });
      if (!given) written.push_back(parameter);
    }
    const absl::StatusOr<CheckedParameters> parameters = CheckParameters(*selection.workload, written);
    if (!parameters.ok()) return parameters.status();
    for (const Config& config : configs) {
      if (all && !selection.workload->simulates && absl::StartsWith(config.engine, kSimulation)) continue;
      ComparisonRow row;
      row.identity.workload = selection.workload->name;
      row.identity.parameters = parameters->all;
      row.identity.config = config;
      rows.push_back(std::move(row));
    }
  }
  return rows;
}

absl::StatusOr<MeasureOptions> ReadMeasureOptions(const Arguments& arguments, const MeasureDefaults& defaults) {
  MeasureOptions options;
  options.rounds = arguments.Given("repeat") ? absl::GetFlag(FLAGS_repeat) : defaults.repeat;
  const absl::StatusOr<Nanos> limit = ParseDuration("--timeout", absl::GetFlag(FLAGS_timeout));
  if (!limit.ok()) return limit.status();
  if (options.rounds < 1 || options.rounds > 10'000) {
    return absl::InvalidArgumentError(
        absl::StrCat("--repeat=", options.rounds, " is out of range; it may be from 1 to 10000"));
  }
  if (*limit <= 0) return absl::InvalidArgumentError("--timeout must be above 0: 30s, 2m");
  options.limit = absl::Nanoseconds(*limit);
  options.json = absl::GetFlag(FLAGS_json);
  options.csv = absl::GetFlag(FLAGS_csv);
  if (options.json == "-" && options.csv == "-") {
    return absl::InvalidArgumentError("--json and --csv cannot both go to standard output: give one of them a file");
  }
  // Better now than after minutes of measuring.
  for (const std::string& file : {options.json, options.csv}) {
    if (file.empty() || file == "-") continue;
    if (absl::Status status = WriteOutput(file, ""); !status.ok()) return status;
  }
  return options;
}

RunResult RunInChild(const RunResult& identity, absl::Duration limit, bool* timed_out) {
  std::vector<std::string> arguments = ArgumentsOf(identity);
  arguments.push_back(absl::StrCat("--json=", kChildResultFile));
  const absl::StatusOr<ChildResult> child = RunChild(arguments, limit);
  RunResult failed = identity;
  failed.outcome = Outcome::kFailed;
  if (!child.ok()) {
    failed.error = std::string(child.status().message());
    return failed;
  }
  *timed_out = child->timed_out;
  if (child->ended.empty()) {
    if (const absl::StatusOr<JsonValue> json = JsonValue::Parse(child->result); json.ok()) {
      if (const absl::StatusOr<RunResult> result = ReadResult(*json); result.ok()) {
        // A sanitizer's report, or a crash while the process ended.
        if (child->exit_code == kExitOk || result->outcome != Outcome::kOk) return *result;
      }
    }
  }
  const std::string how = child->ended.empty() ? absl::StrCat("it exited with code ", child->exit_code) : child->ended;
  const std::string why = SentenceOf(child->output);
  failed.error = why.empty() ? how : absl::StrCat(how, ": ", why);
  return failed;
}

void Measure(std::vector<ComparisonRow>* rows, const MeasureOptions& options) {
  Progress progress(rows->size() * static_cast<size_t>(options.rounds));
  std::vector<bool> given_up(rows->size());
  // Each round runs everything once, so that a machine that grows slower or faster meanwhile does so to all alike.
  for (int round = 0; round < options.rounds; ++round) {
    for (size_t i = 0; i < rows->size(); ++i) {
      ComparisonRow& row = (*rows)[i];
      RunResult identity = row.identity;
      identity.config.seed += static_cast<uint64_t>(round);
      progress.Next(identity);
      if (given_up[i]) continue;
      bool timed_out = false;
      row.runs.push_back(RunInChild(identity, options.limit, &timed_out));
      given_up[i] = timed_out || row.runs.back().outcome == Outcome::kRefused;
    }
  }
}

int ExitCodeOf(const std::vector<ComparisonRow>& rows) {
  const auto any = [&](Outcome outcome) {
    return std::any_of(rows.begin(), rows.end(),
                       [outcome](const ComparisonRow& row) { return row.Count(outcome) > 0; });
  };
  if (any(Outcome::kFailed)) return kExitFailed;
  // Some combinations may be impossible; but something is to have been measured.
  return any(Outcome::kOk) ? kExitOk : kExitUsage;
}

absl::Status ShowResults(const MeasureOptions& options, absl::string_view text, absl::string_view json,
                         absl::string_view csv) {
  if (options.json != "-" && options.csv != "-") absl::PrintF("%s", text);
  if (!options.json.empty()) {
    if (absl::Status status = WriteOutput(options.json, json); !status.ok()) return status;
  }
  return options.csv.empty() ? absl::OkStatus() : WriteOutput(options.csv, csv);
}

}  // namespace gyre::lab
