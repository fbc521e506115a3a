#include "runtime/simulation/simulate.h"

#include <algorithm>
#include <stdexcept>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "runtime/core.h"
#include "runtime/go.h"
#include "runtime/panic.h"
#include "runtime/simulation/engine.h"
#include "runtime/simulation/run_simulation.h"

namespace gyre {

namespace internal::simulation {

SimulationResult RunSimulation(const Config& given, ExplorationStrategy* strategy,
                               absl::FunctionRef<void(SimulationEngine&)> before,
                               absl::FunctionRef<void(const SimulationEngine&)> after, absl::FunctionRef<void()> body) {
  constexpr int kDefaultProcs = 4;
  if (This().m != nullptr) Panic("gyre::Simulate: called from a goroutine");
  Config config = given;
  if (config.engine == "threads") config.engine = "simulation";
  if (config.procs == 0) config.procs = kDefaultProcs;
  absl::StatusOr<std::unique_ptr<SimulationEngine>> made = MakeSimulationEngine(config, strategy);
  if (!made.ok()) throw std::invalid_argument(std::string(made.status().message()));
  SimulationEngine& engine = **made;
  engine.CatchFailures();
  absl::StatusOr<std::shared_ptr<Core>> core = Core::Create(config, *std::move(made));
  if (!core.ok()) throw std::invalid_argument(std::string(core.status().message()));

  before(engine);
  SimulationResult result;
  (*core)->RunMain([&] {
    body();
    result.goroutines_left = NumGoroutine() - 1;
  });
  result.failure = engine.failure();
  result.elapsed = absl::Nanoseconds(engine.Now());
  result.stats = (*core)->Stats();
  result.trace_hash = result.stats.trace_hash;
  after(engine);
  return result;
}

}  // namespace internal::simulation

SimulationResult Simulate(const SimulateOptions& options, absl::FunctionRef<void()> body) {
  return internal::simulation::RunSimulation(
      options.config, nullptr, [](auto&) {}, [](const auto&) {}, body);
}

std::string CheckRepeatable(const SimulateOptions& options, absl::FunctionRef<void()> body) {
  std::vector<internal::simulation::SimulationEngine::TracePoint> traces[2];
  std::string failures[2];
  for (int run = 0; run < 2; ++run) {
    failures[run] =
        internal::simulation::RunSimulation(
            options.config, nullptr, [&](auto& engine) { engine.KeepTrace(&traces[run]); }, [](const auto&) {}, body)
            .failure;
  }
  const size_t common = std::min(traces[0].size(), traces[1].size());
  size_t same = 0;
  while (same < common && traces[0][same].hash == traces[1][same].hash) ++same;
  if (same < common) {
    return absl::StrCat("the runs differ from event ", same, " on, at ",
                        absl::FormatDuration(absl::Nanoseconds(traces[0][same].now)),
                        " of virtual time in the first and ",
                        absl::FormatDuration(absl::Nanoseconds(traces[1][same].now)), " in the second");
  }
  if (traces[0].size() != traces[1].size()) {
    return absl::StrCat("the first run has ", traces[0].size(), " events, the second ", traces[1].size(),
                        ", which are the same as far as they go");
  }
  if (failures[0].empty() != failures[1].empty())
    return "one run fails, the other does not, though their events are the same";
  return "";
}

void Wait() {
  internal::Machine* m = internal::This().m;
  if (m == nullptr || !m->core->is_virtual()) Panic("gyre::Wait: the calling goroutine is in no simulation");
  static_cast<internal::simulation::SimulationEngine&>(m->core->engine()).WaitForOthers();
}

}  // namespace gyre
