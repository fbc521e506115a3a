// The goroutine's control block, Go's G.
//
// It stands at the top of the goroutine's stack, with the closure below it and the first frame below that, so that a
// goroutine is one piece of memory and a parked one touches one page.
//
// Invariants
//  1. `context` is null exactly while the goroutine is on a CPU, that is, from the moment a machine decides to run it until
//     the machine has left its stack. A goroutine may be enqueued before that (it yields; it was readied before it had
//     finished parking): whoever picks it waits for `context`, and waits on a scheduler's stack only, so that two machines
//     never wait for each other's goroutines.
//  2. `context` is negative while the monitor has claimed the goroutine, to shrink its stack (housekeeping.cc): nobody may
//     enter it then. Only a goroutine that is parked is claimed, and never for long.
//  3. Its fields are written by the machine that runs it, or by whoever made it or took it off a wait queue.
#ifndef GYRE_RUNTIME_GOROUTINE_H_
#define GYRE_RUNTIME_GOROUTINE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "plugins/stack.h"
#include "plugins/task.h"
#include "runtime/state.h"
#include "runtime/wait_reason.h"

namespace gyre::internal {

class Core;
struct Machine;

// What the C++ ABI keeps per thread about exceptions in flight (__cxa_eh_globals): it must travel with the goroutine.
struct ExceptionGlobals {
  void* caught_exceptions = nullptr;
  unsigned int uncaught_exceptions = 0;
  unsigned int padding = 0;  // named, so that the whole is copied by one load and one store
};

// Whether a goroutine with this saved context may be entered: it is not on a CPU, nor claimed.
inline bool MayEnter(const void* context) { return reinterpret_cast<intptr_t>(context) > 0; }
// Its stack pointer, claimed or not; 0 while it is on a CPU.
inline uintptr_t StackPointerOf(const void* context) { return reinterpret_cast<uintptr_t>(context) & (~uintptr_t{0} >> 1); }

enum class GKind : uint8_t {
  kGoroutine,
  kSystem,   // a machine's own stack, Go's g0
  kForeign,  // stands for a thread that is not ours
};

// What a goroutine that is not running will find in the machine's registers, beside its stack pointer (jump.h).
struct SavedRegisters {
  void* ip;
  void* fp;
  uint32_t mxcsr;
  uint16_t x87;
};

// Where control blocks lie below the tops of stacks: see spawn.cc.
inline constexpr size_t kStackColours = 16;
inline constexpr size_t kStackColourStep = 64;

struct alignas(64) G : Task {
  // A machine's own stack, or a stand-in for a foreign thread.
  explicit G(GKind what, Core* runtime = nullptr) : kind(what), core(runtime) { state.store(GState::kRunning); }
  // A new goroutine (spawn.cc), whose `context` is still to be made.
  G(Core* runtime, const Stack& its_stack, void* its_closure, void (*its_run)(void*), uint64_t its_id)
      : core(runtime), stack(its_stack), closure(its_closure), run(its_run) {
    id = its_id;
  }

  // What a switch reads and writes: one cache line,
  std::atomic<void*> context{nullptr};  // saved stack pointer, see invariant 1
  SavedRegisters saved;
  std::atomic<GState> state{GState::kIdle};
  GKind kind = GKind::kGoroutine;
  std::atomic<WaitReason> wait_reason{WaitReason::kNone};
  bool homing = false;               // preempted by a call on `bound`, where it goes on
  bool in_place = false;             // preempted inside a signal handler, which holds `bound`
  Machine* bound = nullptr;          // may run on this machine only
  Core* core = nullptr;              // its runtime

  // and what it also has to do with beginnings and ends: another.
  ExceptionGlobals exceptions;       // while it is switched out
  Stack stack;
  void* closure = nullptr;
  void (*run)(void* closure) = nullptr;
  std::atomic<Nanos> wait_since{0};  // coarse

  std::atomic<const void*> wait_object{nullptr};
  const char* name = nullptr;
  uint32_t lock_count = 0;           // LockOSThread
  uint64_t creator_id = 0;
  void* creator_pc = nullptr;
  std::atomic<const void*> labels{nullptr};  // a set of runtime/debug/labels.h, for profiles
  std::atomic<uint32_t> wake_word{0};  // kForeign: what its thread sleeps on
  uint32_t examined = 0;               // the monitor's: which park it has looked at last
  // trace/recorder.h. Not initialised: no recording has the number that memory may hold here, and a recording sets both.
  uint32_t trace_generation;         // of the recording that knows this goroutine
  uint32_t trace_seq;                // of its last event that other processors' events are put in order by

  void* sanitizer_fiber = nullptr;   // TSan's handle of this stack
  void* sanitizer_fake_stack = nullptr;
};

}  // namespace gyre::internal

#endif  // GYRE_RUNTIME_GOROUTINE_H_
