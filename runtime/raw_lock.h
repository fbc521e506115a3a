// The lock under everything else: it blocks the kernel thread, so hold it for a few instructions only, and never across a
// park. Waiters spin for a moment and then sleep in the kernel. Preemption is off while it is held, for a goroutine that
// lost its processor while holding one would block whole threads.
//
// One byte-sized idea (Drepper, "Futexes Are Tricky", 2011): 0 free, 1 held, 2 held and somebody sleeps.
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
    uint32_t expected = kFree;
    // Acquire: what the last holder wrote is visible.
    if (!word_.compare_exchange_strong(expected, kHeld, std::memory_order_acquire, std::memory_order_relaxed)) {
      LockSlow();
    }
  }

  bool TryLock() ABSL_EXCLUSIVE_TRYLOCK_FUNCTION(true) {
    NoPreemptEnter();
    uint32_t expected = kFree;
    if (word_.compare_exchange_strong(expected, kHeld, std::memory_order_acquire, std::memory_order_relaxed)) {
      return true;
    }
    NoPreemptExit();
    return false;
  }

  void Unlock() ABSL_UNLOCK_FUNCTION() {
    // Release: what this holder wrote is visible to the next.
    if (word_.exchange(kFree, std::memory_order_release) == kContended) WakeOne();
    NoPreemptExit();
  }

 private:
  static constexpr uint32_t kFree = 0, kHeld = 1, kContended = 2;
  void LockSlow();
  void WakeOne();
  std::atomic<uint32_t> word_{kFree};
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
