// The context switch: the jump from one stack to another (jump.h), and what has to travel with a goroutine beside its
// registers, which is the C++ ABI's exception state, and the sanitizers' idea of which stack this is.
#ifndef GYRE_RUNTIME_SWITCH_H_
#define GYRE_RUNTIME_SWITCH_H_

#include "runtime/goroutine.h"
#include "runtime/jump.h"
#include "runtime/machine.h"
#include "runtime/sanitizers.h"
#include "runtime/thread_state.h"

namespace gyre::internal {

// The word that code compiled with -fsplit-stack compares its stack pointer with (StackTraits::needs_switch_hooks).
inline void ExchangeSplitLimit([[maybe_unused]] uint64_t& old, [[maybe_unused]] uint64_t now) {
#if defined(__x86_64__)
  asm volatile("movq %%fs:0x70, %0" : "=r"(old));
  asm volatile("movq %0, %%fs:0x70" : : "r"(now));
#endif
}

// The first thing on the far side of every switch: the goroutine that was left is complete now, and may run elsewhere.
[[gnu::always_inline]] inline void FinishSwitch(G* self, Arrival arrival) {
  sanitizers::FinishSwitch(self);
  G* left = arrival.left;
  if (left->state.load(std::memory_order_relaxed) == GState::kDead) {
    RecycleGoroutine(left);
  } else {
    // Release: everything that `left` did before it left is visible to the machine that runs it next (which acquires).
    left->context.store(arrival.context, std::memory_order_release);
  }
}

// Leaves `from`, which runs on this thread's machine `m`, for `to`, whose saved context is `context`. Returns when
// something switches back to `from`, perhaps on another thread. Preemption is off on both sides.
[[gnu::always_inline]] inline void SwitchTo(ThreadState& thread, Machine* m, G* from, G* to, void* context) {
  ExceptionGlobals* exceptions = m->exceptions;
  from->exceptions = *exceptions;
  *exceptions = to->exceptions;
  thread.g = to;
  if (m->carries_limit) [[unlikely]] ExchangeSplitLimit(from->stack.cookie, to->stack.cookie);
  // Relaxed: only this machine may look at it, until `to` is published again.
  to->context.store(nullptr, std::memory_order_relaxed);
  sanitizers::StartSwitch(from, to);
  FinishSwitch(from, Jump(from, to, context));
}

}  // namespace gyre::internal

#endif  // GYRE_RUNTIME_SWITCH_H_
