// What `priority` and `edf` have in common: all tasks in one queue by rank, equals in the order in which they became
// runnable, and the running task of the lowest rank preempted for one of a higher.
//
// `Ranking` says, and a smaller number is the higher rank:
//   static int64_t Queued(const Task& t, EnqueueReason why)   by which `t` is queued
//   static int64_t Running(const Task& t)                     by which it may be preempted
//
// With preempt=on, a task that becomes runnable ends the slice of the running one of the lowest rank, if that is lower
// than its own and no processor is idle. The order is strict but for one thing: a preempted task that has been passed
// over for `rescue` picks gets a short slice (rescue_queue.h says why).
#ifndef GYRE_SCHEDULERS_RANKED_POLICY_H_
#define GYRE_SCHEDULERS_RANKED_POLICY_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "plugins/scheduler.h"
#include "schedulers/rescue_queue.h"
#include "schedulers/running_set.h"
#include "schedulers/spin_lock.h"
#include "schedulers/task_heap.h"

namespace gyre::schedulers {

template <typename Ranking>
class RankedPolicy : public SchedulerPolicy {
 public:
  absl::Status Start(const Topology& topology, const PluginOptions& options) final {
    preempt_ = options.Bool("preempt");
    SpinLockHolder hold(lock_);
    rescue_.Reset(options.Int("rescue"));
    running_.Reset(topology.procs);
    return absl::OkStatus();
  }

  absl::Status Resize(const Topology& topology) final {
    SpinLockHolder hold(lock_);
    running_.Reset(topology.procs);
    return absl::OkStatus();
  }

  // AttributesChanged is among them.
  PolicyTraits traits() const final { return {.wants_task_hooks = true}; }

  WakeHint Enqueue(ProcContext&, Task* t, EnqueueReason why) final {
    const int64_t rank = Ranking::Queued(*t, why);
    SpinLockHolder hold(lock_);
    State& state = t->Policy<State>();
    state.rank = rank;
    state.sequence = next_sequence_++;
    queue_.Push(t);
    size_.store(queue_.size(), std::memory_order_relaxed);
    if (why == EnqueueReason::kPreempted) rescue_.Push(t);
    // What yields or is preempted makes room for the first in the queue: no more to do for others than before.
    if (why == EnqueueReason::kYielded) return {WakeHint::kNone};
    if (!preempt_ || why == EnqueueReason::kPreempted) return {WakeHint::kAnyIdle};
    return running_.HintFor(rank, std::greater<int64_t>());
  }

  Dispatch PickNext(ProcContext& p, PickMode mode) final {
    // A search need not disturb the lock of an empty queue; the look before sleep must (running_set.h).
    if (mode == PickMode::kSearch && size_.load(std::memory_order_relaxed) == 0) return {};
    SpinLockHolder hold(lock_);
    Task* t = rescue_.Overdue();
    const bool rescued = t != nullptr && t != queue_.top();
    if (t != nullptr) {
      queue_.Remove(t);
    } else {
      t = queue_.Pop();
    }
    if (t == nullptr) {
      running_.Idle(p.id);
      return {};
    }
    size_.store(queue_.size(), std::memory_order_relaxed);
    rescue_.Picked(t);
    running_.Runs(p.id, Ranking::Running(*t));
    return {t, rescued ? rescue_.kSlice : 0};
  }

  void AttributesChanged(ProcContext& p, Task& t) final {
    SpinLockHolder hold(lock_);
    if (p.id >= 0) running_.Runs(p.id, Ranking::Running(t));
  }

  void DumpState(StateWriter& out) const final {
    out.Number("queue", static_cast<int64_t>(size_.load(std::memory_order_relaxed)));
  }

 private:
  struct State {
    int64_t rank;
    uint64_t sequence;
    Task* child;
    RescueLinks rescue;
  };
  struct Order {
    static bool Before(Task& a, Task& b) {
      const State& x = a.Policy<State>();
      const State& y = b.Policy<State>();
      return x.rank != y.rank ? x.rank < y.rank : x.sequence < y.sequence;
    }
    static Task*& Child(Task& t) { return t.Policy<State>().child; }
  };

  bool preempt_ = true;
  std::atomic<size_t> size_{0};  // of the queue, for those who do not hold the lock
  SpinLock lock_;
  TaskHeap<Order> queue_ ABSL_GUARDED_BY(lock_);
  RescueQueue<State> rescue_ ABSL_GUARDED_BY(lock_);
  uint64_t next_sequence_ ABSL_GUARDED_BY(lock_) = 0;
  RunningSet<int64_t> running_ ABSL_GUARDED_BY(lock_);
};

}  // namespace gyre::schedulers

#endif  // GYRE_SCHEDULERS_RANKED_POLICY_H_
