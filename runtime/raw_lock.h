// The lock under everything else: it blocks the kernel thread, so hold it for a few instructions only, and never across
// a park. Preemption is off while it is held, for a goroutine that lost its processor while holding one would block
// whole threads.
//
// To take it costs one atomic read-modify-write, to let go a plain store: half of what a lock costs that must find out
// whether somebody sleeps. So nobody who waits relies on being woken. Waiters spin, for a holder is done in some tens
// of instructions unless the kernel took its CPU away; then they offer theirs (sched_yield), and then sleep for short,
// growing times.
#ifndef GYRE_RUNTIME_RAW_LOCK_H_
#define GYRE_RUNTIME_RAW_LOCK_H_

#include <atomic>
#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "runtime/no_preempt.h"

namespace gyre::internal {

class ABSL_LOCKABLE RawLock {
 public:
  constexpr RawLock() = default;
  RawLock(const RawLock&) = delete;
  RawLock& operator=(const RawLock&) = delete;

  void Lock() ABSL_EXCLUSIVE_LOCK_FUNCTION() {
    NoPreemptEnter();
    // Acquire: what the last holder wrote is visible.
    if (held_.exchange(true, std::memory_order_acquire)) [[unlikely]]
      LockSlow();
  }

  bool TryLock() ABSL_EXCLUSIVE_TRYLOCK_FUNCTION(true) {
    NoPreemptEnter();
    if (!held_.exchange(true, std::memory_order_acquire)) return true;
    NoPreemptExit();
    return false;
  }

  void Unlock() ABSL_UNLOCK_FUNCTION() {
    // Release: what this holder wrote is visible to the next.
    held_.store(false, std::memory_order_release);
    NoPreemptExit();
  }

 private:
  void LockSlow();
  std::atomic<bool> held_{false};
};

class ABSL_SCOPED_LOCKABLE RawLockHolder {
 public:
  explicit RawLockHolder(RawLock& lock) ABSL_EXCLUSIVE_LOCK_FUNCTION(lock) : lock_(lock) { lock_.Lock(); }
  ~RawLockHolder() ABSL_UNLOCK_FUNCTION() { lock_.Unlock(); }
  RawLockHolder(const RawLockHolder&) = delete;
  RawLockHolder& operator=(const RawLockHolder&) = delete;

 private:
  RawLock& lock_;
};

}  // namespace gyre::internal

#endif  // GYRE_RUNTIME_RAW_LOCK_H_
