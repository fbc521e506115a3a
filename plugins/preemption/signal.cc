// Preemption by a call: the signal handler makes the goroutine call the scheduler, in ordinary context, at a place where that is
// safe. Go's way since 1.14, for C++. Cheaper than klt, for no thread changes hands.
//
// What it cannot interrupt: code outside the program's own text (libc, libstdc++, any shared object), where the goroutine runs on
// until it comes back from there; a call that blocks the thread in the kernel, outside of gyre::Blocking. And what a program
// must not do under it, for goroutines share threads and are stopped between any two instructions of their own:
//   - hold a lock of a library's over its own code: a std::mutex, say. The next goroutine on that thread that wants it blocks the
//     thread for ever. Locks of gyre's are fine;
//   - rely on a thread_local that others on the thread change: a counter that is read, added to and written back;
//   - initialise a function-local static that another goroutine initialises at the same time.
// The goroutine comes back on its own kernel thread, so the address of a thread-local that it holds stays right, as do errno
// and exceptions in flight. Programs that do any of this use klt.
#include <csignal>

#include "plugins/preemption/quantum.h"
#include "plugins/registry.h"

namespace gyre {
namespace {

class SignalPreemption final : public PreemptionStrategy {
 public:
  absl::Status Start(PreemptionHost& host, const PluginOptions& options) override {
    host_ = &host;
    quantum_ = options.Duration("quantum");
    absl::Status status = host.InstallHandler(kSignal, [](PreemptionHost& interrupted) { interrupted.PreemptByCall(); });
    if (!status.ok()) return status;
    return CheckQuantum("signal", host, PreemptionMeans::kCall, options);
  }

  void Request(ProcId proc, PreemptReason) override {
    host_->RaiseFlag(proc);
    host_->SignalMachine(proc, kSignal);
  }

  Nanos Quantum() const override { return quantum_; }
  PreemptionTraits traits() const override {
    return {.preempts = true, .asynchronous = true, .on_stack = true, .finest_quantum = 50'000};
  }

 private:
  static constexpr int kSignal = SIGURG;  // as klt

  PreemptionHost* host_ = nullptr;
  Nanos quantum_ = 0;
};

}  // namespace
}  // namespace gyre

GYRE_REGISTER_PREEMPTION("signal", gyre::SignalPreemption,
                         "makes the goroutine call the scheduler, in the program's own code only; cheaper than klt, but "
                         "not for programs that hold a std::mutex or count in thread_locals",
                         gyre::QuantumOption(), gyre::ForceOption());
