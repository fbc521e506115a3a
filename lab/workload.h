// Workloads: programs over gyre's public API that the lab runs under one configuration after another.
//
// A workload is one file in lab/workloads/, with typed parameters (plugins/options.h), which registers itself:
//
//   absl::StatusOr<Report> Run(WorkloadContext& context) {
//     const int64_t n = context.parameters.Int("n");
//     context.meter.Start();
//     ...                                   // as the main goroutine of a runtime
//     context.meter.Stop();
//     return Report{.answer = ..., .expected = ..., .operations = n, .operation = "hop"};
//   }
//   const bool registered = RegisterWorkload({.name = "ring", .help = "...", .parameters = {...}, .run = Run});
//
// Every workload checks its own answer: `expected` comes from a formula, or from the same computation done sequentially
// outside the measured part. A user may insist on another one: each workload has the parameter `expect`.
#ifndef GYRE_LAB_WORKLOAD_H_
#define GYRE_LAB_WORKLOAD_H_

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lab/meter.h"
#include "lab/result.h"
#include "plugins/options.h"
#include "runtime/runtime.h"

namespace gyre::lab {

struct WorkloadContext {
  Runtime& runtime;  // that it runs in, for threads of its own
  const PluginOptions& parameters;
  uint64_t seed;  // for every random choice
  Meter& meter;
};

struct Report {
  std::string answer;
  std::string expected;
  int64_t operations = 0;       // that the measured part did
  std::string operation;        // what one is called: "round trip"; its plural has an s
  std::vector<Figure> figures;  // besides those of every workload
};

// A column that a workload adds to the tables.
struct WorkloadColumn {
  std::string heading;  // all times of a workload are shown in one unit, which its caption names
  std::string figure;
};

struct Workload {
  std::string name;
  std::string help;  // one sentence
  std::vector<OptionSpec> parameters;
  Parameters compare;  // the size that suits a comparison, where it is not the default
  std::vector<WorkloadColumn> columns;
  // Whether the parameters make sense together. May be empty.
  std::function<absl::Status(const PluginOptions&)> check;
  // An InvalidArgument error is the user's; any other is a failure of the run.
  std::function<absl::StatusOr<Report>(WorkloadContext&)> run;
  bool simulates = true;  // else it needs the kernel, and is left out of the simulator unless it was asked for by name
};

// Returns true. A name that is taken aborts the program. Call from static initialisers only.
bool RegisterWorkload(Workload workload);

// Sorted by name.
const std::vector<Workload>& Workloads();

// An unknown name is an error that lists the known ones.
absl::StatusOr<const Workload*> FindWorkload(absl::string_view name);

// A workload's parameters with what a user wrote.
struct CheckedParameters {
  PluginOptions values;
  Parameters all;  // defaults too; `expect` only if it was given
};
absl::StatusOr<CheckedParameters> CheckParameters(const Workload& workload, const Parameters& written);

// Every parameter, with `expect`, for help texts.
std::vector<OptionSpec> AllParameters(const Workload& workload);

}  // namespace gyre::lab

#endif  // GYRE_LAB_WORKLOAD_H_
