#include "runtime/raw_lock.h"

#include <sched.h>
#include <time.h>

#include "runtime/core.h"

namespace gyre::internal {

void RawLock::LockSlow() {
  const auto take = [this] {
    return !held_.load(std::memory_order_relaxed) && !held_.exchange(true, std::memory_order_acquire);
  };
  // In the simulator all machines share a thread: the holder goes on when this machine stands back.
  if (Machine* m = This().m; m != nullptr && m->core->is_virtual()) {
    for (int round = 0; !take(); ++round) m->core->engine().Relax(round);
    return;
  }
  constexpr int kSpins = 100;  // some microseconds
  constexpr int kYields = 50;  // until the holder's thread is probably not on this CPU's queue
  constexpr long kLongest = 1'000'000;
  for (int i = 0; i < kSpins; ++i) {
    if (take()) return;
    __builtin_ia32_pause();
  }
  for (int i = 0; i < kYields; ++i) {
    sched_yield();
    if (take()) return;
  }
  for (timespec pause{0, 20'000}; !take();
       pause.tv_nsec = pause.tv_nsec * 2 < kLongest ? pause.tv_nsec * 2 : kLongest) {
    nanosleep(&pause, nullptr);
  }
}

}  // namespace gyre::internal
