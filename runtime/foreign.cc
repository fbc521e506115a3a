#include "runtime/foreign.h"

#include <sched.h>

#include "runtime/futex.h"
#include "runtime/thread_state.h"

namespace gyre::internal {

namespace {

struct Foreign {
  Foreign() {
    context.state ^= reinterpret_cast<uintptr_t>(this) * 0x9e3779b97f4a7c15;
  }

  G g{GKind::kForeign};
  ProcContext context;
};

Foreign& Mine() {
  static thread_local Foreign mine;
  return mine;
}

}  // namespace

// Not kept in This().g: a machine's thread may need a context of its own kind for another runtime's goroutines.
G* ForeignStandIn() { return &Mine().g; }
ProcContext& ForeignContext() { return Mine().context; }

void ParkForeignThread(G* stand_in) {
  // Acquire: what the waker did is visible.
  while (stand_in->wake_word.load(std::memory_order_acquire) == 0) FutexWait(stand_in->wake_word, 0);
  stand_in->wake_word.store(0, std::memory_order_relaxed);
}

void WakeForeignThread(G* stand_in) {
  stand_in->wake_word.store(1, std::memory_order_release);
  // The thread may have seen the store and be gone by now; the kernel then finds nobody at that address.
  FutexWake(stand_in->wake_word, 1);
}

void YieldForeignThread() { sched_yield(); }

void SleepForeignThread(Nanos duration) {
  timespec left{duration / 1'000'000'000, duration % 1'000'000'000};
  while (nanosleep(&left, &left) != 0) {
  }
}

Nanos ForeignNow() { return MonotonicClock(); }

}  // namespace gyre::internal
