// A goroutine's states and the legal transitions between them. They are Go's nine, with Go's numbers.
//
//   idle ──> runnable <──> running ──> waiting ──> runnable        (made; picked, gave way; parked, readied)
//                             │ ├────> syscall ──> running|runnable  (gyre::Blocking)
//                             │ ├────> copystack ─> running          (its stack grows)
//                             │ ├────> preempted ─> runnable         (stopped between two instructions)
//                             │ └────> dead ──────> idle             (ended; its memory is recycled)
//   waiting ──> copystack|scan ──> waiting|runnable                  (its stack shrinks, or is read; readied meanwhile)
//
// Who may make a transition: the goroutine itself or the machine that runs it out of `running`; whoever took it off its
// wait queue out of `waiting`; the machine that picked it out of `runnable`. There is one such party at a time, so a plain
// store suffices, and the check beside it finds a second one. Others may look at any time, for a dump.
// The monitor is no such party: its copystack and scan of a parked goroutine are for the eye, set and taken back by
// compare-and-swap, and who readies the goroutine writes over them.
#ifndef GYRE_RUNTIME_STATE_H_
#define GYRE_RUNTIME_STATE_H_

#include <atomic>
#include <cstdint>

namespace gyre::internal {

enum class GState : uint32_t {
  kIdle = 0,
  kRunnable = 1,
  kRunning = 2,
  kSyscall = 3,
  kWaiting = 4,
  kDead = 6,
  kCopyStack = 8,
  kPreempted = 9,
  kScan = 0x1000,
};

constexpr const char* GStateName(GState state) {
  switch (state) {
    case GState::kIdle: return "idle";
    case GState::kRunnable: return "runnable";
    case GState::kRunning: return "running";
    case GState::kSyscall: return "syscall";
    case GState::kWaiting: return "waiting";
    case GState::kDead: return "dead";
    case GState::kCopyStack: return "copystack";
    case GState::kPreempted: return "preempted";
    case GState::kScan: return "scan";
  }
  return "unknown";
}

constexpr bool IsLegalTransition(GState from, GState to) {
  switch (from) {
    case GState::kIdle: return to == GState::kRunnable;
    case GState::kRunnable: return to == GState::kRunning;
    case GState::kRunning:
      return to == GState::kRunnable || to == GState::kWaiting || to == GState::kSyscall || to == GState::kDead ||
             to == GState::kCopyStack || to == GState::kPreempted;
    case GState::kSyscall: return to == GState::kRunning || to == GState::kRunnable;
    case GState::kWaiting: return to == GState::kRunnable || to == GState::kCopyStack || to == GState::kScan;
    case GState::kDead: return to == GState::kIdle;
    case GState::kCopyStack:
      return to == GState::kRunning || to == GState::kWaiting || to == GState::kRunnable;
    case GState::kPreempted: return to == GState::kRunnable;
    case GState::kScan: return to == GState::kWaiting || to == GState::kRunnable;
  }
  return false;
}

// How often one has happened (Core::Transitions, from the processors' counters).
struct TransitionCount {
  GState from;
  GState to;
  uint64_t count;
};

[[noreturn]] void BadTransition(const void* g, GState expected, GState found, GState to);

// `subject` is for the message. Whatever publishes the goroutine to another thread (a run queue, a wait queue's lock, its saved
// context) orders its state too; the store releases for the sake of dumps, which acquire the state and nothing else.
template <GState kFrom, GState kTo>
inline void ChangeState(std::atomic<GState>& state, const void* subject) {
  static_assert(IsLegalTransition(kFrom, kTo), "no such transition: see the table above");
#ifndef NDEBUG
  GState found = state.load(std::memory_order_relaxed);
  const bool overwrites = kFrom == GState::kWaiting && (found == GState::kCopyStack || found == GState::kScan);
  if (found != kFrom && !overwrites) [[unlikely]] BadTransition(subject, kFrom, found, kTo);
#else
  (void)subject;
#endif
  state.store(kTo, std::memory_order_release);
}

}  // namespace gyre::internal

#endif  // GYRE_RUNTIME_STATE_H_
