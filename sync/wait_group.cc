#include "sync/wait_group.h"

#include "runtime/panic.h"
#include "runtime/park.h"

namespace gyre {

void WaitGroup::Settle(uint64_t state, int32_t delta) {
  const int32_t count = Count(state);
  const uint32_t waiters = Waiters(state);
  if (count < 0) Panic("sync: negative WaitGroup counter");
  if (delta > 0 && count == delta) Panic("sync: WaitGroup misuse: Add called concurrently with Wait");
  if (count > 0) return;
  // The count is 0, and goroutines wait: nobody may change the state now, neither by Add, which would be concurrent
  // with a Wait, nor by Wait, which sees the 0.
  if (!state_.compare_exchange_strong(state, 0, std::memory_order_acq_rel, std::memory_order_relaxed)) {
    Panic("sync: WaitGroup misuse: Add called concurrently with Wait");
  }
  sema_.Release(waiters);
}

void WaitGroup::WaitSlow() {
  internal::CheckPreempt();
  uint64_t state = state_.load(std::memory_order_acquire);
  for (;;) {
    if (Count(state) == 0) return;
    if (state_.compare_exchange_weak(state, state + 1, std::memory_order_acq_rel, std::memory_order_acquire)) break;
  }
  sema_.Acquire(WaitReason::kWaitGroupWait, this);
  if (state_.load(std::memory_order_acquire) != 0) {
    Panic("sync: WaitGroup is reused before previous Wait has returned");
  }
}

}  // namespace gyre
