#include "runtime/simulation/costs.h"

namespace gyre::internal::simulation {

namespace {

constexpr Nanos kMost = 1'000'000'000;

OptionSpec Cost(const char* name, const char* value, const char* help) {
  return DurationOption(name, value, 0, kMost, help);
}

}  // namespace

std::vector<OptionSpec> CostOptions() {
  return {
      Cost("switch", "20ns", "a switch from one goroutine to the next"),
      Cost("steal", "100ns", "a search that found work on another processor"),
      Cost("notify", "1us", "waking a sleeping processor, for the waker"),
      Cost("wake", "5us", "from the wake-up of a sleeping processor until it runs"),
      Cost("call", "20ns", "a runtime call: a channel operation, waiting for a lock, gyre::Checkpoint"),
      Cost("preempt", "1us", "ending a slice"),
      Cost("syscall", "200ns", "a call of gyre::Blocking"),
      Cost("relax", "1us", "one look around of a processor that searches for work"),
      Cost("monitor", "20us", "until an idle processor takes the overdue timers of one that computes"),
  };
}

Costs CostsFrom(const PluginOptions& options) {
  return {
      .switching = options.Duration("switch"),
      .steal = options.Duration("steal"),
      .notify = options.Duration("notify"),
      .wake = options.Duration("wake"),
      .call = options.Duration("call"),
      .preempt = options.Duration("preempt"),
      .syscall = options.Duration("syscall"),
      .relax = options.Duration("relax"),
      .monitor = options.Duration("monitor"),
  };
}

}  // namespace gyre::internal::simulation
