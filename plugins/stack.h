// The interface of a stack allocator: where goroutines' stacks come from, how they grow and when they are given back.
//
// The runtime puts a goroutine's control block and closure at the top of its stack, so a stack is all the memory that a
// goroutine needs. Allocate and Free are on the path of every spawn and exit: the usual answer comes from a cache that is
// private to the processor, with no lock.
//
// Who calls what from where
//  1. Allocate and Free are called by many threads at once; no two calls with the same ProcContext overlap. Calls with
//     p.id == kNoProc come from foreign threads, each with its own context, and do overlap.
//  2. A stack is freed on whatever processor its goroutine ended on, perhaps another than it was allocated on.
//  3. The content of a stack that comes back from Allocate is arbitrary.
//  4. OnFault runs in a signal handler on the alternate signal stack: async-signal-safe, no lock.
#ifndef GYRE_PLUGINS_STACK_H_
#define GYRE_PLUGINS_STACK_H_

#include <cstddef>
#include <cstdint>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "plugins/options.h"
#include "plugins/proc_context.h"

namespace gyre {

struct Stack {
  char* low = nullptr;    // lowest address that may ever be used; what lies below is a guard, or is not ours
  char* top = nullptr;    // one past the highest address; aligned to 64 bytes
  uint64_t cookie = 0;    // the allocator's own

  size_t size() const { return static_cast<size_t>(top - low); }
  explicit operator bool() const { return top != nullptr; }
};

enum class FaultAction : uint8_t {
  kNotMine,   // the address has nothing to do with this stack: an ordinary segmentation fault
  kRetry,     // the stack grew; run the instruction again
  kOverflow,  // the limit is reached
  kNoMemory,  // it should grow but the operating system refused
};

struct StackStats {
  uint64_t live = 0;        // handed out now
  uint64_t cached = 0;      // ready to be handed out
  uint64_t grown = 0;       // times a stack was enlarged
  uint64_t shrunk = 0;      // times one was found too large for what it held, and gave memory back
  uint64_t shrunk_bytes = 0;
  uint64_t hot_splits = 0;  // crossings of segments' edges after each one's first, as far as they have been counted
  uint64_t reserved_bytes = 0;  // address space
  uint64_t trimmed = 0;     // unused stacks whose memory went back to the operating system
  uint64_t trimmed_bytes = 0;
};

struct StackTraits {
  // The word that code compiled with -fsplit-stack compares its stack pointer with (%fs:0x70 on x86-64) travels with the
  // goroutine: Stack::cookie is its value at the beginning, and holds it while the goroutine is switched out. Goroutines also begin and end as MayBegin says.
  bool needs_switch_hooks = false;
  bool can_signal_on_stack = true;    // a signal handler's frame may be put on the goroutine's stack
  size_t red_zone = 128;
  size_t small_closure = 2048;        // bytes up to which a closure fits into any stack
};

class StackAllocator {
 public:
  virtual ~StackAllocator() = default;

  // Called once, before anything else. An error is shown to the user and the runtime does not start.
  // `procs` is the largest number of processors there will be.
  virtual absl::Status Start(int procs, const PluginOptions& options) = 0;

  // A stack of at least `min` usable bytes (0: the allocator's default). An empty Stack: exhausted, errno says why.
  virtual Stack Allocate(ProcContext& p, size_t min) = 0;
  virtual void Free(ProcContext& p, Stack stack) = 0;

  virtual FaultAction OnFault(Stack&, uintptr_t /*address*/) noexcept { return FaultAction::kNotMine; }

  // Whether the address lies in the goroutine's stack, all parts of it. Like OnFault, it may run in a signal handler.
  virtual bool Holds(const Stack& stack, uintptr_t address) const noexcept {
    return address >= reinterpret_cast<uintptr_t>(stack.low) && address < reinterpret_cast<uintptr_t>(stack.top);
  }
  // OnFault answered kOverflow: how many bytes the goroutine may use at most.
  virtual size_t LimitAt(const Stack& stack, uintptr_t /*address*/) const noexcept { return stack.size(); }

  // Where needs_switch_hooks. Whether `run` may be called at the upper end of a new stack, however deep it goes.
  virtual bool MayBegin(void (*)(void*)) const { return true; }
  // On a goroutine's stack: calls f(argument) where any code may run.
  virtual void CallWithRoom(void (*f)(void*), void* argument) { f(argument); }

  // The goroutine is parked with its stack pointer at `sp`. Returns the bytes given back.
  virtual size_t Shrink(Stack&, uintptr_t /*sp*/) { return 0; }

  // The monitor calls it when there are more unused stacks than are wanted: leave at most `keep` bytes of them resident,
  // but stop after having given back about `most`. Returns the bytes given back; 0: there is no more to be had.
  virtual size_t Trim(size_t /*keep*/, size_t /*most*/) { return 0; }

  // Every stack that was ever handed out and whose memory is still mapped, live or not; a recycled one may read as zero
  // bytes. All other functions may run at the same time.
  virtual void ForEach(absl::FunctionRef<void(const Stack&)> visit) = 0;

  // The same in portions: about `most` stacks, beginning where `place` says, which is 0 for the first portion and else what
  // the last one returned. Returns 0 after the last portion. Stacks that are new meanwhile may be left out.
  virtual uint64_t ForSome(uint64_t /*place*/, size_t /*most*/, absl::FunctionRef<void(const Stack&)> visit) {
    ForEach(visit);
    return 0;
  }

  virtual StackStats Stats() const = 0;
  virtual StackTraits traits() const { return {}; }
};

}  // namespace gyre

#endif  // GYRE_PLUGINS_STACK_H_
