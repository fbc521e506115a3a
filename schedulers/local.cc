// A first-in first-out queue for each processor, and no stealing: every goroutine stays where it is.
//
// The opposite end from `global`: nothing is shared, and nothing balances the load. A processor sleeps while another
// has work, by design.
//   kNew                   the queue of the processor that made it, or with spawn=spread each processor's in turn
//   kUnblocked, kInjected  the queue of the processor that ran it last; one that never ran, each processor's in turn
//   kYielded, kPreempted   the end of its processor's queue
#include <atomic>
#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "plugins/registry.h"
#include "plugins/scheduler.h"
#include "schedulers/shared_queue.h"

namespace gyre {
namespace {

class LocalPolicy final : public SchedulerPolicy {
 public:
  absl::Status Start(const Topology& topology, const PluginOptions& options) override {
    spread_ = options.Choice("spawn") == "spread";
    MakeProcs(topology.procs);
    return absl::OkStatus();
  }

  WakeHint Enqueue(ProcContext& from, Task* t, EnqueueReason why) override {
    const ProcId target = Target(from, *t, why);
    procs_[target].queue.Push(t);
    // A processor that enqueues for itself is awake, and looks into its queue before it sleeps.
    if (target == from.id) return {WakeHint::kNone};
    return {WakeHint::kProc, target};
  }

  Dispatch PickNext(ProcContext& p, PickMode) override { return {procs_[p.id].queue.Pop()}; }

  // The tasks of a processor that goes are dealt out to the others.
  absl::Status Resize(const Topology& topology) override {
    TaskList all;
    for (ProcId id = 0; id < proc_count_; ++id) {
      while (Task* t = procs_[id].queue.Pop()) all.PushBack(t);
    }
    MakeProcs(topology.procs);
    while (Task* t = all.PopFront()) {
      const bool has_home = t->last_proc >= 0 && t->last_proc < proc_count_;
      procs_[has_home ? t->last_proc : NextInTurn()].queue.Push(t);
    }
    return absl::OkStatus();
  }

  void DumpState(StateWriter& out) const override {
    for (ProcId id = 0; id < proc_count_; ++id) {
      out.ProcNumber(id, "queue", static_cast<int64_t>(procs_[id].queue.size()));
    }
  }

 private:
  struct alignas(128) Proc {
    schedulers::SharedQueue queue;  // shared, for others wake tasks that live here
  };

  void MakeProcs(int procs) {
    proc_count_ = procs;
    procs_ = std::make_unique<Proc[]>(static_cast<size_t>(procs));
  }

  // Relaxed: any turn will do.
  ProcId NextInTurn() {
    return static_cast<ProcId>(turn_.fetch_add(1, std::memory_order_relaxed) % static_cast<uint32_t>(proc_count_));
  }

  ProcId Target(const ProcContext& from, const Task& t, EnqueueReason why) {
    switch (why) {
      case EnqueueReason::kNew:
        return spread_ || from.id < 0 ? NextInTurn() : from.id;
      case EnqueueReason::kYielded:
      case EnqueueReason::kPreempted:
        return from.id;
      case EnqueueReason::kUnblocked:
      case EnqueueReason::kInjected:
        break;
    }
    return t.last_proc >= 0 && t.last_proc < proc_count_ ? t.last_proc : NextInTurn();
  }

  std::unique_ptr<Proc[]> procs_;
  ProcId proc_count_ = 0;
  bool spread_ = false;
  alignas(128) std::atomic<uint32_t> turn_{0};
};

}  // namespace
}  // namespace gyre

GYRE_REGISTER_SCHEDULER("local", gyre::LocalPolicy, "a FIFO queue per processor, no stealing",
                        gyre::ChoiceOption("spawn", {"local", "spread"}, "local",
                                           "where a new goroutine starts: with its maker, or each processor in turn"));
