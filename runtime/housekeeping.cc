// What the monitor does about memory: stacks of parked goroutines shrink, and unused stacks go back to the operating
// system.
//
// It works in rounds, at most one a second, and in small portions, so that the monitor is not away for long. A round
//   - looks at each goroutine that has been parked for a while, once for each time that it parks, and has the allocator
//     give back what its stack does not hold (StackAllocator::Shrink);
//   - gives back unused stacks, if there are more of them than were needed during the last second
//   (StackAllocator::Trim).
// A process in which all processors sleep gets its last round and is then left alone.
//
// How a parked goroutine is claimed
//   The goroutine may be readied, picked and entered at any moment, and those paths must not pay for this. So the claim
//   is a negative `context` (goroutine.h), which whoever picks a goroutine reads anyway:
//     1. The monitor reads `context` and the state "waiting", and makes the context negative by compare-and-swap.
//     2. It has every other thread execute a memory barrier (membarrier, one for a portion of goroutines).
//     3. It reads both again. Context still negative, state still "waiting": the goroutine is the monitor's. Otherwise
//     it
//        takes its mark back, by compare-and-swap, which fails if the goroutine was entered.
//   Why 3 suffices: a machine that read the context before it was marked, and will enter it, did so after the goroutine
//   was readied (it found it in a run queue). Its read came before its barrier, so the store of the state "runnable"
//   did too, and 3 sees it; the state is "waiting" again only after the goroutine was entered, and then the context is
//   not what it was. A machine that reads the context after its barrier sees the mark, and waits on its own stack
//   (RunLoop). While it is claimed a goroutine may be readied: its state then says "runnable", and stays so. Everything
//   else may be done to it, too, that is done to parked goroutines: its waker may write into its frames, for only what
//   lies below its stack pointer changes. The monitor may look at a control block whose goroutine ends meanwhile and
//   whose memory becomes another's: it writes nothing but the mark, over a context that it has read, and that is the
//   newcomer's then.
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#include "absl/types/span.h"
#include "runtime/core.h"

#if defined(__SANITIZE_THREAD__)
#define GYRE_LOOKS_AT_RECYCLED_MEMORY __attribute__((no_sanitize_thread, noinline))
#else
#define GYRE_LOOKS_AT_RECYCLED_MEMORY
#endif

namespace gyre::internal {

namespace {

constexpr Nanos kRoundTime = 1'000'000'000;
constexpr Nanos kParkedFor = 500'000'000;   // before a goroutine is looked at
constexpr size_t kVisits = 1024;            // stacks in a portion
constexpr size_t kClaims = 16;              // goroutines that are claimed at a time
constexpr Nanos kBusyPause = 500'000;       // between portions, while goroutines run
constexpr size_t kTrimAtOnce = 1 << 20;     // bytes in a portion
constexpr uint64_t kFewStacks = 1024;       // unused ones, that are always kept
constexpr uint64_t kUsualResidence = 8192;  // bytes of an unused stack that are in memory, about
constexpr uintptr_t kMark = uintptr_t{1} << 63;

bool Barrier() {
  static const bool ready = syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
  return ready && syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0;
}

void* Marked(void* context) {
  return reinterpret_cast<void*>(reinterpret_cast<uintptr_t>(context) | kMark);
}

uint32_t NameOf(Nanos wait_since) {
  return static_cast<uint32_t>(wait_since >> 10) | 1;
}

// The memory may be anything by now: that of a new goroutine in the making, say. The compiler's own atomics, for TSan
// must not see them.
GYRE_LOOKS_AT_RECYCLED_MEMORY bool Mark(G* g, Nanos parked_before, void** context) {
  if (__atomic_load_n(reinterpret_cast<uint32_t*>(&g->state), __ATOMIC_ACQUIRE) !=
      static_cast<uint32_t>(GState::kWaiting)) {
    return false;
  }
  const Nanos since = __atomic_load_n(reinterpret_cast<Nanos*>(&g->wait_since), __ATOMIC_RELAXED);
  if (since > parked_before || __atomic_load_n(&g->examined, __ATOMIC_RELAXED) == NameOf(since)) return false;
  *context = __atomic_load_n(reinterpret_cast<void**>(&g->context), __ATOMIC_ACQUIRE);
  return MayEnter(*context) && __atomic_compare_exchange_n(reinterpret_cast<void**>(&g->context), context,
                                                           Marked(*context), false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

GYRE_LOOKS_AT_RECYCLED_MEMORY bool IsMine(G* g, void* context) {
  return __atomic_load_n(reinterpret_cast<void**>(&g->context), __ATOMIC_ACQUIRE) == Marked(context) &&
         __atomic_load_n(reinterpret_cast<uint32_t*>(&g->state), __ATOMIC_ACQUIRE) ==
             static_cast<uint32_t>(GState::kWaiting);
}

GYRE_LOOKS_AT_RECYCLED_MEMORY void TakeBack(G* g, void* context) {
  void* marked = Marked(context);
  __atomic_compare_exchange_n(reinterpret_cast<void**>(&g->context), &marked, context, false, __ATOMIC_RELEASE,
                              __ATOMIC_RELAXED);
}

}  // namespace

uint64_t Core::ShrinkSome(uint64_t place, Nanos parked_before) {
  struct Claim {
    G* g;
    void* context;
  } claims[kClaims];
  size_t count = 0;
  const auto shrink = [&] {
    if (count == 0) return;
    const bool ordered = Barrier();
    for (const auto& [g, context] : absl::MakeSpan(claims, count)) {
      if (!ordered || !IsMine(g, context)) {
        TakeBack(g, context);
        continue;
      }
      // For the eye; it fails if somebody readies the goroutine, and so does taking it back.
      GState waiting = GState::kWaiting, shrinking = GState::kCopyStack;
      g->state.compare_exchange_strong(waiting, GState::kCopyStack, std::memory_order_relaxed);
      stacks_->Shrink(g->stack, reinterpret_cast<uintptr_t>(context));
      g->examined = NameOf(g->wait_since.load(std::memory_order_relaxed));
      g->state.compare_exchange_strong(shrinking, GState::kWaiting, std::memory_order_relaxed);
      // Release: whoever enters it sees the stack as it is now.
      g->context.store(context, std::memory_order_release);
    }
    count = 0;
  };
  place = SomeGoroutines(place, kVisits, [&](G* g) {
    if (!Mark(g, parked_before, &claims[count].context)) return;
    claims[count++].g = g;
    if (count == kClaims) shrink();
  });
  shrink();
  return place;
}

Nanos Core::KeepHouse(Nanos now, bool busy) {
  Housekeeping& house = housekeeping_;
  if (!house.shrinking && !house.trimming) {
    if (now < house.next_round) return house.settled ? kNever : house.next_round;
    uint64_t dispatches = 0, spawned = static_cast<uint64_t>(injected_spawns_.load(std::memory_order_relaxed));
    for (ProcId id = 0; id < procs_made_; ++id) {
      dispatches += procs_[id].dispatches.Get();
      spawned += procs_[id].spawned.Get();
    }
    // Once more after the last goroutine has run: those that parked last were too young.
    const bool ran = dispatches != house.dispatches;
    house.settled = !ran && !house.ran;
    house.shrinking = ran || house.ran;
    house.ran = ran;
    house.place = 0;
    house.parked_before = now - kParkedFor;
    // What was spawned in a second may be spawned in the next.
    const uint64_t wanted = std::max(spawned - house.spawned, kFewStacks);
    house.trimming = !ran || stacks_->Stats().cached > wanted;  // few, but perhaps large
    house.keep = wanted * kUsualResidence;
    house.dispatches = dispatches;
    house.spawned = spawned;
    house.next_round = now + kRoundTime;
  }
  if (house.shrinking) {
    house.place = ShrinkSome(house.place, house.parked_before);
    house.shrinking = house.place != 0;
  } else if (house.trimming) {
    house.trimming = stacks_->Trim(house.keep, kTrimAtOnce) != 0;
  }
  if (house.shrinking || house.trimming) return busy ? now + kBusyPause : now;
  return house.settled ? kNever : house.next_round;
}

}  // namespace gyre::internal
