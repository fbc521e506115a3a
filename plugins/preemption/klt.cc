// Preemption that is safe for any C++ code: the goroutine that is interrupted keeps its kernel thread, which parks inside the
// signal handler, and its processor goes on on another thread. Whatever the goroutine holds (a lock of malloc's, a
// thread-local's address, an exception in flight) stays with its thread.
//
// Source: Shiina, Iwasaki, Taura, Balaji, "Lightweight Preemptive User-Level Threads", PPoPP 2021 (KLT-switching).
#include <csignal>

#include "plugins/preemption/quantum.h"
#include "plugins/registry.h"

namespace gyre {
namespace {

class KltPreemption final : public PreemptionStrategy {
 public:
  absl::Status Start(PreemptionHost& host, const PluginOptions& options) override {
    host_ = &host;
    quantum_ = options.Duration("quantum");
    absl::Status status = host.InstallHandler(kSignal, [](PreemptionHost& interrupted) { interrupted.PreemptInPlace(); });
    if (!status.ok()) return status;
    return CheckQuantum("klt", host, PreemptionMeans::kHandOver, options);
  }

  void Request(ProcId proc, PreemptReason) override {
    // A goroutine that reaches a runtime call first yields there, which is cheaper; the signal then comes too late.
    host_->RaiseFlag(proc);
    host_->SignalMachine(proc, kSignal);
  }

  Nanos Quantum() const override { return quantum_; }
  PreemptionTraits traits() const override { return {.preempts = true, .asynchronous = true, .finest_quantum = 50'000}; }

 private:
  // Go's choice: ignored by default, spurious ones are expected, and debuggers pass it on.
  static constexpr int kSignal = SIGURG;

  PreemptionHost* host_ = nullptr;
  Nanos quantum_ = 0;
};

}  // namespace
}  // namespace gyre

GYRE_REGISTER_PREEMPTION("klt", gyre::KltPreemption,
                         "interrupts any code; the goroutine keeps its kernel thread, the processor moves on",
                         gyre::QuantumOption(), gyre::ForceOption());
