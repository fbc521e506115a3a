// One-shot and periodic timers, the raw kind: gyre::Sleep, gyre::NewTimer, gyre::AfterFunc and deadlines are built on it.
//
// A Timer lives where its owner puts it (a stack, an object) and belongs, while it is pending, to the heap of one
// processor. Its callback runs on a scheduler's thread under that heap's lock: it must not block, park, throw or touch
// any Timer; it may Ready goroutines, start some (gyre::Go) and take RawLocks whose holders never call into timers.
//
// Invariants
//  1. When Stop or Start returns, no callback of an earlier arming runs or will run. (They take the lock under which
//     callbacks run.) So an owner may free the timer after Stop, though not from inside its callback.
//  2. A timer fires at or after `when`, never before.
#ifndef GYRE_RUNTIME_TIMER_H_
#define GYRE_RUNTIME_TIMER_H_

#include <atomic>
#include <cstdint>

#include "plugins/task.h"

namespace gyre::internal {

class TimerHeap;

class Timer {
 public:
  // `now`: the time at which it fires.
  using Callback = void (*)(Timer* timer, Nanos now);

  // kEndsByFiring: the callback's own effect may free the timer, so it is let go before the callback is called, and
  // invariant 1 does not hold for it. (A sleeping goroutine's timer lives on the stack that the callback readies.)
  enum Lifetime : uint8_t { kOutlivesFiring, kEndsByFiring };

  explicit Timer(Callback callback, Lifetime lifetime = kOutlivesFiring)
      : callback_(callback), ends_by_firing_(lifetime == kEndsByFiring) {}
  ~Timer() { Stop(); }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  // Arms it for `when` (kNever: never fires, but is pending), then every `period` if that is not 0. An earlier arming is
  // dropped; returns whether there was one pending. Any thread; Start and Stop may race.
  bool Start(Nanos when, Nanos period = 0);

  // Returns whether it was pending.
  bool Stop();

  Nanos when() const { return when_; }  // of the last Start or tick; for the callback

 private:
  friend class TimerHeap;
  const Callback callback_;
  const bool ends_by_firing_;
  std::atomic<TimerHeap*> heap_{nullptr};  // not null: pending there, or its callback runs there
  Nanos when_ = 0;                         // } guarded by the heap's lock
  Nanos period_ = 0;                       // }
  int32_t index_ = -1;                     // }
};

}  // namespace gyre::internal

#endif  // GYRE_RUNTIME_TIMER_H_
