// What a runtime runs on: kernel threads and the machine's clock, or the simulator's fibers and virtual time. Nothing
// above this interface reads a clock, makes a thread, or waits in the kernel.
#ifndef GYRE_RUNTIME_ENGINE_H_
#define GYRE_RUNTIME_ENGINE_H_

#include <functional>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "plugins/config.h"
#include "plugins/task.h"

namespace gyre::internal {

class Core;
struct Machine;

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

  // One round of waiting for another machine to do something soon: about a microsecond at first, more gently later.
  virtual void Relax(int round) = 0;

  // Runs `tick`, now and again, beside the machines: it returns when it wants to be called next (kNever: when
  // WakeMonitor is called). StopMonitor waits for a tick in progress.
  virtual absl::Status StartMonitor(std::function<Nanos()> tick) = 0;
  virtual void WakeMonitor() = 0;
  virtual void StopMonitor() = 0;
};

// "threads" (or "simulation", where it is linked in). An unknown name is an error that lists the known ones.
absl::StatusOr<std::unique_ptr<Engine>> MakeEngine(const Config& config);
std::unique_ptr<Engine> MakeThreadsEngine(const Config& config);

}  // namespace gyre::internal

#endif  // GYRE_RUNTIME_ENGINE_H_
