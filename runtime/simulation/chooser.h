// The scheduling policy of an exploration: whoever the strategy says. It also keeps the record of what was decided.
//
// One virtual processor, one thread: no locks.
#ifndef GYRE_RUNTIME_SIMULATION_CHOOSER_H_
#define GYRE_RUNTIME_SIMULATION_CHOOSER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "plugins/decisions.h"
#include "plugins/scheduler.h"
#include "plugins/strategy.h"

namespace gyre::internal::simulation {

// What happened at a decision that was not alternative 0, or at a preemption.
struct Decision {
  uint64_t number = 0;
  uint32_t choice = 0;
  uint64_t from = 0;  // goroutines, numbered from 1 (the main one) in the order of their making; 0: a draw of lots
  uint64_t to = 0;
  bool preemption = false;
  std::vector<void*> where;  // the return addresses of who was preempted
};

class Chooser {
 public:
  // `strategy` has begun its run.
  explicit Chooser(ExplorationStrategy* strategy) : strategy_(strategy) {}

  // The running goroutine, `current`, could be preempted here. True: it must give way; the next Pick is settled.
  bool WantsPreemption(const Task& current);
  void Enqueue(Task* t, EnqueueReason why);
  Task* Pick();
  uint32_t Draw(uint32_t n);

  uint64_t decisions() const { return number_; }  // so far
  Decisions Schedule() const;                     // that were not alternative 0
  int preemptions() const;                        // among those
  // A line for each of those, and where in the program the one was that was stopped.
  std::string Interleaving() const;

 private:
  uint64_t NumberOf(const Task& t);
  uint32_t Choose(const Alternatives& alternatives, uint64_t from);

  ExplorationStrategy* const strategy_;
  std::vector<Task*> runnable_;    // longest first
  std::vector<uint64_t> ids_;      // } scratch
  std::vector<Task*> candidates_;  // }
  Task* settled_ = nullptr;
  uint64_t streak_ = 0;      // how often in a row the running goroutine went on although others could
  bool impatient_ = false;   // who gives way next does so for any other
  Task* yielded_ = nullptr;  // gave way of its own will, to anybody else
  uint64_t first_id_ = 0;
  uint64_t number_ = 0;
  std::vector<Decision> record_;
};

// Hands the runtime's questions to a Chooser.
class ChooserPolicy final : public SchedulerPolicy {
 public:
  explicit ChooserPolicy(Chooser* chooser) : chooser_(chooser) {}
  absl::Status Start(const Topology&, const PluginOptions&) override { return absl::OkStatus(); }
  WakeHint Enqueue(ProcContext&, Task* t, EnqueueReason why) override {
    chooser_->Enqueue(t, why);
    return {WakeHint::kAnyIdle};
  }
  Dispatch PickNext(ProcContext&, PickMode) override { return {chooser_->Pick()}; }

 private:
  Chooser* const chooser_;
};

}  // namespace gyre::internal::simulation

#endif  // GYRE_RUNTIME_SIMULATION_CHOOSER_H_
