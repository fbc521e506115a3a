// Fair shares: the goroutine with the least virtual runtime runs next, where virtual runtime is the time that it ran
// divided by its weight. Linux's completely fair scheduler (Molnar, 2007), with one queue for all processors.
//
// Where a goroutine's virtual runtime stands when it is enqueued
//   a new one     where its maker is by now, but not below the floor, the least that is about: it owes nothing and is
//                 owed nothing, and a line of goroutines that each make the next ages like one that goes on
//   a woken one   where it was, but at most `credit` below the floor: waiting does not save up a share for later
//   a yielder     at least where the first in the queue is, and behind it
//   a preempted   where it was
// A dispatch gets a slice of its weight's share of `latency`, at least `granularity`: with few goroutines, each runs
// once every `latency`. With preempt=on, a goroutine that becomes runnable ends the slice of the running one that is
// furthest ahead, if that is ahead by more than `granularity` and no processor is idle.
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "plugins/registry.h"
#include "plugins/scheduler.h"
#include "schedulers/rescue_queue.h"
#include "schedulers/running_set.h"
#include "schedulers/spin_lock.h"
#include "schedulers/task_heap.h"

namespace gyre {
namespace {

using schedulers::SpinLockHolder;

class FairPolicy final : public SchedulerPolicy {
 public:
  absl::Status Start(const Topology& topology, const PluginOptions& options) override {
    latency_ = options.Duration("latency");
    granularity_ = options.Duration("granularity");
    credit_ = options.Duration("credit");
    preempt_ = options.Bool("preempt");
    if (granularity_ > latency_) {
      return absl::InvalidArgumentError("scheduler \"fair\": granularity must not be longer than latency");
    }
    {
      SpinLockHolder hold(lock_);
      rescue_.Reset(options.Int("rescue"));
    }
    return Resize(topology);
  }

  absl::Status Resize(const Topology& topology) override {
    SpinLockHolder hold(lock_);
    procs_ = topology.procs;
    running_.Reset(topology.procs);
    turns_.assign(static_cast<size_t>(topology.procs), Turn());
    return absl::OkStatus();
  }

  PolicyTraits traits() const override { return {.wants_times = true}; }

  WakeHint Enqueue(ProcContext& from, Task* t, EnqueueReason why) override {
    SpinLockHolder hold(lock_);
    State& state = t->Policy<State>();
    state.virtual_time += (t->ran_for - state.counted) * Task::kDefaultWeight / t->weight;
    state.counted = t->ran_for;
    if (!state.placed) {
      state.placed = true;
      state.virtual_time += why == EnqueueReason::kNew ? std::max(floor_, MakersTime(from)) : floor_;
    } else if (why == EnqueueReason::kUnblocked || why == EnqueueReason::kInjected) {
      state.virtual_time = std::max(state.virtual_time, floor_ - credit_);
    } else if (why == EnqueueReason::kYielded && !queue_.empty()) {
      state.virtual_time = std::max(state.virtual_time, queue_.top()->Policy<State>().virtual_time);
    }
    state.weight = t->weight;
    state.sequence = next_sequence_++;
    queue_.Push(t);
    queued_weight_ += state.weight;
    size_.store(queue_.size(), std::memory_order_relaxed);
    if (why == EnqueueReason::kPreempted) rescue_.Push(t);
    // What yields or is preempted makes room for the first in the queue: no more to do for others than before.
    if (why == EnqueueReason::kYielded) return {WakeHint::kNone};
    if (!preempt_ || why == EnqueueReason::kPreempted) return {WakeHint::kAnyIdle};
    return running_.HintFor(state.virtual_time + granularity_, std::greater<Nanos>());  // ahead matters less
  }

  Dispatch PickNext(ProcContext& p, PickMode mode) override {
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
      turns_[p.id] = Turn();
      return {};
    }
    size_.store(queue_.size(), std::memory_order_relaxed);
    rescue_.Picked(t);
    const State& state = t->Policy<State>();
    // All processors together serve this one, the queue and, as a guess of their weights, the others that run.
    const int64_t competing = queued_weight_ + static_cast<int64_t>(state.weight) * (procs_ - 1);
    queued_weight_ -= state.weight;
    running_.Runs(p.id, state.virtual_time);
    turns_[p.id] = {state.virtual_time, p.now, state.weight};
    if (rescued) return {t, rescue_.kSlice};
    floor_ = std::max(floor_, state.virtual_time);
    const double share = static_cast<double>(state.weight) * procs_ / static_cast<double>(competing);
    const auto slice = static_cast<Nanos>(static_cast<double>(latency_) * std::min(share, 1.0));
    return {t, std::max(slice, granularity_)};
  }

  void DumpState(StateWriter& out) const override {
    out.Number("queue", static_cast<int64_t>(size_.load(std::memory_order_relaxed)));
  }

 private:
  // The virtual runtime of what runs on `from` now.
  Nanos MakersTime(const ProcContext& from) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_) {
    if (from.id == kNoProc || turns_[from.id].weight == 0) return 0;
    const Turn& turn = turns_[from.id];
    return turn.virtual_time + (from.now - turn.since) * Task::kDefaultWeight / turn.weight;
  }

  // Zero bytes: not placed yet.
  struct State {
    Nanos virtual_time;
    Nanos counted;  // the part of ran_for that is in virtual_time
    uint64_t sequence;
    Task* child;      // the heap's
    uint32_t weight;  // as it was when the task was enqueued
    bool placed;
    schedulers::RescueLinks rescue;
  };
  // What a processor runs: its virtual runtime when it was picked, and when that was.
  struct Turn {
    Nanos virtual_time = 0;
    Nanos since = 0;
    uint32_t weight = 0;  // 0: nothing
  };
  struct Order {
    static bool Before(Task& a, Task& b) {
      const State& x = a.Policy<State>();
      const State& y = b.Policy<State>();
      return x.virtual_time != y.virtual_time ? x.virtual_time < y.virtual_time : x.sequence < y.sequence;
    }
    static Task*& Child(Task& t) { return t.Policy<State>().child; }
  };

  Nanos latency_ = 0;
  Nanos granularity_ = 0;
  Nanos credit_ = 0;
  bool preempt_ = true;
  std::atomic<size_t> size_{0};  // of the queue, for those who do not hold the lock
  schedulers::SpinLock lock_;
  int procs_ ABSL_GUARDED_BY(lock_) = 1;
  schedulers::TaskHeap<Order> queue_ ABSL_GUARDED_BY(lock_);
  schedulers::RescueQueue<State> rescue_ ABSL_GUARDED_BY(lock_);
  int64_t queued_weight_ ABSL_GUARDED_BY(lock_) = 0;
  uint64_t next_sequence_ ABSL_GUARDED_BY(lock_) = 0;
  Nanos floor_ ABSL_GUARDED_BY(lock_) = 0;  // the most that any picked task's virtual runtime was; it never falls
  // What each had when it was picked: what it has run since is not known, so a preemption may come late, never early.
  schedulers::RunningSet<Nanos> running_ ABSL_GUARDED_BY(lock_);
  std::vector<Turn> turns_ ABSL_GUARDED_BY(lock_);
};

}  // namespace
}  // namespace gyre

GYRE_REGISTER_SCHEDULER("fair", gyre::FairPolicy, "fair shares by weight: least virtual runtime first",
                        gyre::DurationOption("latency", "6ms", 1'000, 10'000'000'000,
                                             "within which everybody runs once, if they are few"),
                        gyre::DurationOption("granularity", "750us", 1'000, 10'000'000'000,
                                             "the shortest slice, and the lead that a preemption needs"),
                        gyre::DurationOption("credit", "3ms", 0, 10'000'000'000,
                                             "how far behind the others a goroutine may start that has waited"),
                        gyre::BoolOption("preempt", true,
                                         "a goroutine that becomes runnable preempts one that is ahead of it"),
                        gyre::IntOption("rescue", 16, 0, 1 << 20,
                                        "a preempted goroutine that was passed over for so many picks runs for a "
                                        "moment, as it may hold a lock; 0: never"));
