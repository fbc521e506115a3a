// The engine `simulation`: virtual processors and virtual time on one kernel thread, a discrete-event simulation of a
// machine whose programs are real.
//
//   --engine=simulation:switch=20ns,wake=5us --procs=256 --seed=7
//   --engine='simulation(pct:depth=2)' --seed=7     one schedule, that an exploration strategy chooses
//   (plugins/strategy.h)
//
// Every machine of the runtime is a fiber (fiber.h). One runs at a time; what it executes takes no virtual time, except
// where the model says so: a switch, a steal, a wake-up, a preemption, a blocking call (costs.h), and gyre::Work. When
// time passes for a machine, whoever's moment comes first goes on (event_queue.h), and the clock moves to that moment.
// So the clock stands still while anybody computes anything, and jumps when all processors are idle or at work.
//
// The same program, configuration and seed give the same run, event for event: there is one thread, no clock, and every
// random number comes from the seed. The trace hash over all events tells whether two runs were the same.
//
// What a program may not do here: wait for something outside the simulation in virtual time. A goroutine that blocks
// its kernel thread blocks everybody; a thread that is not the simulator's may not call in.
#ifndef GYRE_RUNTIME_SIMULATION_ENGINE_H_
#define GYRE_RUNTIME_SIMULATION_ENGINE_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "plugins/strategy.h"
#include "runtime/engine.h"
#include "runtime/simulation/chooser.h"
#include "runtime/simulation/costs.h"
#include "runtime/simulation/event_queue.h"
#include "runtime/simulation/fiber.h"

namespace gyre::internal::simulation {

class SimulationEngine final : public Engine {
 public:
  // `strategy`: explores, has begun its run, and outlives the engine; null: no exploration. `owned`: a strategy that
  // may be that one.
  SimulationEngine(const Config& config, const PluginOptions& options, ExplorationStrategy* strategy,
                   std::unique_ptr<ExplorationStrategy> owned = nullptr);
  ~SimulationEngine() override;

  Nanos Now() override { return now_; }
  absl::Time WallNow() override;
  uint64_t Seed() override { return seed_; }
  absl::Status StartMachine(Machine* m) override;
  bool ParkMachine(Machine* m, Nanos deadline) override;
  void UnparkMachine(Machine* m) override;
  void Relax(int round) override;
  // Work does what the monitor would.
  absl::Status StartMonitor(std::function<Nanos()>) override { return absl::OkStatus(); }
  void WakeMonitor() override {}
  // The run is over.
  void StopMonitor() override;
  int KernelThreads(int) const override { return 1; }
  void Work(Nanos d) override;

  bool is_virtual() const override { return true; }
  int DefaultProcs() const override { return chooser_ != nullptr ? 1 : 0; }
  void Charge(Cost cost) override;
  void Interrupt(Machine* m) override;
  void Dispatching(ProcId proc, const G& g) override;
  std::unique_ptr<SchedulerPolicy> MakeOwnPolicy() override;
  void Called() override;
  uint32_t Choose(uint32_t n) override;
  bool Deadlocked() override;
  void AddStats(RuntimeStats* stats) const override {
    stats->events = events_;
    stats->trace_hash = trace_hash_;
  }
  void Failed(const std::string& report, void* const* frames, int frame_count) override;

  // The trace hash after each event, with its time, from now on.
  struct TracePoint {
    uint64_t hash;
    Nanos now;
  };
  void KeepTrace(std::vector<TracePoint>* kept) { kept_ = kept; }

  // A panic that nobody catches, a fatal error and a deadlock end the run, not the process: failure() tells.
  void CatchFailures() { catch_failures_ = true; }
  const std::string& failure() const { return failure_; }

  // Returns when all other goroutines are blocked, before time moves on for any timer. By one goroutine at a time.
  void WaitForOthers();

  // Null without an exploration.
  const Chooser* chooser() const { return chooser_.get(); }

 private:
  enum class Event : uint8_t { kDispatch, kUnpark, kDeadline, kSliceEnd };

  Fiber* FiberOf(Machine* m);
  static void RunMachine(Fiber* fiber);
  // The calling machine goes on at `when`; others do before, if their moments come first.
  void AdvanceTo(Nanos when);
  void AdvanceBy(Nanos d) { AdvanceTo(now_ + d); }
  void Enqueue(Fiber* fiber, Nanos when);
  // Leaves the current fiber, which has its event already or is parked, for the next one.
  void RunNext();
  // The slice of what runs on `p` is over.
  void EndSlice(Core* core, Processor* p);
  // The current machine is about to be idle: it may take the timers of those that compute.
  void OfferTimers();
  void SetOverdue(Fiber* fiber, bool overdue);
  // All others are parked, and the current machine is about to.
  void ReadyWaiter();
  void Count();
  void Summarize() const;
  void Record(Event event, uint64_t who, uint64_t what);

  const Costs costs_;
  const uint64_t seed_;
  const bool shuffle_ties_;
  enum class Reports : uint8_t { kFailures, kSummary };
  const Reports report_;
  Nanos now_ = 0;
  Fiber* current_;
  EventQueue queue_;
  std::deque<Fiber> fibers_;   // all that there were; the first is the thread's own
  std::vector<Fiber*> ended_;  // whose stacks may serve again
  uint64_t sequence_ = 0;      // of events, for ties
  ProcContext random_;         // the engine's own
  int overdue_ = 0;            // fibers whose flag says so
  int active_ = 1;             // fibers that do not just wait for an unpark or a deadline
  G* waiter_ = nullptr;        // in WaitForOthers
  const std::unique_ptr<ExplorationStrategy> owned_strategy_;
  std::unique_ptr<Chooser> chooser_;
  bool catch_failures_ = false;
  std::string failure_;
  uint64_t trace_hash_ = 0;
  std::vector<TracePoint>* kept_ = nullptr;
  uint64_t events_ = 0;          // that are in it
  uint64_t first_id_ = 0;        // of the runtime's goroutines, see Record
  uint64_t at_one_instant_ = 0;  // events since the clock moved
};

// From config.engine, which must begin with "simulation"; an error says what is valid.
absl::StatusOr<std::unique_ptr<SimulationEngine>> MakeSimulationEngine(const Config& config,
                                                                       ExplorationStrategy* strategy);

}  // namespace gyre::internal::simulation

#endif  // GYRE_RUNTIME_SIMULATION_ENGINE_H_
