// What things cost in the simulator: the engine's options.
#ifndef GYRE_RUNTIME_SIMULATION_COSTS_H_
#define GYRE_RUNTIME_SIMULATION_COSTS_H_

#include <vector>

#include "plugins/options.h"

namespace gyre::internal::simulation {

// Virtual nanoseconds.
struct Costs {
  Nanos switching;  // from one goroutine to the next
  Nanos steal;      // a search that found work on another processor
  Nanos notify;     // waking a sleeping processor, for the waker
  Nanos wake;       // and until the sleeper runs
  Nanos call;       // of the runtime: a channel operation, a lock that is not free, gyre::Checkpoint
  Nanos preempt;    // ending a slice
  Nanos syscall;    // a call of gyre::Blocking
  Nanos relax;      // one look around of a processor that searches or waits for another
  Nanos monitor;    // until an idle processor takes the overdue timers of one that computes
};

std::vector<OptionSpec> CostOptions();
Costs CostsFrom(const PluginOptions& options);

}  // namespace gyre::internal::simulation

#endif  // GYRE_RUNTIME_SIMULATION_COSTS_H_
