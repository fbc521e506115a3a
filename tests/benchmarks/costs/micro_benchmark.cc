// Google Benchmark over the hot operations, on one and on two processors:
//
//   bazel run --config=release //tests/benchmarks:micro_benchmark [-- --benchmark_filter=yield]
//
// The plug-ins are those of the environment variable GYRE, or the defaults. Counters: allocations per operation, and
// what the runtime and the policy count: switches, wake-ups of sleeping processors, steals.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <cstdio>
#include <string>

#include "gyre.h"
#include "tests/benchmarks/costs/allocations.h"
#include "tests/benchmarks/costs/operations.h"

namespace gyre::costs {

namespace {

// Google Benchmark's thread waits while the goroutines work.
void Measure(benchmark::State& state, const Operation& operation, const Config& config) {
  constexpr int kOperations = 10 * kBatch;
  Runtime runtime(config);
  runtime.Run([&] {
    operation.run(kOperations);  // caches fill, the stack pool too
    const uint64_t allocations = Allocations();
    const RuntimeStats before = runtime.Stats();
    while (state.KeepRunningBatch(kOperations)) operation.run(kOperations);
    const RuntimeStats after = runtime.Stats();
    const auto per_operation = [&](uint64_t from, uint64_t to) {
      return benchmark::Counter(static_cast<double>(to - from), benchmark::Counter::kAvgIterations);
    };
    if (CountsAllocations()) state.counters["allocs"] = per_operation(allocations, Allocations());
    state.counters["switches"] = per_operation(before.switches, after.switches);
    state.counters["wakeups"] = per_operation(before.wakeups, after.wakeups);
    state.counters["steals"] = per_operation(before.policy.steals, after.policy.steals);
  });
}

int Main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  const absl::StatusOr<Config> chosen = Config::FromEnvironment();
  if (!chosen.ok()) {
    std::fprintf(stderr, "%s\n", std::string(chosen.status().message()).c_str());
    return 2;
  }
  benchmark::AddCustomContext("gyre", chosen->ToString());
  for (const Operation& operation : Operations()) {
    for (const int procs : {1, 2}) {
      Config config = *chosen;
      config.procs = procs;
      benchmark::RegisterBenchmark((std::string(operation.name) + "/procs:" + std::to_string(procs)).c_str(),
                                   [&operation, config](benchmark::State& state) { Measure(state, operation, config); })
          ->UseRealTime();
    }
  }
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}

}  // namespace
}  // namespace gyre::costs

int main(int argc, char** argv) {
  return gyre::costs::Main(argc, argv);
}
