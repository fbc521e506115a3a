// Mutual exclusion between goroutines, as Go's sync.Mutex.
//
//   gyre::Mutex mu;
//   int count ABSL_GUARDED_BY(mu);
//   { gyre::MutexLock lock(&mu); ++count; }
//
// A goroutine that waits gives its processor away; a foreign thread that waits sleeps in the kernel. Not re-entrant,
// and without an owner: another goroutine than the one that locked it may unlock it. Unlocking one that is not locked
// is a fatal error. Lock on a free mutex and Unlock without waiters are one atomic instruction each, and no point of
// preemption. Meets the standard's Lockable requirements: std::lock_guard, std::scoped_lock and std::unique_lock work.
//
// Fairness (Go's two modes). Normal: waiters are woken in their order, but compete with whoever happens to be running
// and wants the lock too; that is fast, for no processor waits for a goroutine to come round. Starvation: once a waiter
// has failed for more than 1 ms, the lock passes directly from holder to waiter in order, and newcomers go to the end
// of the queue. Back to normal when the waiter that gets it is the last one, or has waited for less than 1 ms.
//
// What a holder did is visible to the next. A mutex may be destroyed by whoever holds it last and has unlocked it,
// though an earlier holder's Unlock has not returned yet: in Unlock the mutex is not touched after the release, nor
// after the wake-up that only the caller can give.
//
// The state word: bit 0 kLocked; bit 1 kWoken, some waiter is awake or a newcomer spins, so an unlock need not wake
// another; bit 2 kStarving, the mode; above them the number of waiters.
//   0 <-> kLocked                                    lock and unlock without contention
//   kLocked -> kLocked + waiter                      a waiter comes; also adds kStarving if that is what it found out
//   kLocked + waiter -> kWoken                       normal mode: unlocked, one waiter on its way to compete
//   kWoken -> kLocked | kLocked + waiter             it got the lock, or waits again at the head of the queue
//   kLocked|kStarving + waiter -> kStarving + waiter -> kLocked[|kStarving]   from hand to hand
#ifndef GYRE_SYNC_MUTEX_H_
#define GYRE_SYNC_MUTEX_H_

#include <atomic>
#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "sync/sema.h"

namespace gyre {

class ABSL_LOCKABLE Mutex {
 public:
  constexpr Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  void Lock() ABSL_EXCLUSIVE_LOCK_FUNCTION() {
    internal::ExplorePoint();
    uint32_t expected = 0;
    // Acquire: what the last holder did is visible.
    if (!state_.compare_exchange_strong(expected, kLocked, std::memory_order_acquire, std::memory_order_relaxed))
        [[unlikely]] {
      LockSlow();
    }
  }

  // Never waits. It may fail though the lock is free, if goroutines that starve are about to get it.
  bool TryLock() ABSL_EXCLUSIVE_TRYLOCK_FUNCTION(true) {
    internal::ExplorePoint();
    uint32_t state = state_.load(std::memory_order_relaxed);
    while ((state & (kLocked | kStarving)) == 0) {
      if (state_.compare_exchange_weak(state, state | kLocked, std::memory_order_acquire, std::memory_order_relaxed)) {
        return true;
      }
    }
    return false;
  }

  void Unlock() ABSL_UNLOCK_FUNCTION() {
    uint32_t expected = kLocked;
    // Release: what this holder did is visible to the next.
    if (!state_.compare_exchange_strong(expected, 0, std::memory_order_release, std::memory_order_relaxed))
        [[unlikely]] {
      UnlockSlow();
    }
  }

  // The standard's names.
  void lock() ABSL_EXCLUSIVE_LOCK_FUNCTION() { Lock(); }
  bool try_lock() ABSL_EXCLUSIVE_TRYLOCK_FUNCTION(true) { return TryLock(); }
  void unlock() ABSL_UNLOCK_FUNCTION() { Unlock(); }

 private:
  static constexpr uint32_t kLocked = 1, kWoken = 2, kStarving = 4;
  static constexpr uint32_t kOneWaiter = 8;
  static constexpr uint32_t Waiters(uint32_t state) { return state / kOneWaiter; }

  void LockSlow();
  void UnlockSlow();

  std::atomic<uint32_t> state_{0};
  internal::Sema sema_;
};

// Holds a Mutex for a scope.
class ABSL_SCOPED_LOCKABLE MutexLock {
 public:
  explicit MutexLock(Mutex* mu) ABSL_EXCLUSIVE_LOCK_FUNCTION(mu) : mu_(mu) { mu_->Lock(); }
  ~MutexLock() ABSL_UNLOCK_FUNCTION() { mu_->Unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex* const mu_;
};

}  // namespace gyre

#endif  // GYRE_SYNC_MUTEX_H_
