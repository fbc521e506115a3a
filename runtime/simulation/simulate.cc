#include "runtime/simulation/simulate.h"

#include <utility>

#include "runtime/core.h"
#include "runtime/go.h"
#include "runtime/panic.h"
#include "runtime/simulation/engine.h"
#include "runtime/simulation/run_simulation.h"

namespace gyre {

namespace internal::simulation {

SimulationResult RunSimulation(const Config& given, ExplorationStrategy* strategy,
                               absl::FunctionRef<void(const SimulationEngine&)> look, absl::FunctionRef<void()> body) {
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

  SimulationResult result;
  (*core)->RunMain([&] {
    body();
    result.goroutines_left = NumGoroutine() - 1;
  });
  result.failure = engine.failure();
  result.elapsed = absl::Nanoseconds(engine.Now());
  result.stats = (*core)->Stats();
  result.trace_hash = result.stats.trace_hash;
  look(engine);
  return result;
}

}  // namespace internal::simulation

SimulationResult Simulate(const SimulateOptions& options, absl::FunctionRef<void()> body) {
  return internal::simulation::RunSimulation(
      options.config, nullptr, [](const auto&) {}, body);
}

void Wait() {
  internal::Machine* m = internal::This().m;
  if (m == nullptr || !m->core->is_virtual()) Panic("gyre::Wait: the calling goroutine is in no simulation");
  static_cast<internal::simulation::SimulationEngine&>(m->core->engine()).WaitForOthers();
}

}  // namespace gyre
