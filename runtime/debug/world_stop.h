// Stopping all other threads of the process for a moment, to look at memory and stacks while nothing moves.
//
//   {
//     StoppedWorld world;
//     if (!world.status().ok()) ...            // a thread did not answer: nothing is stopped
//     for (const StoppedThread& thread : world.threads()) ...
//   }                                          // all go on
//
// Each thread is sent SIGPROF, notes its registers in the handler and sleeps there. The same handler takes the samples
// of CPU profiles (cpu_profile.h), so that gdb and users meet one signal. System calls are restarted; those that Linux
// never restarts (nanosleep, poll, epoll_wait) return EINTR to a thread that is not the runtime's.
//
// While the world is stopped the caller must not allocate, nor take any lock that another thread may hold: not
// malloc's, not a RawLock, no stdio. PageVector (page_vector.h) is for what it collects.
//
// Any thread may stop the world; a second one waits for its turn. Preemption is off for the caller meanwhile.
#ifndef GYRE_RUNTIME_DEBUG_WORLD_STOP_H_
#define GYRE_RUNTIME_DEBUG_WORLD_STOP_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "runtime/frame_walk.h"
#include "runtime/thread_state.h"

namespace gyre::internal {

struct StoppedThread {
  int tid = 0;
  const ThreadState* state = nullptr;  // what it runs
  uintptr_t pc = 0, sp = 0, fp = 0;
  static constexpr int kRegisters = 16;
  uintptr_t registers[kRegisters] = {};  // the general ones
  StackRange signal_stack;               // empty if it has none
  bool on_signal_stack = false;          // it was inside another signal's handler there
};

class StoppedWorld {
 public:
  StoppedWorld();
  ~StoppedWorld();
  StoppedWorld(const StoppedWorld&) = delete;
  StoppedWorld& operator=(const StoppedWorld&) = delete;

  const absl::Status& status() const { return status_; }
  absl::Span<const StoppedThread> threads() const;  // all but the caller

 private:
  void Resume();
  absl::Status status_;
  bool stopped_ = false;
};

// The handler's other business: called in it, on every SIGPROF that does not stop the world; null: none.
void SetProfileSignalHook(void (*hook)(void* ucontext));

}  // namespace gyre::internal

#endif  // GYRE_RUNTIME_DEBUG_WORLD_STOP_H_
