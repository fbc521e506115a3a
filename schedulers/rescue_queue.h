// How a policy that may pass a task over for ever still lets every preempted one run again.
//
// A preempted goroutine may hold malloc's lock, or any other that blocks whole threads, in mid-flight. Those that wait
// for it then stand still, however urgent they are, until it runs: so one that is preempted must come round in bounded
// time under every policy (docs of the preemption strategies). Policies that order by urgency keep their preempted
// tasks here as well, oldest first, and give the oldest a short slice when it has been passed over for some number of
// picks.
//
// Not synchronised. `State` is the policy's state per task, with a member `RescueLinks rescue`, zero at first.
#ifndef GYRE_SCHEDULERS_RESCUE_QUEUE_H_
#define GYRE_SCHEDULERS_RESCUE_QUEUE_H_

#include <cstdint>

#include "plugins/task.h"

namespace gyre::schedulers {

struct RescueLinks {
  Task* older;
  Task* newer;
  bool queued;
};

template <typename State>
class RescueQueue {
 public:
  // Enough for what is done under a lock, and no more.
  static constexpr Nanos kSlice = 100'000;

  // 0: never.
  void Reset(int64_t after_picks) { after_picks_ = after_picks; }

  // `t` was enqueued because it was preempted.
  void Push(Task* t) {
    RescueLinks& links = Links(t);
    links = {newest_, nullptr, true};
    (newest_ != nullptr ? Links(newest_).newer : oldest_) = t;
    newest_ = t;
  }

  // Once for each pick: the task that must be picked now, or null. Picked() follows, as for any other.
  Task* Overdue() {
    if (oldest_ == nullptr || after_picks_ == 0 || ++passed_over_ < after_picks_) return nullptr;
    return oldest_;
  }

  // `t` was picked, for whatever reason, from wherever.
  void Picked(Task* t) {
    RescueLinks& links = Links(t);
    if (!links.queued) return;
    if (t == oldest_) passed_over_ = 0;
    (links.older != nullptr ? Links(links.older).newer : oldest_) = links.newer;
    (links.newer != nullptr ? Links(links.newer).older : newest_) = links.older;
    links = {};
  }

 private:
  static RescueLinks& Links(Task* t) { return t->Policy<State>().rescue; }

  int64_t after_picks_ = 0;
  int64_t passed_over_ = 0;  // picks since the oldest changed
  Task* oldest_ = nullptr;
  Task* newest_ = nullptr;
};

}  // namespace gyre::schedulers

#endif  // GYRE_SCHEDULERS_RESCUE_QUEUE_H_
