#include "runtime/thread_state.h"

constinit thread_local gyre::internal::ThreadState gyre_thread_state;

#if !defined(__x86_64__)
namespace gyre::internal {
[[gnu::noinline]] ThreadState& This() noexcept { return gyre_thread_state; }
}  // namespace gyre::internal
#endif
