// What came of one run of a workload: which run it was, how it ended, and its figures. This is all that the lab's parts
// share about a result; json, csv and tables are made from it elsewhere.
//
// A figure is a number with a name whose ending is its unit: time_ns, peak_memory_bytes, throughput_per_s, switches (a
// count). A workload or a subcommand may add figures of its own; nothing else has to know them.
#ifndef GYRE_LAB_RESULT_H_
#define GYRE_LAB_RESULT_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lab/json.h"
#include "lab/machine.h"
#include "plugins/config.h"

namespace gyre::lab {

struct Figure {
  std::string name;
  double value = 0;
};

// Names and values as a user would write them.
using Parameters = std::vector<std::pair<std::string, std::string>>;

enum class Outcome {
  kOk,
  kFailed,   // a wrong answer, a panic, a crash, a time-out
  kRefused,  // the plug-ins cannot work together, or not here: nothing ran
};

struct RunResult {
  std::string workload;
  Parameters parameters;  // all of them, defaults too
  Config config;          // with the number of processors and the seed that it really had
  Outcome outcome = Outcome::kOk;
  std::string error;      // a sentence, unless kOk
  std::string answer;     // the workload's
  std::string operation;  // what the figure `operations` counts: "round trip"
  std::string trace;      // in the simulator: equal for runs that were the same, event for event
  std::vector<Figure> figures;

  // Null if there is no such figure.
  const double* Find(absl::string_view name) const;
};

// "leaves=1000 children=10"
std::string ToWords(const Parameters& parameters);

// The lab's own arguments that do this run again: "run", "skynet", "leaves=1000", "--scheduler=gmp", ...
std::vector<std::string> ArgumentsOf(const RunResult& result);

// A line for a shell, quoted where that is needed, which runs the lab with these arguments.
std::string ShellCommand(const std::vector<std::string>& arguments);

// ---- JSON ----

// The members that begin each of the lab's documents: what wrote it, when, on which machine. Into an object that was
// begun.
void WriteProvenance(JsonWriter& json, absl::string_view subcommand, absl::string_view date, const Machine& machine);

// "workload", "parameters", "configuration": which runs these are, without the seed. Into an object that was begun.
void WriteIdentity(JsonWriter& json, const RunResult& result);

// "command", "seed", "outcome", "error", "answer", "operation", "figures": the rest. Into an object that was begun.
void WriteEnding(JsonWriter& json, const RunResult& result);

// Reads what WriteIdentity and WriteEnding wrote.
absl::StatusOr<RunResult> ReadResult(const JsonValue& object);

}  // namespace gyre::lab

#endif  // GYRE_LAB_RESULT_H_
