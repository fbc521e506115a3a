// One first-in first-out queue for all processors, under a lock: the simplest policy, and the baseline of the others.
//
// Every task goes to the end, for whatever reason it is enqueued, so a yield lets all others run first.
#include "absl/status/status.h"
#include "plugins/registry.h"
#include "plugins/scheduler.h"
#include "schedulers/shared_queue.h"

namespace gyre {
namespace {

class GlobalPolicy final : public SchedulerPolicy {
 public:
  absl::Status Start(const Topology&, const PluginOptions&) override { return absl::OkStatus(); }
  absl::Status Resize(const Topology&) override { return absl::OkStatus(); }

  WakeHint Enqueue(ProcContext&, Task* t, EnqueueReason why) override {
    queue_.Push(t);
    // A yield leaves as much for others to do as there was, and whoever enqueued that has announced it.
    return {why == EnqueueReason::kYielded ? WakeHint::kNone : WakeHint::kAnyIdle};
  }

  Dispatch PickNext(ProcContext&, PickMode) override { return {queue_.Pop()}; }

  void DumpState(StateWriter& out) const override { out.Number("queue", static_cast<int64_t>(queue_.size())); }

 private:
  alignas(128) schedulers::SharedQueue queue_;
};

}  // namespace
}  // namespace gyre

GYRE_REGISTER_SCHEDULER("global", gyre::GlobalPolicy, "one FIFO queue under a lock");
