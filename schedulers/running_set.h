// What each processor runs, as a policy that preempts needs to know it: to find the processor whose task matters least.
//
// Not synchronised: the policy's lock guards it together with the queue, and every pick that finds nothing must report
// Idle under that lock. Then a processor that is about to sleep counts as idle for whoever enqueues next, who asks for
// a wake-up; a preemption would not wake it.
#ifndef GYRE_SCHEDULERS_RUNNING_SET_H_
#define GYRE_SCHEDULERS_RUNNING_SET_H_

#include <cstddef>
#include <optional>
#include <vector>

#include "plugins/scheduler.h"

namespace gyre::schedulers {

// `Rank` describes a running task.
template <typename Rank>
class RunningSet {
 public:
  void Reset(int procs) {
    running_.assign(static_cast<size_t>(procs), std::nullopt);
    idle_ = procs;
  }

  void Runs(ProcId id, Rank rank) {
    if (!running_[id].has_value()) --idle_;
    running_[id] = rank;
  }

  void Idle(ProcId id) {
    if (running_[id].has_value()) ++idle_;
    running_[id].reset();
  }

  // What to do for a task of `rank` that was just queued: wake somebody if anybody is idle; else preempt the processor
  // that matters least, if it matters less than `rank`. That one then counts as running `rank`, so that two tasks that
  // come together preempt two processors. `less(a, b)`: a matters less than b.
  template <typename Less>
  WakeHint HintFor(Rank rank, Less less) {
    if (idle_ != 0) return {WakeHint::kAnyIdle};
    ProcId least = 0;
    for (ProcId id = 1; id < static_cast<ProcId>(running_.size()); ++id) {
      if (less(*running_[id], *running_[least])) least = id;
    }
    if (!less(*running_[least], rank)) return {WakeHint::kAnyIdle};
    running_[least] = rank;
    return {WakeHint::kPreempt, least};
  }

 private:
  std::vector<std::optional<Rank>> running_;
  int idle_ = 0;
};

}  // namespace gyre::schedulers

#endif  // GYRE_SCHEDULERS_RUNNING_SET_H_
