// Regions in which the calling thread must not be preempted: the runtime's own code and the holders of its locks.
// They nest. The end of the outermost one gives way if a request came meanwhile.
#ifndef GYRE_RUNTIME_NO_PREEMPT_H_
#define GYRE_RUNTIME_NO_PREEMPT_H_

#include <atomic>

#include "runtime/thread_state.h"

namespace gyre::internal {

// A preemption that was asked for while it was off happens now.
void TakePendingPreemption();

inline void NoPreemptEnter() noexcept {
  ++This().no_preempt;
  std::atomic_signal_fence(std::memory_order_seq_cst);  // the region's code stays inside, for the thread's own handler
}

inline void NoPreemptExit() {
  std::atomic_signal_fence(std::memory_order_seq_cst);
  ThreadState& self = This();
  if (--self.no_preempt == 0 && self.preempt_pending.load(std::memory_order_relaxed)) [[unlikely]] {
    TakePendingPreemption();
  }
}

class NoPreempt {
 public:
  NoPreempt() noexcept { NoPreemptEnter(); }
  ~NoPreempt() { NoPreemptExit(); }
  NoPreempt(const NoPreempt&) = delete;
  NoPreempt& operator=(const NoPreempt&) = delete;
};

}  // namespace gyre::internal

#endif  // GYRE_RUNTIME_NO_PREEMPT_H_
