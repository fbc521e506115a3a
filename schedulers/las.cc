// Least attained service first, by a multi-level feedback queue (Kleinrock, 1976, who calls it foreground-background):
// who has run least runs first, without anybody having to know how long a goroutine will take.
//
// Level 0 is for those that have run for less than `quantum`; each further level's quantum is twice the one before, and
// the last level has no end. A dispatch gets what is left of its level's quantum, so a goroutine sinks when it ends;
// within a level it is round robin. One that yields goes to the end of its level; one that is preempted, to the end of
// the level that its service puts it in.
//
// service=life counts all that a goroutine ever ran, service=wake what it ran since it last waited for something, which
// suits goroutines that serve one request after another. Long ones starve while short ones keep coming: with boost > 0
// everybody's count starts again from 0 that often.
// The order is strict but for one thing: a preempted goroutine that has been passed over for `rescue` picks gets a
// short slice (rescue_queue.h says why). With preempt=on, a goroutine that becomes runnable ends the slice of the one
// on the lowest level, if that is lower than its own and no processor is idle.
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "plugins/registry.h"
#include "plugins/scheduler.h"
#include "plugins/task_list.h"
#include "schedulers/rescue_queue.h"
#include "schedulers/running_set.h"
#include "schedulers/spin_lock.h"

namespace gyre {
namespace {

using schedulers::SpinLockHolder;

class LasPolicy final : public SchedulerPolicy {
 public:
  absl::Status Start(const Topology& topology, const PluginOptions& options) override {
    quantum_ = options.Duration("quantum");
    boost_ = options.Duration("boost");
    per_wake_ = options.Choice("service") == "wake";
    preempt_ = options.Bool("preempt");
    SpinLockHolder hold(lock_);
    levels_.resize(static_cast<size_t>(options.Int("levels")));
    rescue_.Reset(options.Int("rescue"));
    running_.Reset(topology.procs);
    return absl::OkStatus();
  }

  absl::Status Resize(const Topology& topology) override {
    SpinLockHolder hold(lock_);
    running_.Reset(topology.procs);
    return absl::OkStatus();
  }

  PolicyTraits traits() const override { return {.wants_times = true}; }

  WakeHint Enqueue(ProcContext&, Task* t, EnqueueReason why) override {
    const bool woken = why == EnqueueReason::kUnblocked || why == EnqueueReason::kInjected;
    SpinLockHolder hold(lock_);
    State& state = t->Policy<State>();
    if (per_wake_ && woken) {
      state.base = t->ran_for;
      state.epoch = epoch_;
    }
    state.level = LevelOf(Attained(*t));
    levels_[state.level].PushBack(t);
    if (why == EnqueueReason::kPreempted) rescue_.Push(t);
    size_.store(size_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    // What yields or is preempted makes room for the first in the queue: no more to do for others than before.
    if (why == EnqueueReason::kYielded) return {WakeHint::kNone};
    if (!preempt_ || why == EnqueueReason::kPreempted) return {WakeHint::kAnyIdle};
    return running_.HintFor(state.level, std::greater<int>());  // deeper matters less
  }

  Dispatch PickNext(ProcContext& p, PickMode mode) override {
    // A search need not disturb the lock of an empty queue; the look before sleep must (running_set.h).
    if (mode == PickMode::kSearch && size_.load(std::memory_order_relaxed) == 0) return {};
    SpinLockHolder hold(lock_);
    if (boost_ != 0 && p.now - boosted_at_ >= boost_) Boost(p.now);
    Task* t = rescue_.Overdue();
    const bool rescued = t != nullptr;
    if (rescued) {
      levels_[t->Policy<State>().level].Remove(t);
    } else {
      for (size_t i = 0; i < levels_.size() && t == nullptr; ++i) t = levels_[i].PopFront();
    }
    if (t == nullptr) {
      running_.Idle(p.id);
      return {};
    }
    size_.store(size_.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed);
    rescue_.Picked(t);
    const Nanos attained = Attained(*t);
    const int level = LevelOf(attained);
    running_.Runs(p.id, level);
    return {t, rescued ? rescue_.kSlice : SliceAt(level, attained)};
  }

  void DumpState(StateWriter& out) const override {
    out.Number("queue", static_cast<int64_t>(size_.load(std::memory_order_relaxed)));
  }

 private:
  // Zero bytes: counted from the start of its life, if epoch_ never changed.
  struct State {
    Nanos base;      // ran_for when the count began
    uint64_t epoch;  // of the boosts; another than epoch_: the count begins again
    int level;       // on which it is queued
    schedulers::RescueLinks rescue;
  };

  Nanos Attained(Task& t) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_) {
    State& state = t.Policy<State>();
    if (state.epoch != epoch_) {
      state.base = t.ran_for;
      state.epoch = epoch_;
    }
    return t.ran_for - state.base;
  }

  // Where level `level` begins: the sum of the quanta before it.
  Nanos LevelStart(int level) const { return quantum_ * ((Nanos{1} << level) - 1); }

  int LevelOf(Nanos attained) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_) {
    int level = 0;
    while (level + 1 < static_cast<int>(levels_.size()) && attained >= LevelStart(level + 1)) ++level;
    return level;
  }

  Nanos SliceAt(int level, Nanos attained) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_) {
    if (level + 1 == static_cast<int>(levels_.size())) return quantum_ << level;
    // A remainder of nothing would preempt it before it has begun.
    return std::max(LevelStart(level + 1) - attained, quantum_ / 8);
  }

  void Boost(Nanos now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_) {
    boosted_at_ = now;
    ++epoch_;
    for (size_t i = 1; i < levels_.size(); ++i) {
      for (Task* t = levels_[i].front(); t != nullptr; t = t->next) t->Policy<State>().level = 0;
      levels_[0].Append(&levels_[i]);
    }
  }

  Nanos quantum_ = 0;
  Nanos boost_ = 0;
  bool per_wake_ = false;
  bool preempt_ = true;
  std::atomic<size_t> size_{0};  // of all levels; written under the lock
  schedulers::SpinLock lock_;
  std::vector<TaskList> levels_ ABSL_GUARDED_BY(lock_);
  uint64_t epoch_ ABSL_GUARDED_BY(lock_) = 0;
  schedulers::RescueQueue<State> rescue_ ABSL_GUARDED_BY(lock_);
  Nanos boosted_at_ ABSL_GUARDED_BY(lock_) = 0;
  schedulers::RunningSet<int> running_ ABSL_GUARDED_BY(lock_);
};

}  // namespace
}  // namespace gyre

GYRE_REGISTER_SCHEDULER("las", gyre::LasPolicy, "least attained service first: a multi-level feedback queue",
                        gyre::DurationOption("quantum", "500us", 1'000, 1'000'000'000,
                                             "the quantum of the first level; each further level's is twice as long"),
                        gyre::IntOption("levels", 8, 1, 20, "how many levels there are"),
                        gyre::ChoiceOption("service", {"life", "wake"}, "life",
                                           "count what a goroutine ran in its life, or since it last waited"),
                        gyre::DurationOption("boost", "0s", 0, 3'600'000'000'000,
                                             "how often all counts start again; 0s: never"),
                        gyre::BoolOption("preempt", true,
                                         "a goroutine that becomes runnable preempts one of a lower level"),
                        gyre::IntOption("rescue", 16, 0, 1 << 20,
                                        "a preempted goroutine that was passed over for so many picks runs for a "
                                        "moment, as it may hold a lock; 0: never"));
