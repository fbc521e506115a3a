#include "sync/once.h"

namespace gyre {

void Once::DoSlow(absl::FunctionRef<void()> f) {
  MutexLock hold(&mu_);
  // Relaxed: written under the lock.
  if (done_.load(std::memory_order_relaxed)) return;
  // Also when f leaves by an exception or by Goexit. Before the lock is let go.
  struct MarkDone {
    std::atomic<bool>& done;
    ~MarkDone() { done.store(true, std::memory_order_release); }
  } mark{done_};
  f();
}

}  // namespace gyre
