// The simulator's stand-in for a kernel thread: a stack of its own and what a thread would know about itself.
//
// All fibers of an engine share the kernel thread that called Runtime::Run, so what the runtime keeps for each thread
// (runtime/thread_state.h, the C++ ABI's exception state) is put away when a fiber is left and put back when it goes
// on. A fiber is left wherever its machine happens to be: on its own stack, or on that of the goroutine that it runs.
#ifndef GYRE_RUNTIME_SIMULATION_FIBER_H_
#define GYRE_RUNTIME_SIMULATION_FIBER_H_

#include <cstddef>
#include <cstdint>

#include "runtime/goroutine.h"
#include "runtime/thread_state.h"

namespace gyre::internal::simulation {

struct Fiber {
  enum class State : uint8_t {
    kActive,   // runs, or goes on at its event: charged time, a round of waiting
    kWorking,  // computes (gyre::Work) until its event, which Interrupt may bring forward
    kParked,   // waits for an unpark, or for its event, which is the deadline
    kEnded,
  };

  // Where it goes on; null while it runs.
  void* context = nullptr;
  void (*entry)(Fiber*) = nullptr;
  Fiber* left_for = nullptr;  // whom it was last left for
  Machine* machine = nullptr;
  void* owner = nullptr;  // the engine
  State state = State::kActive;
  bool unparked = false;     // an unpark came
  bool overdue = false;      // it computes, its timers are due, and nobody was idle to take them
  int32_t event_index = -1;  // in the EventQueue; -1: it has no event
  uint32_t number = 0;       // in the order of their making

  // Of the thread, while this fiber is not on it.
  G* g = nullptr;
  Machine* m = nullptr;
  Processor* p = nullptr;
  int32_t no_preempt = 0;
  ExceptionGlobals exceptions;

  // The fiber's own stack; null for the one that is the thread's.
  char* stack_low = nullptr;
  size_t stack_size = 0;
  // For the sanitizers: of the stack that it was left on.
  const void* left_low = nullptr;
  size_t left_size = 0;
  void* fake_stack = nullptr;
  void* tsan_fiber = nullptr;      // where it was left
  void* own_tsan_fiber = nullptr;  // of its own stack
};

// Gives `fiber` a stack, on which it will run entry(fiber) when it is first switched to. False: no memory.
bool PrepareFiber(Fiber* fiber, void (*entry)(Fiber*));
void FreeStack(Fiber* fiber);

// Leaves `from`, which runs, for `to`. Returns when something switches back.
void SwitchFiber(Fiber* from, Fiber* to);

}  // namespace gyre::internal::simulation

#endif  // GYRE_RUNTIME_SIMULATION_FIBER_H_
