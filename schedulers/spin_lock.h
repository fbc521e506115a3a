// The lock of the policies: held for some tens of instructions, never across a call into anything else.
//
// A waiter spins for a moment and then gives the CPU away, for the holder may be a kernel thread that lost its own. It
// never sleeps in the kernel, so Unlock is a plain store, and the uncontended pair costs one atomic read-modify-write.
// (test-and-test-and-set: Rudolph and Segall, 1984)
#ifndef GYRE_SCHEDULERS_SPIN_LOCK_H_
#define GYRE_SCHEDULERS_SPIN_LOCK_H_

#include <atomic>
#include <thread>

#include "absl/base/thread_annotations.h"

namespace gyre::schedulers {

class ABSL_LOCKABLE SpinLock {
 public:
  constexpr SpinLock() = default;
  SpinLock(const SpinLock&) = delete;
  SpinLock& operator=(const SpinLock&) = delete;

  void Lock() ABSL_EXCLUSIVE_LOCK_FUNCTION() {
    // Acquire: what the last holder wrote is visible.
    if (held_.exchange(true, std::memory_order_acquire)) [[unlikely]]
      LockSlow();
  }

  // Release: what this holder wrote is visible to the next.
  void Unlock() ABSL_UNLOCK_FUNCTION() { held_.store(false, std::memory_order_release); }

 private:
  static constexpr int kSpins = 64;  // some hundreds of nanoseconds, a few times what any holder needs

  [[gnu::noinline, gnu::cold]] void LockSlow() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    int spins = 0;
    do {
      // Relaxed: the exchange below is what acquires. Waiting on a load keeps the line shared until it changes.
      while (held_.load(std::memory_order_relaxed)) {
        if (++spins < kSpins) {
#if defined(__x86_64__)
          __builtin_ia32_pause();
#endif
        } else {
          std::this_thread::yield();
        }
      }
    } while (held_.exchange(true, std::memory_order_acquire));
  }

  std::atomic<bool> held_{false};
};

class ABSL_SCOPED_LOCKABLE SpinLockHolder {
 public:
  explicit SpinLockHolder(SpinLock& lock) ABSL_EXCLUSIVE_LOCK_FUNCTION(lock) : lock_(lock) { lock_.Lock(); }
  ~SpinLockHolder() ABSL_UNLOCK_FUNCTION() { lock_.Unlock(); }
  SpinLockHolder(const SpinLockHolder&) = delete;
  SpinLockHolder& operator=(const SpinLockHolder&) = delete;

 private:
  SpinLock& lock_;
};

}  // namespace gyre::schedulers

#endif  // GYRE_SCHEDULERS_SPIN_LOCK_H_
