// Centralised first come, first served, with a quantum: the single queue of Shinjuku (Kaffes and others, NSDI 2019).
//
// Every task goes to the end of one queue, a preempted one as well, and each dispatch gets `quantum`: a long request
// cannot keep short ones waiting for longer than that on each processor. With quantum=0s the runtime's own slice holds.
#include "absl/status/status.h"
#include "plugins/registry.h"
#include "plugins/scheduler.h"
#include "schedulers/shared_queue.h"

namespace gyre {
namespace {

class CfcfsPolicy final : public SchedulerPolicy {
 public:
  absl::Status Start(const Topology&, const PluginOptions& options) override {
    quantum_ = options.Duration("quantum");
    return absl::OkStatus();
  }
  absl::Status Resize(const Topology&) override { return absl::OkStatus(); }

  WakeHint Enqueue(ProcContext&, Task* t, EnqueueReason why) override {
    queue_.Push(t);
    // A yield leaves as much for others to do as there was, and whoever enqueued that has announced it.
    return {why == EnqueueReason::kYielded ? WakeHint::kNone : WakeHint::kAnyIdle};
  }

  Dispatch PickNext(ProcContext&, PickMode) override {
    Task* t = queue_.Pop();
    return {t, t == nullptr ? 0 : quantum_};
  }

  void DumpState(StateWriter& out) const override { out.Number("queue", static_cast<int64_t>(queue_.size())); }

 private:
  Nanos quantum_ = 0;
  alignas(128) schedulers::SharedQueue queue_;
};

}  // namespace
}  // namespace gyre

GYRE_REGISTER_SCHEDULER("cfcfs", gyre::CfcfsPolicy, "centralised first come first served with a quantum (Shinjuku)",
                        gyre::DurationOption("quantum", "100us", 0, 10'000'000'000,
                                             "the slice of each dispatch; 0s: the runtime's"));
