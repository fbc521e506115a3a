// What the sanitizers must be told at every switch, so that their reports can be trusted. Empty in ordinary builds, but for a
// look at whether Valgrind runs the program.
#ifndef GYRE_RUNTIME_SANITIZERS_H_
#define GYRE_RUNTIME_SANITIZERS_H_

#include "runtime/goroutine.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#endif

namespace gyre::internal::sanitizers {

#if defined(__SANITIZE_THREAD__)
inline constexpr bool kThread = true;
#else
inline constexpr bool kThread = false;
#endif
#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool kAddress = true;
#else
inline constexpr bool kAddress = false;
#endif

// Valgrind runs this program. It is told where stacks are, so that it does not take a switch for a huge frame.
extern const bool on_valgrind;
void RegisterWithValgrind(G* g);
void DeregisterFromValgrind(G* g);

// `g` has a stack now, and will be switched to.
inline void NewStack([[maybe_unused]] G* g) {
  if (on_valgrind) [[unlikely]] RegisterWithValgrind(g);
#if defined(__SANITIZE_THREAD__)
  g->sanitizer_fiber = __tsan_create_fiber(0);
#endif
#if defined(__SANITIZE_ADDRESS__)
  // The address may have been the stack of a goroutine that its runtime abandoned, red zones and all.
  ASAN_UNPOISON_MEMORY_REGION(g->stack.low, g->stack.size());
#endif
}

// `g` will not run again; its stack is reused for something else.
inline void EndStack([[maybe_unused]] G* g) {
  if (on_valgrind) [[unlikely]] DeregisterFromValgrind(g);
#if defined(__SANITIZE_THREAD__)
  __tsan_destroy_fiber(g->sanitizer_fiber);
#endif
#if defined(__SANITIZE_ADDRESS__)
  // A goroutine that ended without returning from its frames left their red zones poisoned.
  ASAN_UNPOISON_MEMORY_REGION(g->stack.low, g->stack.size());
#endif
}

// The frames of the calling goroutine are about to be unwound in a way that ASan does not see: their red zones must not be
// found by the calls that come after.
inline void BeforeUnwind() {
#if defined(__SANITIZE_ADDRESS__)
  __asan_handle_no_return();
#endif
}

// The calling thread's own stack will be switched from and to under the name `g`.
void AdoptThreadStack(G* g);

inline void StartSwitch([[maybe_unused]] G* from, [[maybe_unused]] G* to) {
#if defined(__SANITIZE_ADDRESS__)
  const bool ends = from->state.load(std::memory_order_relaxed) == GState::kDead;
  __sanitizer_start_switch_fiber(ends ? nullptr : &from->sanitizer_fake_stack, to->stack.low, to->stack.size());
#endif
#if defined(__SANITIZE_THREAD__)
  __tsan_switch_to_fiber(to->sanitizer_fiber, 0);
#endif
}

inline void FinishSwitch([[maybe_unused]] G* self) {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(self->sanitizer_fake_stack, nullptr, nullptr);
#endif
}

}  // namespace gyre::internal::sanitizers

#endif  // GYRE_RUNTIME_SANITIZERS_H_
