// lab run: one workload under one configuration.
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "lab/command.h"
#include "lab/execute.h"
#include "lab/json.h"
#include "lab/machine.h"
#include "lab/numbers.h"
#include "lab/output_flags.h"
#include "lab/result.h"
#include "lab/selection.h"
#include "lab/table.h"
#include "lab/version.h"
#include "lab/workload.h"
#include "plugins/flags.h"
#include "runtime/debug/server.h"

namespace gyre::lab {

namespace {

std::string Json(const RunResult& result, const std::string& date) {
  JsonWriter json;
  json.BeginObject();
  WriteProvenance(json, "run", date, Machine::ThisOne());
  WriteIdentity(json, result);
  WriteEnding(json, result);
  json.EndObject();
  return json.text();
}

std::string Text(const RunResult& result, const std::string& date) {
  const Config& config = result.config;
  TextTable head({{result.workload}, {ToWords(result.parameters)}});
  head.AddRow({"under", absl::StrFormat("engine %s, scheduler %s, stack %s, preemption %s, %d processor%s, seed %u",
                                        config.engine, config.scheduler, config.stack, config.preemption, config.procs,
                                        config.procs == 1 ? "" : "s", config.seed)});
  head.AddRow({"on", Machine::ThisOne().ToString()});
  head.AddRow({"with", absl::StrCat("gyre ", kVersion, ", ", date)});
  head.AddRow({"again", ShellCommand(ArgumentsOf(result))});
  if (result.outcome == Outcome::kOk) head.AddRow({"answer", absl::StrCat(result.answer, ", which is right")});
  if (!result.trace.empty()) head.AddRow({"trace", result.trace});
  const double *time = result.Find("time_ns"), *operations = result.Find("operations");
  if (const double* each = result.Find("per_operation_ns"); each != nullptr) {
    head.AddRow(
        {"took", absl::StrCat(ShowFigure("time_ns", *time), " for ", ShortCount(*operations), " ", result.operation,
                              *operations == 1 ? ", " : "s, ", ShowFigure("per_operation_ns", *each), " each")});
  }
  TextTable figures({{"figure"}, {"value", Align::kRight}});
  for (const Figure& figure : result.figures) figures.AddRow({figure.name, ShowFigure(figure.name, figure.value)});
  return absl::StrCat(head.Text(""), result.figures.empty() ? "" : absl::StrCat("\n", figures.Text("")));
}

absl::StatusOr<int> Run(const Arguments& arguments) {
  const absl::StatusOr<std::vector<Selection>> selections = ParseSelections(arguments.words);
  if (!selections.ok()) return selections.status();
  if (selections->size() != 1) {
    std::vector<std::string> names;
    for (const Workload& workload : Workloads()) names.push_back(workload.name);
    return absl::InvalidArgumentError(
        absl::StrCat(selections->empty() ? "run needs a workload" : "run takes one workload; compare takes several",
                     "; there are: ", absl::StrJoin(names, ", ")));
  }
  const Workload& workload = *selections->front().workload;
  const absl::StatusOr<CheckedParameters> parameters = CheckParameters(workload, selections->front().written);
  if (!parameters.ok()) return parameters.status();
  const absl::StatusOr<Config> config = ConfigFromFlags();
  if (!config.ok()) return config.status();

  const absl::StatusOr<std::unique_ptr<DebugServer>> debug = DebugServer::StartFor(*config);
  if (!debug.ok()) return debug.status();

  const std::string date = DateNow(), file = absl::GetFlag(FLAGS_json);
  const Execution execution = Execute(workload, *parameters, *config);
  const RunResult& result = execution.result;
  int code = kExitOk;
  if (result.outcome != Outcome::kOk) {
    absl::FPrintF(stderr, "lab: %s\n", result.error);
    code = result.outcome == Outcome::kRefused || execution.usage_error ? kExitUsage : kExitFailed;
  }
  if (file != "-" && code != kExitUsage) absl::PrintF("%s", Text(result, date));
  absl::Status written;
  if (!file.empty()) written = WriteOutput(file, Json(result, date));
  if (!execution.stopped) {
    // A goroutine computes on: static destructors would run beneath it.
    if (!written.ok()) absl::FPrintF(stderr, "lab: %s\n", written.message());
    std::fflush(nullptr);
    _exit(written.ok() ? code : kExitUsage);
  }
  if (!written.ok()) return written;
  return code;
}

}  // namespace

Command RunCommand() {
  std::vector<FlagUse> flags = ConfigurationFlags();
  flags.push_back(kJsonFlag);
  return {
      .name = "run",
      .arguments = "WORKLOAD [PARAMETER=VALUE ...] [--scheduler=...] [--json[=FILE]]",
      .summary = "runs one workload under one configuration and shows its result and statistics",
      .description =
          "For example: run skynet leaves=100000 --scheduler=gmp:steal=one --stack=fixed --procs=2\n"
          "The subcommand list shows the workloads with their parameters, and the plug-ins with their options.\n"
          "Exit codes: 0; 1 if the workload failed, for instance with a wrong answer; 2 if the command line is "
          "wrong.\n",
      .flags = std::move(flags),
      .run = Run,
  };
}

}  // namespace gyre::lab
