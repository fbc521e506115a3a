#include "runtime/raw_lock.h"

#include "runtime/core.h"
#include "runtime/futex.h"

namespace gyre::internal {

void RawLock::LockSlow() {
  // In the simulator all machines share a thread: the holder goes on when this machine stands back.
  if (Machine* m = This().m; m != nullptr && m->core->is_virtual()) {
    for (int round = 0;; ++round) {
      uint32_t expected = kFree;
      if (word_.compare_exchange_strong(expected, kHeld, std::memory_order_acquire)) return;
      m->core->engine().Relax(round);
    }
  }
  // Holders keep it for some tens of instructions: a short spin usually does, unless the holder's thread lost its CPU.
  constexpr int kSpins = 100;
  for (int i = 0; i < kSpins; ++i) {
    uint32_t expected = kFree;
    if (word_.load(std::memory_order_relaxed) == kFree &&
        word_.compare_exchange_weak(expected, kHeld, std::memory_order_acquire, std::memory_order_relaxed)) {
      return;
    }
    __builtin_ia32_pause();
  }
  // Who slept cannot know whether others still do, and takes the lock as contended: one wake-up too many, never too few.
  while (word_.exchange(kContended, std::memory_order_acquire) != kFree) FutexWait(word_, kContended);
}

void RawLock::WakeOne() { FutexWake(word_, 1); }

}  // namespace gyre::internal
