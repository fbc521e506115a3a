// Strict priorities: the runnable goroutine of the highest priority runs first; equals run in the order in which they
// became runnable.
//
// A goroutine that yields or whose slice ended goes behind its equals, as POSIX's SCHED_RR has it, and before all of
// lower priority: one that spins on Yield and waits for a lower one waits for ever if there is no other processor.
// With preempt=on, a goroutine that becomes runnable ends the slice of the least urgent one that runs, if that one's
// priority is lower and no processor is idle.
#include <atomic>
#include <cstdint>
#include <functional>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "plugins/registry.h"
#include "plugins/scheduler.h"
#include "schedulers/running_set.h"
#include "schedulers/spin_lock.h"
#include "schedulers/task_heap.h"

namespace gyre {
namespace {

using schedulers::SpinLockHolder;

class PriorityPolicy final : public SchedulerPolicy {
 public:
  absl::Status Start(const Topology& topology, const PluginOptions& options) override {
    preempt_ = options.Bool("preempt");
    return Resize(topology);
  }

  absl::Status Resize(const Topology& topology) override {
    SpinLockHolder hold(lock_);
    running_.Reset(topology.procs);
    return absl::OkStatus();
  }

  // AttributesChanged is among them.
  PolicyTraits traits() const override { return {.wants_task_hooks = true}; }

  WakeHint Enqueue(ProcContext&, Task* t, EnqueueReason why) override {
    SpinLockHolder hold(lock_);
    t->Policy<State>() = {t->priority, next_sequence_++};
    queue_.Push(t);
    size_.store(queue_.size(), std::memory_order_relaxed);
    // What yields or is preempted makes room for the first in the queue: no more to do for others than before.
    if (why == EnqueueReason::kYielded) return {WakeHint::kNone};
    if (!preempt_ || why == EnqueueReason::kPreempted) return {WakeHint::kAnyIdle};
    return running_.HintFor(t->priority, std::less<int32_t>());
  }

  Dispatch PickNext(ProcContext& p, PickMode mode) override {
    // A search need not disturb the lock of an empty queue; the look before sleep must (running_set.h).
    if (mode == PickMode::kSearch && size_.load(std::memory_order_relaxed) == 0) return {};
    SpinLockHolder hold(lock_);
    Task* t = queue_.Pop();
    size_.store(queue_.size(), std::memory_order_relaxed);
    if (t == nullptr) {
      running_.Idle(p.id);
    } else {
      running_.Runs(p.id, t->priority);
    }
    return {t};
  }

  void AttributesChanged(ProcContext& p, Task& t) override {
    SpinLockHolder hold(lock_);
    if (p.id >= 0) running_.Runs(p.id, t.priority);
  }

  void DumpState(StateWriter& out) const override {
    out.Number("queue", static_cast<int64_t>(size_.load(std::memory_order_relaxed)));
  }

 private:
  struct State {
    int32_t priority;  // as it was when the task was enqueued
    uint64_t sequence;
  };
  struct Before {
    bool operator()(Task& a, Task& b) const {
      const State& x = a.Policy<State>();
      const State& y = b.Policy<State>();
      return x.priority != y.priority ? x.priority > y.priority : x.sequence < y.sequence;
    }
  };

  bool preempt_ = true;
  std::atomic<size_t> size_{0};  // of the queue, for those who do not hold the lock
  schedulers::SpinLock lock_;
  schedulers::TaskHeap<Before> queue_ ABSL_GUARDED_BY(lock_);
  uint64_t next_sequence_ ABSL_GUARDED_BY(lock_) = 0;
  schedulers::RunningSet<int32_t> running_ ABSL_GUARDED_BY(lock_);
};

}  // namespace
}  // namespace gyre

GYRE_REGISTER_SCHEDULER("priority", gyre::PriorityPolicy, "strict priorities, FIFO among equals",
                        gyre::BoolOption("preempt", true,
                                         "a goroutine that becomes runnable preempts one of lower priority"));
