// Stopping the world, and changing the number of processors in it (gyre::SetProcs, Go's procresize).
//
// The stopper is a goroutine that holds a processor, with preemption off. The world stands when it holds all the others too:
//   one that sleeps       is claimed and woken (or, if it never had a machine, just taken)
//   one that computes     is asked to come to its scheduler, by a flag and by whatever the preemption strategy can do; a
//                         strategy that cannot interrupt a loop waits for the loop's end
//   one in a blocking call  is retaken, as the monitor does
// Each comes to RunLoop, where its machine lets go of it (StandStill) and becomes a spare one. The goroutine that it was about
// to run is kept until the world goes on.
//
// Invariants
//  1. While the world stands nobody but the stopper calls the policy, and no processor has a holder but the stopper's own.
//     Threads without a processor wait at PolicyGate; the monitor waits for monitor_lock_.
//  2. Processors are made once and never freed while the runtime lives: their addresses stay good, and what they have counted
//     is still summed up. Those from proc_count() on have no holder, no idle bit, and no timers.
//  3. One world stops at a time (world_owned_).
#include <ctime>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/core.h"
#include "runtime/go.h"
#include "runtime/panic.h"
#include "runtime/park.h"
#include "runtime/trace/recorder.h"

namespace gyre::internal {

void Core::Wait(int round) {
  constexpr int kPatience = 64;
  if (round < kPatience || virtual_) return engine_->Relax(round);
  const timespec nap = {0, 20'000};
  nanosleep(&nap, nullptr);
}

PolicyGate::PolicyGate(Core* core) : core_(core) {
  for (int round = 0;; ++round) {
    // Sequentially consistent, both: we count ourselves, then look; the stopper closes the gate, then looks at the count.
    core_->policy_calls_.fetch_add(1, std::memory_order_seq_cst);
    if (!core_->gate_closed_.load(std::memory_order_seq_cst)) return;
    core_->policy_calls_.fetch_sub(1, std::memory_order_seq_cst);
    core_->Wait(round);
  }
}

PolicyGate::~PolicyGate() { core_->policy_calls_.fetch_sub(1, std::memory_order_release); }

// In RunLoop: the world is to stand.
void Core::StandStill(Machine* m) {
  StopSpinning(m);
  {
    RawLockHolder hold(spares_lock_);
    if (G* g = std::exchange(m->next, nullptr)) {
      g->next = held_back_;
      held_back_ = g;
    }
    // Here already, so that the world goes on with the threads that it had.
    if (m->locked == nullptr) PutSpare(m);
  }
  Processor* p = Surrender(m);
  p->m.store(nullptr, std::memory_order_relaxed);
  // Release: the stopper sees the processor's state.
  p->stands.store(true, std::memory_order_release);
}

// Returns false if the runtime ends meanwhile: the world then goes on.
bool Core::StopWorld() {
  Processor* own = This().p;
  gate_closed_.store(true, std::memory_order_seq_cst);
  for (int round = 0; policy_calls_.load(std::memory_order_seq_cst) != 0; ++round) Wait(round);
  monitor_lock_.Lock();
  for (ProcId id = 0; id < proc_count_; ++id) {
    procs_[id].stands.store(&procs_[id] == own, std::memory_order_relaxed);
    if (&procs_[id] != own) procs_[id].attention.fetch_or(kAttentionWorld, std::memory_order_seq_cst);
  }
  for (int round = 0;; ++round) {
    int running = 0;
    for (ProcId id = 0; id < proc_count_; ++id) {
      Processor& p = procs_[id];
      if (p.stands.load(std::memory_order_acquire)) continue;
      ++running;
      if (ClaimIdle(id)) {
        if (p.m.load(std::memory_order_acquire) == nullptr) {
          p.stands.store(true, std::memory_order_relaxed);
        } else {
          idle_word_.fetch_add(kOneSpinning, std::memory_order_seq_cst);
          Unpark(id);
        }
      } else if (TakeFromCall(p)) {
        p.m.store(nullptr, std::memory_order_relaxed);
        p.stands.store(true, std::memory_order_relaxed);
      } else if (round % 16 == 1) {
        KeepSpares();  // a goroutine that is preempted in place needs one
        preemption_->Request(id, PreemptReason::kStopTheWorld);
      }
    }
    if (running == 0) return true;
    if (stopping()) break;
    Wait(round);
  }
  GoOn();
  return false;
}

void Core::GoOn() {
  for (ProcId id = 0; id < procs_made_; ++id) {
    procs_[id].attention.fetch_and(~static_cast<uint32_t>(kAttentionWorld), std::memory_order_seq_cst);
  }
  monitor_lock_.Unlock();
  gate_closed_.store(false, std::memory_order_seq_cst);
}

// Every processor but the stopper's gets a machine, which searches.
void Core::StartWorld() {
  ThreadState& thread = This();
  Processor* own = thread.p;
  while (G* g = held_back_) {
    held_back_ = static_cast<G*>(g->next);
    g->next = nullptr;
    if (timed_) own->context.now = engine_->Now();
    // The hint is not needed: all wake.
    policy_->Enqueue(own->context, g, EnqueueReason::kPreempted);
  }
  for (ProcId id = 0; id < proc_count_; ++id) {
    Processor& p = procs_[id];
    if (&p == own) continue;
    p.attention.fetch_and(~static_cast<uint32_t>(kAttentionWorld), std::memory_order_seq_cst);
    p.first_wake_spins = true;
    idle_word_.fetch_add(kOneSpinning, std::memory_order_seq_cst);
    HandOff(&p);
  }
  GoOn();
}

void Core::MakeProcessors(int count) {
  for (ProcId id = procs_made_; id < count; ++id) {
    Processor* p = ::new (static_cast<void*>(&procs_[id])) Processor;
    p->context.id = id;
    p->context.state = seeds_.Random() | 1;
    // The stack allocator knows as many processors as there were at first.
    p->stack_context = id < stack_procs_ ? &p->context : &p->shared_context;
    p->shared_context.state = seeds_.Random() | 1;
    p->core = this;
    p->policy = policy_.get();
    p->stacks = stacks_.get();
    p->attention.store((virtual_ ? kAttentionEngine : 0u) | (watched() ? kAttentionWatch : 0u), std::memory_order_relaxed);
    p->timers.Attach(this, id);
  }
  if (count > procs_made_) procs_made_ = count;
}

int Core::SetProcs(int count) {
  if (count > Config::kMaxProcs) {
    Panic(absl::StrCat("gyre::SetProcs(", count, "): there may be from 1 to ", Config::kMaxProcs, " processors"));
  }
  while (world_owned_.exchange(true, std::memory_order_acquire)) Yield();
  const int before = proc_count_;
  absl::Status status;
  if (count >= 1 && count != before) {
    NoPreempt off;
    if (StopWorld()) {
      status = policy_->Resize(Topology{count});
      if (status.ok()) Resize(count);
      StartWorld();
    }
  }
  world_owned_.store(false, std::memory_order_release);
  if (!status.ok()) Panic(absl::StrCat("gyre::SetProcs(", count, "): scheduler ", config_.scheduler, ": ", status.message()));
  return before;
}

// The world stands, and the policy knows.
void Core::Resize(int count) {
  MakeProcessors(count);
  watch_.resize(static_cast<size_t>(procs_made_));
  ThreadState& thread = This();
  if (Processor* own = thread.p; own->context.id >= count) {
    Processor* first = &procs_[0];
    first->slice.store(own->slice.load(std::memory_order_relaxed), std::memory_order_relaxed);
    first->dispatched_at = own->dispatched_at;
    first->dispatches.Add(1);  // requests for what ran there before must not hit us
    first->m.store(thread.m, std::memory_order_release);
    first->attention.fetch_and(~static_cast<uint32_t>(kAttentionWorld), std::memory_order_seq_cst);
    own->m.store(nullptr, std::memory_order_relaxed);
    thread.g->last_proc = 0;
    thread.p = thread.m->p = first;
    if (TraceRecorder* tracer = Tracer()) {
      tracer->GoYield(own, thread.g, /*preempted=*/false, /*in_signal_handler=*/false);
      tracer->ProcStop(own);
      tracer->ProcStart(first, thread.m);
      tracer->GoStart(first, thread.g);
    }
  }
  for (ProcId id = count; id < proc_count_; ++id) {
    procs_[id].timers.MoveTo(procs_[0].timers);
  }
  proc_count_ = count;
}

}  // namespace gyre::internal

namespace gyre {

int SetProcs(int count) {
  internal::ThreadState& thread = internal::This();
  if (thread.m == nullptr) return 0;
  if (thread.p == nullptr) Panic("gyre::SetProcs: called inside gyre::Blocking");
  return thread.m->core->SetProcs(count);
}

}  // namespace gyre
