// The interface of a scheduling policy: a decision over data structures.
//
// The runtime owns the loop, parking, timers and the context switch; a policy says which runnable goroutine comes next.
// To write one: derive from SchedulerPolicy, implement Start, Enqueue and PickNext, and end the file with
// GYRE_REGISTER_SCHEDULER (registry.h). docs/first-policy.md leads through it.
//
// Who calls what from where
//  1. Enqueue and PickNext are called by many threads at once, each with a ProcContext of its own; no two calls with the
//     same ProcContext overlap. State reached through `p.id` alone is therefore private to the call.
//  2. They are called with preemption off and must not block (a short lock is fine), throw, or call into gyre.
//  3. A task is enqueued at most once before it is picked, and picked exactly once after it was enqueued.
//  4. A task that PickNext returned belongs to the runtime until the next Enqueue of it.
#ifndef GYRE_PLUGINS_SCHEDULER_H_
#define GYRE_PLUGINS_SCHEDULER_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "plugins/options.h"
#include "plugins/proc_context.h"
#include "plugins/task.h"

namespace gyre {

struct Topology {
  int procs = 1;  // processors 0 .. procs-1
};

enum class EnqueueReason : uint8_t {
  kNew,        // a goroutine was just made, by the one that runs on `from`
  kUnblocked,  // what it waited for happened
  kYielded,    // it gave way (gyre::Yield); it expects others to run first
  kPreempted,  // its slice ended
  kInjected,   // made or woken by a thread that has no processor: from.id is kNoProc
};

enum class PickMode : uint8_t {
  kFast,        // what is at hand; null sends the processor to look around, it loses nothing
  kSearch,      // look everywhere, but a task that its processor is about to run may be left to it
  kExhaustive,  // null only if nothing at all is runnable: the processor goes to sleep on that answer
};

struct Dispatch {
  Task* task = nullptr;
  Nanos slice = 0;  // how long it may run before it is preempted; 0: the runtime's quantum
};

// What should happen because of an Enqueue, beyond its having happened.
struct WakeHint {
  enum Kind : uint8_t {
    kNone,     // some processor will come to it by itself
    kAnyIdle,  // wake an idle processor, if there is one and nobody is searching already
    kProc,     // wake `proc`, if it is idle
    kPreempt,  // end the slice of what runs on `proc`
  };
  Kind kind = kNone;
  ProcId proc = kNoProc;
};

struct PolicyTraits {
  bool wants_task_hooks = false;   // TaskCreated, TaskExited, AttributesChanged
  bool wants_block_hook = false;   // TaskBlocked
  bool wants_times = false;        // Task::ready_at and ran_for, and an exact ProcContext::now (costs a clock read a switch)
};

struct PolicyStats {
  uint64_t steals = 0;       // searches that took work from another processor
  uint64_t stolen = 0;       // tasks that moved so
  uint64_t overflows = 0;    // times a full local queue spilled
  uint64_t shared_picks = 0; // tasks that came from a queue shared by all
};

// Receives a policy's view of itself, for dumps: a flat list of names and numbers.
class StateWriter {
 public:
  virtual ~StateWriter() = default;
  virtual void Number(absl::string_view name, int64_t value) = 0;
  virtual void ProcNumber(ProcId proc, absl::string_view name, int64_t value) = 0;
};

class SchedulerPolicy {
 public:
  virtual ~SchedulerPolicy() = default;

  // Called once, before anything else, on one thread. An error is shown to the user and the runtime does not start.
  virtual absl::Status Start(const Topology& topology, const PluginOptions& options) = 0;

  // `t` is runnable.
  virtual WakeHint Enqueue(ProcContext& from, Task* t, EnqueueReason why) = 0;

  // The task that `p` should run now.
  virtual Dispatch PickNext(ProcContext& p, PickMode mode) = 0;

  // A task gives way: Enqueue(p, t, why), then PickNext(p, kFast), as one decision. `hint` is Enqueue's answer. Whoever
  // overrides it, for speed, must give the same answers.
  virtual Dispatch EnqueueThenPick(ProcContext& p, Task* t, EnqueueReason why, WakeHint& hint) {
    hint = Enqueue(p, t, why);
    return PickNext(p, PickMode::kFast);
  }

  // The number of processors changes; no other call is under way. Every enqueued task must stay reachable. The default
  // says that the policy cannot.
  virtual absl::Status Resize(const Topology& topology);

  // Read once, after Start: hooks that are not asked for are not called, and cost nothing.
  virtual PolicyTraits traits() const { return {}; }
  virtual void TaskCreated(ProcContext&, Task&) {}
  virtual void TaskBlocked(ProcContext&, Task&) {}        // it parked; it is not enqueued
  virtual void TaskExited(ProcContext&, Task&) {}
  virtual void AttributesChanged(ProcContext&, Task&) {}  // priority, weight or deadline, of a task that runs

  virtual PolicyStats Stats() const { return {}; }        // any thread; may be slightly stale
  virtual void DumpState(StateWriter&) const {}           // any thread, approximate
};

inline absl::Status SchedulerPolicy::Resize(const Topology&) {
  return absl::UnimplementedError("this scheduler keeps the number of processors that it started with");
}

}  // namespace gyre

#endif  // GYRE_PLUGINS_SCHEDULER_H_
