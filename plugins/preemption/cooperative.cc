// Preemption at runtime calls: a goroutine whose slice is over gives way at its next channel operation, lock that it
// has to wait for, or gyre::Checkpoint(). Go's way before 1.14: cheap, safe, and powerless against a loop that calls
// nothing.
#include "plugins/registry.h"

namespace gyre {
namespace {

class CooperativePreemption final : public PreemptionStrategy {
 public:
  absl::Status Start(PreemptionHost& host, const PluginOptions& options) override {
    host_ = &host;
    quantum_ = options.Duration("quantum");
    return absl::OkStatus();
  }
  void Request(ProcId proc, PreemptReason) override { host_->RaiseFlag(proc); }
  Nanos Quantum() const override { return quantum_; }
  PreemptionTraits traits() const override { return {.finest_quantum = 50'000}; }

 private:
  PreemptionHost* host_ = nullptr;
  Nanos quantum_ = 0;
};

}  // namespace
}  // namespace gyre

GYRE_REGISTER_PREEMPTION("cooperative", gyre::CooperativePreemption, "at runtime calls and gyre::Checkpoint() only",
                         gyre::DurationOption("quantum", "10ms", 50'000, 10'000'000'000,
                                              "how long a goroutine may run while others wait"));
