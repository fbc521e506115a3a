// No preemption: a goroutine runs until it parks, yields or ends. For measuring what preemption buys.
#include "plugins/registry.h"

namespace gyre {
namespace {

class NoPreemption final : public PreemptionStrategy {
 public:
  absl::Status Start(PreemptionHost&, const PluginOptions&) override { return absl::OkStatus(); }
  void Request(ProcId, PreemptReason) override {}
  Nanos Quantum() const override { return kNever; }
  PreemptionTraits traits() const override { return {.preempts = false}; }
};

}  // namespace
}  // namespace gyre

GYRE_REGISTER_PREEMPTION("none", gyre::NoPreemption, "a goroutine keeps its processor until it parks, yields or ends");
