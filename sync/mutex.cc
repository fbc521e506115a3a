#include "sync/mutex.h"

#include "runtime/panic.h"
#include "runtime/park.h"

namespace gyre {

namespace {
constexpr Nanos kStarvationThreshold = 1'000'000;
}  // namespace

void Mutex::LockSlow() {
  internal::CheckPreempt();
  Nanos waiting_since = 0;
  bool waited = false;
  bool starving = false;
  bool awoke = false;  // kWoken is set on our behalf
  int round = 0;
  uint32_t old = state_.load(std::memory_order_relaxed);
  for (;;) {
    // The holder may be about to let go. Not in starvation mode: there the lock goes to the queue in any case.
    if ((old & (kLocked | kStarving)) == kLocked && internal::SpinOnce(round)) {
      ++round;
      // So that Unlock wakes nobody else meanwhile.
      if (!awoke && (old & kWoken) == 0 && Waiters(old) != 0 &&
          state_.compare_exchange_strong(old, old | kWoken, std::memory_order_relaxed)) {
        awoke = true;
      }
      old = state_.load(std::memory_order_relaxed);
      continue;
    }
    uint32_t next = old;
    if ((old & kStarving) == 0) next |= kLocked;
    if ((old & (kLocked | kStarving)) != 0) next += kOneWaiter;
    // Not if it is free: starvation mode needs a holder who hands it on, and a waiter.
    if (starving && (old & kLocked) != 0) next |= kStarving;
    if (awoke) next &= ~kWoken;
    // Acquire, for the case that this is the lock taken. On failure nothing was taken.
    if (!state_.compare_exchange_strong(old, next, std::memory_order_acquire, std::memory_order_relaxed)) continue;
    if ((old & (kLocked | kStarving)) == 0) return;

    if (!waited) waiting_since = internal::MonotonicNow();
    sema_.Acquire(WaitReason::kMutexLock, this, waited ? internal::Sema::Place::kFirst : internal::Sema::Place::kLast);
    waited = true;
    starving = starving || internal::MonotonicNow() - waiting_since > kStarvationThreshold;
    old = state_.load(std::memory_order_relaxed);
    if ((old & kStarving) != 0) {
      // It was handed to us: nobody else takes it while kStarving is set. We are still counted as a waiter.
      uint32_t change = kLocked - kOneWaiter;
      // The mode must end some day: two goroutines that take turns would otherwise go on in lockstep for ever.
      if (!starving || Waiters(old) == 1) change -= kStarving;
      // Acquire: the last holder's release is in this word's history, with nothing but read-modify-writes after it.
      state_.fetch_add(change, std::memory_order_acquire);
      return;
    }
    awoke = true;  // by UnlockSlow, in normal mode
    round = 0;
  }
}

void Mutex::UnlockSlow() {
  uint32_t old = state_.load(std::memory_order_relaxed);
  for (;;) {
    if ((old & kLocked) == 0) Fatal("sync: unlock of unlocked mutex");
    // Unlike Go's, an unlock decides whom to wake in the same instruction that lets go. Afterwards the state belongs to
    // others, who may be done with the mutex and free it; a waiter that we owe a wake-up cannot.
    if ((old & kStarving) != 0) {
      if (state_.compare_exchange_weak(old, old & ~kLocked, std::memory_order_release, std::memory_order_relaxed)) {
        sema_.HandOff();
        return;
      }
    } else if (Waiters(old) == 0 || (old & kWoken) != 0) {
      if (state_.compare_exchange_weak(old, old & ~kLocked, std::memory_order_release, std::memory_order_relaxed)) {
        return;
      }
    } else {
      const uint32_t next = (old - kLocked - kOneWaiter) | kWoken;
      if (state_.compare_exchange_weak(old, next, std::memory_order_release, std::memory_order_relaxed)) {
        sema_.Release();
        return;
      }
    }
  }
}

}  // namespace gyre
