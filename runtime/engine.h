// What a runtime runs on: kernel threads and the machine's clock, or the simulator's fibers and virtual time. Nothing
// above this interface reads a clock, makes a thread, or waits in the kernel.
#ifndef GYRE_RUNTIME_ENGINE_H_
#define GYRE_RUNTIME_ENGINE_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "plugins/config.h"
#include "plugins/options.h"
#include "plugins/proc_context.h"
#include "plugins/scheduler.h"
#include "plugins/task.h"
#include "runtime/stats.h"

namespace gyre::internal {

class Core;
struct G;
struct Machine;
struct PollBatch;
class Poller;

// What an engine with virtual time may charge for.
enum class Cost : uint8_t { kSwitch, kSteal, kWake, kPreempt, kSyscall };

class Engine {
 public:
  virtual ~Engine() = default;

  // Monotonic.
  virtual Nanos Now() = 0;
  virtual absl::Time WallNow() = 0;
  // Where random numbers begin.
  virtual uint64_t Seed() = 0;

  // Runs `m->core->MachineMain(m)` on a machine of its own. An error (no more threads) leaves nothing behind.
  virtual absl::Status StartMachine(Machine* m) = 0;

  // Blocks the calling machine until UnparkMachine (true) or `deadline` (false; kNever: none). An Unpark that comes first is
  // remembered: one, not several.
  virtual bool ParkMachine(Machine* m, Nanos deadline) = 0;
  virtual void UnparkMachine(Machine* m) = 0;

  // ---- Descriptors (netpoll.h) ----
  // A poller for the runtime, the only one. An error where the engine cannot watch descriptors, or the kernel refuses.
  virtual absl::StatusOr<std::shared_ptr<Poller>> MakePoller() {
    return absl::UnimplementedError(
        "this engine's time is virtual, and the kernel's descriptors know only real time: run with --engine=threads");
  }
  // As ParkMachine. If no other machine does, it waits in the poller, and may return (false) with goroutines in `batch`.
  virtual bool ParkMachineInPoller(Machine* m, Nanos deadline, Poller&, PollBatch*) { return ParkMachine(m, deadline); }

  // One round of waiting for another machine to do something soon: about a microsecond at first, more gently later.
  virtual void Relax(int round) = 0;

  // Runs `tick`, now and again, beside the machines: it returns when it wants to be called next (kNever: when
  // WakeMonitor is called). StopMonitor waits for a tick in progress.
  virtual absl::Status StartMonitor(std::function<Nanos()> tick) = 0;
  virtual void WakeMonitor() = 0;
  virtual void StopMonitor() = 0;

  // The kernel threads that serve `machines` machines and the monitor.
  virtual int KernelThreads(int machines) const = 0;

  // The running goroutine computes for `d`, and is preempted meanwhile as its policy and its slice ask (gyre::Work).
  virtual void Work(Nanos d) = 0;

  // ---- Engines with virtual time only ----
  // The number of processors where the configuration has none; 0: that of the machine.
  virtual int DefaultProcs() const { return 0; }
  // Read once: whether the rest is to be called.
  virtual bool is_virtual() const { return false; }
  // The policy that is to be used instead of the configured one; null: none.
  virtual std::unique_ptr<SchedulerPolicy> MakeOwnPolicy() { return nullptr; }
  // The calling machine spends what the model says that this costs.
  virtual void Charge(Cost) {}
  // `m` should look at its processor's attention word now, although it works.
  virtual void Interrupt(Machine*) {}
  // The running goroutine makes a runtime call: it takes time, its slice may end, and another schedule would go on with
  // another goroutine. Preemption is on.
  virtual void Called() {}
  // `g` is about to run on `proc`: charges for the switch.
  virtual void Dispatching(ProcId, const G&) {}
  // All goroutines sleep for ever. True: the engine has stopped the runtime; false: it is for the runtime to report.
  virtual bool Deadlocked() { return false; }
  // The process would end with this report. Returns unless the engine ends the run instead.
  // `frames`: where the caller is, or null.
  virtual void Failed(const std::string&, void* const*, int) {}
  // One of `n` things happens: which? For layers that draw lots (a select among its ready cases), while `exploring`.
  virtual uint32_t Choose(uint32_t) { return 0; }
  // What the engine counts.
  virtual void AddStats(RuntimeStats*) const {}
};

// One kind of engine. "threads" is always there; others register themselves before main begins, where they are linked in.
struct EngineKind {
  std::string name;
  std::string help;
  std::vector<OptionSpec> options;
  // `inner`: what the user wrote in parentheses behind the name; empty: nothing.
  absl::StatusOr<std::unique_ptr<Engine>> (*make)(const Config& config, const PluginOptions& options,
                                                  const std::string& inner);
};
bool RegisterEngine(EngineKind kind);  // returns true
const std::vector<EngineKind>& ListEngines();

// From config.engine, "simulation:switch=20ns,wake=5us" or "simulation(pct:depth=2)". An unknown name or option is an error that lists the known ones.
absl::StatusOr<std::unique_ptr<Engine>> MakeEngine(const Config& config);
std::unique_ptr<Engine> MakeThreadsEngine(const Config& config);

}  // namespace gyre::internal

#endif  // GYRE_RUNTIME_ENGINE_H_
