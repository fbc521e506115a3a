// The interface of a preemption strategy: how a goroutine that has used up its slice is made to let go of its processor.
//
// The runtime's monitor decides when (a slice is over, the world must stop); the strategy knows how. A request is best
// effort and may come late or twice: the runtime repeats it.
#ifndef GYRE_PLUGINS_PREEMPTION_H_
#define GYRE_PLUGINS_PREEMPTION_H_

#include <cstdint>

#include "absl/status/status.h"
#include "plugins/options.h"
#include "plugins/proc_context.h"

namespace gyre {

enum class PreemptReason : uint8_t { kSliceOver, kPolicy, kStopTheWorld };

// What a preemption is made of.
enum class PreemptionMeans : uint8_t {
  kHandOver,  // PreemptInPlace: the processor goes to another thread, and from there to the next goroutine's
  kCall,      // PreemptByCall
};

// What the runtime does for a strategy.
class PreemptionHost {
 public:
  virtual ~PreemptionHost() = default;

  // Makes the goroutine on `proc` yield at its next runtime call or gyre::Checkpoint(). Any thread.
  virtual void RaiseFlag(ProcId proc) = 0;

  // Sends `signal` to the kernel thread that holds `proc` now. Any thread.
  virtual void SignalMachine(ProcId proc, int signal) = 0;

  // For the handler of that signal, in it: the goroutine that was interrupted stays where it is, with its kernel thread, and its
  // processor goes on on another one. Returns when the goroutine has been given a processor again (true), or at once: the
  // request came too late, or preemption was off (it then happens when it is on again), or no thread was spare.
  virtual bool PreemptInPlace() = 0;

  // Likewise: the goroutine that was interrupted calls the scheduler when the handler returns, in ordinary context, and goes on
  // afterwards on its own kernel thread, with all its registers. False: not where it is now (it is asked again soon), or
  // preemption was off (it then happens when it is on again).
  virtual bool PreemptByCall() = 0;

  // What one preemption takes on this machine, in nanoseconds of a processor's time. Measured at the first call, which takes
  // some milliseconds.
  virtual Nanos CostOf(PreemptionMeans means) = 0;

  // Has `handler` called in the signal handler of `signal` on threads that run a goroutine, once per process and signal.
  virtual absl::Status InstallHandler(int signal, void (*handler)(PreemptionHost&)) = 0;
};

struct PreemptionTraits {
  bool preempts = true;       // false: a request does nothing, and the monitor makes none
  bool asynchronous = false;  // interrupts a loop that makes no call
  bool on_stack = false;      // uses the goroutine's own stack for that (PreemptByCall)
  Nanos default_quantum = 10'000'000;
  Nanos finest_quantum = 0;
};

class PreemptionStrategy {
 public:
  virtual ~PreemptionStrategy() = default;
  virtual absl::Status Start(PreemptionHost& host, const PluginOptions& options) = 0;
  virtual void Stop() {}
  virtual void Request(ProcId proc, PreemptReason why) = 0;  // any thread; idempotent; best effort
  virtual Nanos Quantum() const = 0;                         // the slice of a goroutine whose policy gave none
  virtual PreemptionTraits traits() const = 0;
};

}  // namespace gyre

#endif  // GYRE_PLUGINS_PREEMPTION_H_
