// Tests in virtual time: a body that runs on the simulator, from a GoogleTest body or anywhere else.
//
//   TEST(Cache, ForgetsAfterAnHour) {
//     const auto result = gyre::Simulate({}, [] {
//       Cache cache;                                    // its timers, goroutines, channels are gyre's
//       cache.Put("a", 1);
//       gyre::Sleep(absl::Minutes(61));                 // takes no time
//       EXPECT_FALSE(cache.Has("a"));
//     });
//     EXPECT_EQ(result.failure, "");                    // no deadlock, no panic
//   }
//
// The clock starts at 2000-01-01 00:00 UTC in each simulation and stands still while anything computes. One
// configuration and seed always give the same run: compare trace_hash. The body must do without other threads, sockets
// and files that block.
#ifndef GYRE_RUNTIME_SIMULATION_SIMULATE_H_
#define GYRE_RUNTIME_SIMULATION_SIMULATE_H_

#include <cstdint>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/time/time.h"
#include "plugins/config.h"
#include "runtime/stats.h"

namespace gyre {

struct SimulateOptions {
  // Plug-ins, number of processors (default 4) and seed (default 1). The engine is "simulation", with options if some
  // are given here: "simulation:switch=0ns".
  Config config = {};
};

struct SimulationResult {
  // Empty if the body returned. Else how the run ended, with the traces of all goroutines: "panic: ..." (uncaught, in
  // any goroutine) or "fatal error: ..." (all goroutines are asleep - deadlock!, unlock of unlocked mutex, ...).
  std::string failure;
  absl::Duration elapsed;       // virtual
  int64_t goroutines_left = 0;  // that still existed when the body returned
  uint64_t trace_hash = 0;      // stats.trace_hash: two runs that have the same were the same
  RuntimeStats stats;
};

// Runs body() as the main goroutine of a runtime of its own, on the calling thread, which must run no goroutine.
// Goroutines that are left at its end are abandoned where they are. Throws std::invalid_argument for a configuration
// that is wrong.
SimulationResult Simulate(const SimulateOptions& options, absl::FunctionRef<void()> body);

// Runs body() twice, alike, and compares the two runs event for event. Empty if they were the same; else a sentence:
// from which event and virtual time on they differ. What makes them differ is the body's: a clock, a random number or
// an address that it did not get from here, or state that the first run left behind. Throws as Simulate does.
std::string CheckRepeatable(const SimulateOptions& options, absl::FunctionRef<void()> body);

// In a simulation: returns when every other goroutine is blocked, before virtual time moves on. A panic elsewhere, and
// while another goroutine is in it.
void Wait();

}  // namespace gyre

#endif  // GYRE_RUNTIME_SIMULATION_SIMULATE_H_
