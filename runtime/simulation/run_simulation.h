// What Simulate and Explore share: one run of a body on a simulator of its own.
#ifndef GYRE_RUNTIME_SIMULATION_RUN_SIMULATION_H_
#define GYRE_RUNTIME_SIMULATION_RUN_SIMULATION_H_

#include "absl/functional/function_ref.h"
#include "plugins/config.h"
#include "runtime/simulation/engine.h"
#include "runtime/simulation/simulate.h"

namespace gyre::internal::simulation {

// `strategy`: null, or who chooses (on one processor). `before` and `after` are called with the engine, around the run.
SimulationResult RunSimulation(const Config& config, ExplorationStrategy* strategy,
                               absl::FunctionRef<void(SimulationEngine&)> before,
                               absl::FunctionRef<void(const SimulationEngine&)> after, absl::FunctionRef<void()> body);

}  // namespace gyre::internal::simulation

#endif  // GYRE_RUNTIME_SIMULATION_RUN_SIMULATION_H_
