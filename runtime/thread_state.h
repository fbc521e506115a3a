// What a kernel thread knows about itself: the goroutine, machine and processor that it runs now.
//
// A goroutine that is switched out may come back on another thread, so the address of a thread-local must never be kept
// across a switch. A compiler takes that address for a constant of the function and does keep it; the accessor therefore
// computes it anew, in a way that the compiler cannot see through.
#ifndef GYRE_RUNTIME_THREAD_STATE_H_
#define GYRE_RUNTIME_THREAD_STATE_H_

#include <atomic>
#include <cstdint>

namespace gyre::internal {

struct G;
struct Machine;
struct Processor;

struct ThreadState {
  G* g = nullptr;          // what runs: a goroutine, or a machine's system stack; on a foreign thread its stand-in, or null
  Machine* m = nullptr;    // null on a foreign thread
  Processor* p = nullptr;  // null without one
  // Preemption is off while this is not 0: the thread is inside the runtime, or holds one of its locks. Read by the
  // thread's own signal handler only, so plain loads and stores do, as long as the compiler keeps them in order.
  int32_t no_preempt = 0;
  std::atomic<bool> preempt_pending{false};  // a request came while preemption was off
};

}  // namespace gyre::internal

extern "C" __attribute__((tls_model("initial-exec"))) constinit thread_local gyre::internal::ThreadState
    gyre_thread_state;

namespace gyre::internal {

#if defined(__x86_64__)
// The calling thread's. Never keep the reference across anything that may park, yield or be preempted.
inline ThreadState& This() noexcept {
  ThreadState* state;
  asm volatile(
      "movq gyre_thread_state@gottpoff(%%rip), %0\n\t"
      "addq %%fs:0, %0"
      : "=r"(state)
      :
      : "cc");
  return *state;
}
#else
ThreadState& This() noexcept;
#endif

}  // namespace gyre::internal

#endif  // GYRE_RUNTIME_THREAD_STATE_H_
