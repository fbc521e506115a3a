// The pending timers of one processor: a 4-ary heap under a lock, with the earliest time readable without it.
#ifndef GYRE_RUNTIME_TIMER_HEAP_H_
#define GYRE_RUNTIME_TIMER_HEAP_H_

#include <atomic>
#include <cstddef>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "plugins/task.h"
#include "runtime/raw_lock.h"
#include "runtime/timer.h"

namespace gyre::internal {

class Core;

class TimerHeap {
 public:
  TimerHeap() = default;
  ~TimerHeap();
  void Attach(Core* core, ProcId proc) {
    core_ = core;
    proc_ = proc;
  }

  // When the earliest timer is due, kNever if there is none. Any thread. Sequentially consistent, for it is one side of
  // the protocol that keeps an idle processor from sleeping past a new timer (idle.cc).
  Nanos Earliest() const { return earliest_.load(std::memory_order_seq_cst); }
  Nanos EarliestRelaxed() const { return earliest_.load(std::memory_order_relaxed); }

  // Runs the callbacks of all timers that are due at `now`; returns how many. Any thread with a processor.
  int RunExpired(Nanos now) ABSL_LOCKS_EXCLUDED(lock_);

  // All timers become `to`'s. One such move at a time.
  void MoveTo(TimerHeap& to) ABSL_LOCKS_EXCLUDED(lock_);

  size_t size() const ABSL_LOCKS_EXCLUDED(lock_) {
    RawLockHolder hold(lock_);
    return heap_.size();
  }

 private:
  friend class Timer;
  struct Entry {
    Nanos when;
    Timer* timer;
  };

  void Insert(Timer* t) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  void Erase(Timer* t) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  void SiftUp(size_t i) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  void SiftDown(size_t i) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  void Place(size_t i, Entry e) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_) {
    heap_[i] = e;
    e.timer->index_ = static_cast<int32_t>(i);
  }
  // Which of the timers of the earliest moment goes first: the front, unless schedules are explored.
  size_t First() ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  void PublishEarliest() ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);

  Core* core_ = nullptr;
  ProcId proc_ = kNoProc;
  std::atomic<Nanos> earliest_{kNever};
  mutable RawLock lock_;
  std::vector<Entry> heap_ ABSL_GUARDED_BY(lock_);
};

}  // namespace gyre::internal

#endif  // GYRE_RUNTIME_TIMER_HEAP_H_
