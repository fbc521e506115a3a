#include "lab/execute.h"

#include <memory>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "lab/meter.h"
#include "runtime/go.h"

namespace gyre::lab {

namespace {

// The answer may be there while some goroutines have yet to end. They are given time to, for what they hold is lost if
// main ends first; but a workload that leaves some blocked for ever is none of our business.
void AwaitOthers() {
  constexpr int kRounds = 1000;
  for (int round = 0; round < kRounds && NumGoroutine() > 1; ++round) Sleep(absl::Milliseconds(1));
}

}  // namespace

uint64_t DrawSeed() {
  return std::random_device{}() % 1'000'000'000 + 1;
}

Execution Execute(const Workload& workload, const CheckedParameters& parameters, Config config) {
  Execution execution;
  RunResult& result = execution.result;
  if (config.seed == 0) config.seed = DrawSeed();
  result.workload = workload.name;
  result.parameters = parameters.all;
  result.config = config;

  absl::StatusOr<std::unique_ptr<Runtime>> runtime = Runtime::Create(config);
  if (!runtime.ok()) {
    result.outcome = Outcome::kRefused;
    result.error = std::string(runtime.status().message());
    return execution;
  }
  result.config.procs = (*runtime)->procs();

  Meter meter;
  absl::StatusOr<Report> report = absl::UnknownError("it ended without a report");
  execution.stopped = (*runtime)->Run([&] {
    WorkloadContext context{**runtime, parameters.values, config.seed, meter};
    report = workload.run(context);
    AwaitOthers();
  });
  if (const RuntimeStats stats = (*runtime)->Stats(); stats.events != 0) {
    result.trace = absl::StrFormat("%016x", stats.trace_hash);
  }
  if (!report.ok()) {
    result.outcome = Outcome::kFailed;
    result.error = absl::StrCat("workload ", workload.name, ": ", report.status().message());
    execution.usage_error = absl::IsInvalidArgument(report.status());
    return execution;
  }
  result.answer = report->answer;
  result.operation = report->operation;
  if (parameters.values.WasSet("expect")) report->expected = parameters.values.String("expect");
  if (report->answer != report->expected) {
    result.outcome = Outcome::kFailed;
    result.error = absl::StrCat("workload ", workload.name, ": wrong answer: it is \"", report->answer,
                                "\", and should be \"", report->expected, "\"");
  }
  result.figures = meter.Figures();
  result.figures.push_back({"operations", static_cast<double>(report->operations)});
  if (report->operations > 0) {
    result.figures.push_back(
        {"per_operation_ns", static_cast<double>(meter.elapsed()) / static_cast<double>(report->operations)});
  }
  for (Figure& figure : report->figures) result.figures.push_back(std::move(figure));
  return execution;
}

}  // namespace gyre::lab
