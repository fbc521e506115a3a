// Leaving a goroutine and choosing the next one.
//
// A goroutine that parks, yields or ends picks its successor itself and switches straight to it. Only when there is
// none at hand, or the processor is wanted for something else, or the successor is not ready to be entered, does it
// switch to its machine's own stack, where RunLoop searches, waits and sleeps.
#include "runtime/contention_profile.h"
#include "runtime/core.h"
#include "runtime/foreign.h"
#include "runtime/go.h"
#include "runtime/panic.h"
#include "runtime/park.h"
#include "runtime/segments.h"
#include "runtime/switch.h"
#include "runtime/unwind.h"

namespace gyre::internal {

namespace {

// Whether `g` may be entered from another goroutine's stack; `context` is what to enter then. Acquire: pairs with the
// release in FinishSwitch, so that the goroutine's stack and state are complete.
inline bool CanEnterDirectly(G* g, void** context) {
  *context = g->context.load(std::memory_order_acquire);
  return MayEnter(*context) && g->bound == nullptr;
}

}  // namespace

void Core::AccountRun(Processor* p, G* left) {
  if (!timed_) return;
  const Nanos now = engine_->Now();
  left->ran_for += now - p->dispatched_at;
  p->context.now = now;
}

// Comparing with the clock costs more than a switch, so it is done at most once in some 400 ns. The CPU's counter
// tells: whatever it says, that a switch looks at the clock too often or, if it stood still, that the monitor finds the
// timer.
bool Core::TimersAreDue(Processor* p) {
  const Nanos earliest = p->timers.EarliestRelaxed();
  if (earliest == kNever) return false;
#if defined(__x86_64__)
  constexpr uint64_t kTicks = 1024;
  if (!virtual_) {
    const uint64_t ticks = __builtin_ia32_rdtsc();
    if (ticks - p->timers_seen_at < kTicks) return false;
    p->timers_seen_at = ticks;
  }
#endif
  return earliest <= engine_->Now();
}

// `self` has been put away; `next`, which may be null, cannot be entered from here: the machine's own stack sees to it.
[[gnu::noinline]] void Core::LeaveFor(G* self, G* next) {
  ThreadState& thread = This();
  Machine* m = thread.m;
  m->next = next;
  SwitchTo(thread, m, self, &m->system, m->system.context.load(std::memory_order_relaxed));
}

// Nobody watches. Returns when `self` runs again.
[[gnu::always_inline]] inline void Core::EnterSuccessor(ThreadState& thread, Processor* p, G* self, G* next) {
  void* context;
  if (next == self) {
    DispatchedUnseen(p, self);
  } else if (next != nullptr && CanEnterDirectly(next, &context)) [[likely]] {
    DispatchedUnseen(p, next);
    SwitchTo(thread, thread.m, self, next, context);
  } else {
    LeaveFor(self, next);
  }
}

// `self` has been put away: it is waiting, dead, or runnable and enqueued. Returns when it runs again.
[[gnu::always_inline]] inline void Core::SwitchOut(G* self) {
  ThreadState& thread = This();
  Processor* p = thread.p;
  // Relaxed: whoever asks for attention repeats himself or wakes us, and it is looked at again before any sleep.
  if (p->attention.load(std::memory_order_relaxed) == 0 && self->bound == nullptr) [[likely]] {
    EnterSuccessor(thread, p, self, Pick(p, PickMode::kFast));
  } else {
    SwitchOutSlow(self);
  }
}

[[gnu::noinline]] void Core::SwitchOutSlow(G* self) {
  ThreadState& thread = This();
  Processor* p = thread.p;
  G* next = nullptr;
  if ((p->attention.load(std::memory_order_relaxed) & kAttentionLeave) == 0 && self->bound == nullptr &&
      !TimersAreDue(p)) {
    next = Pick(p, PickMode::kFast);
    if (next == self) {
      Dispatched(p, self);
      return;
    }
    void* context;
    if (next != nullptr && CanEnterDirectly(next, &context)) {
      Dispatched(p, next);
      SwitchTo(thread, thread.m, self, next, context);
      return;
    }
  }
  LeaveFor(self, next);
}

void Core::ParkFrom(G* self) {
  SwitchOut(self);
}

void Core::YieldFrom(G* self, EnqueueReason why) {
  NoPreemptEnter();
  ThreadState& thread = This();
  Processor* p = thread.p;
  if (p->attention.load(std::memory_order_relaxed) == 0 && self->bound == nullptr) [[likely]] {
    ChangeState<GState::kRunning, GState::kRunnable>(self->state, self);
    ++p->context.tick;
    WakeHint hint;
    const Dispatch dispatch = p->policy->EnqueueThenPick(p->context, self, why, hint);
    ActOn(hint, p);
    Note(p, dispatch);
    EnterSuccessor(thread, p, self, static_cast<G*>(dispatch.task));
  } else {
    YieldSlow(self, why);
  }
  NoPreemptExit();
}

[[gnu::noinline]] void Core::YieldSlow(G* self, EnqueueReason why) {
  Processor* p = This().p;
  if (watched()) WatchYield(p, self, why);
  ChangeState<GState::kRunning, GState::kRunnable>(self->state, self);
  ActOn(policy_->Enqueue(p->context, self, why), p);
  SwitchOutSlow(self);
}

void Core::Abandon(G* self) {
  if (watched()) [[unlikely]] {
    self->wait_reason.store(WaitReason::kSelectNoCases, std::memory_order_relaxed);
    WatchBlock(This().p, self);
  }
  self->state.store(GState::kWaiting, std::memory_order_relaxed);
  This().no_preempt = 1;  // as every goroutine leaves
  SwitchOut(self);
  __builtin_unreachable();
}

[[gnu::always_inline]] inline void Core::Exit(G* self) {
  NoPreemptEnter();
  // Cleared: its memory may become another goroutine's while that still matters.
  if (G* main = self; main_goroutine_.load(std::memory_order_relaxed) == self &&
                      main_goroutine_.compare_exchange_strong(main, nullptr, std::memory_order_relaxed)) [[unlikely]] {
    MainEnded();
  }
  Processor* p = This().p;
  if (watched()) [[unlikely]]
    WatchExit(p, self);
  p->exited.Add(1);
  if (self->bound != nullptr) [[unlikely]] {
    self->bound->locked = nullptr;
    self->bound->thread_ends = true;
  }
  ChangeState<GState::kRunning, GState::kDead>(self->state, self);
  SwitchOut(self);
  __builtin_unreachable();  // a dead goroutine is never entered again
}

void Core::ExitGoroutine(G* self) {
  Exit(self);
}

// In this file, so that the end of most goroutines is a part of their bottom frame.
void EnterGoroutine(Arrival arrival) {
  asm volatile(".cfi_undefined rip");  // nothing called this: unwinders stop here
  G* self = This().g;
  FinishSwitch(self, arrival);
  if (self->core->stack_traits().needs_switch_hooks) [[unlikely]]
    RunOnSegments(self);
  NoPreemptExit();
  try {
    self->run(self->closure);
  } catch (...) {
    EndedByThrowing();
  }
  self->core->Exit(self);
}

void Core::RunLoop(Machine* m) {
  G* system = &m->system;
  for (;;) {
    if (!BeforeWork(m)) return;
    if ((m->p->attention.load(std::memory_order_relaxed) & kAttentionWorld) != 0) [[unlikely]] {
      StandStill(m);
      continue;
    }
    m->p->attention.fetch_and(~static_cast<uint32_t>(kAttentionPreempt), std::memory_order_relaxed);
    G* g = std::exchange(m->next, nullptr);
    if (g == nullptr && m->has_returners.load(std::memory_order_relaxed)) [[unlikely]] g = TakeReturner(m);
    if (g == nullptr) g = FindWork(m);
    if (g == nullptr) {
      if (stopping()) return;
      continue;
    }
    StopSpinning(m);
    if (g->bound != nullptr) [[unlikely]] {
      if (g->bound != m) {
        if (g->homing) {
          SendHome(m, g);
        } else {
          GiveToBound(m, g);
        }
        continue;
      }
      if (g->homing) CameHome(m, g);
    }
    // It may be on the CPU of a machine that is just leaving it. That machine waits for nobody, or waits as we do, on
    // its own stack: so this ends soon. Or the monitor is shrinking its stack, and waits for nobody either.
    void* context;
    for (int round = 0; !MayEnter(context = g->context.load(std::memory_order_acquire)); ++round) {
      engine_->Relax(round);
    }
    Processor* p = m->p;
    Dispatched(p, g);
    if (ticks_ && (m->fresh_slice || m->tick.load(std::memory_order_relaxed) == Machine::kNoTick)) BeginSlice(m, p);
    SwitchTo(This(), m, system, g, context);
  }
}

// ---- what the layers above use (park.h) ----

void PreparePark(G* self, WaitReason reason, const void* object) {
  NoPreemptEnter();
  self->wait_reason.store(reason, std::memory_order_relaxed);
  self->wait_object.store(object, std::memory_order_relaxed);
  // All that is to be said of the goroutine is said here: once the caller lets go of its lock, somebody may ready it,
  // and then it is the policy's.
  if (self->kind == GKind::kGoroutine) [[likely]] {
    Core* core = self->core;
    Processor* p = This().p;
    if (p == nullptr) [[unlikely]]
      Fatal("a goroutine waits inside gyre::Blocking, where it has no processor to give away");
    p->parks.Add(1);
    self->wait_since.store(core->CoarseNow(), std::memory_order_relaxed);
    if (core->watched()) [[unlikely]]
      core->WatchBlock(p, self);
  }
  ChangeState<GState::kRunning, GState::kWaiting>(self->state, self);
}

// Parks with the clock running, for the block profile.
[[gnu::noinline]] static void ParkMeasured(G* self) {
  const bool counts = self->wait_reason.load(std::memory_order_relaxed) != WaitReason::kSleep;
  const Nanos since = MonotonicNow();
  if (self->kind == GKind::kForeign) {
    ParkForeignThread(self);
    ChangeState<GState::kRunnable, GState::kRunning>(self->state, self);
  } else {
    self->core->ParkFrom(self);
  }
  NoPreemptExit();
  if (counts) RecordBlocked(MonotonicNow() - since);
}

void Park(G* self) {
  if (block_profile_rate.load(std::memory_order_relaxed) != 0) [[unlikely]] return ParkMeasured(self);
  if (self->kind == GKind::kForeign) [[unlikely]] {
    ParkForeignThread(self);
    ChangeState<GState::kRunnable, GState::kRunning>(self->state, self);
  } else {
    self->core->ParkFrom(self);
  }
  NoPreemptExit();
}

void Ready(G* g) {
  ChangeState<GState::kWaiting, GState::kRunnable>(g->state, g);
  if (g->kind == GKind::kForeign) [[unlikely]] {
    WakeForeignThread(g);
    return;
  }
  NoPreemptEnter();
  Core* core = g->core;
  ThreadState& thread = This();
  if (Processor* p = thread.p; p != nullptr && p->core == core) [[likely]] {
    p->readies.Add(1);
    if (core->watched()) [[unlikely]]
      core->WatchReady(p, g);
    core->ActOn(p->policy->Enqueue(p->context, g, EnqueueReason::kUnblocked), p);
  } else {
    core->CountInjectedReady();
    if (core->watched()) [[unlikely]]
      core->WatchReady(nullptr, g);
    core->Inject(g);
  }
  NoPreemptExit();
}

static void GiveWay(Processor* p) {
  // A timer's callback, say, makes runtime calls too, where nothing can give way.
  ThreadState& thread = This();
  G* self = thread.g;
  if (thread.no_preempt != 0 || self->kind != GKind::kGoroutine) return;
  if ((p->attention.load(std::memory_order_relaxed) & kAttentionLeave) == 0) {
    self->core->engine().Called();  // the engine wants to hear of it
    return;
  }
  p->attention.fetch_and(~static_cast<uint32_t>(kAttentionPreempt), std::memory_order_relaxed);
  self->core->YieldFrom(self, EnqueueReason::kPreempted);
}

void CheckPreempt() {
  Processor* p = This().p;
  if (p != nullptr && (p->attention.load(std::memory_order_relaxed) & kAttentionOnCall) != 0) [[unlikely]]
    GiveWay(p);
}

std::atomic<int> exploring{0};

void ExploreHere() {
  // Other runtimes go on beside the one that explores.
  if (Machine* m = This().m; m != nullptr && m->core->is_virtual()) CheckPreempt();
}

uint32_t ChooseBelow(uint32_t n) {
  Machine* m = This().m;
  if (m != nullptr && m->core->is_virtual()) return m->core->engine().Choose(n);
  return static_cast<uint32_t>(((FastRandom() >> 32) * n) >> 32);
}

void TakePendingPreemption() {
  This().preempt_pending.store(false, std::memory_order_relaxed);
  CheckPreempt();
}

void ParkForever(WaitReason reason) {
  G* self = Self();
  PreparePark(self, reason, nullptr);
  Park(self);
  __builtin_unreachable();
}

bool SpinOnce(int round) {
  constexpr int kMaxRounds = 4;  // Go's
  ThreadState& thread = This();
  if (round >= kMaxRounds || thread.g == nullptr) return false;
  Core* core = thread.g->core;
  if (core != nullptr && core->proc_count() == 1) return false;
  if (core != nullptr && core->is_virtual()) {
    core->engine().Relax(round);
    return true;
  }
  for (int i = 0; i < 30; ++i) __builtin_ia32_pause();
  return true;
}

uint64_t FastRandom() {
  NoPreempt off;
  Processor* p = This().p;
  return p != nullptr ? p->context.Random() : ForeignContext().Random();
}

Nanos SetTaskDeadline(Nanos deadline) {
  NoPreempt off;
  ThreadState& thread = This();
  if (thread.p == nullptr || thread.g == nullptr) return kNever;
  G* self = thread.g;
  Nanos old = std::exchange(self->deadline, deadline);
  if (self->core->policy_traits().wants_task_hooks) self->core->policy().AttributesChanged(thread.p->context, *self);
  return old;
}

uint64_t SelfId() {
  G* g = This().g;
  return g == nullptr || g->kind != GKind::kGoroutine ? 0 : g->id;
}

}  // namespace gyre::internal

namespace gyre {

void Yield() {
  internal::G* self = internal::This().g;
  if (self == nullptr || self->kind != internal::GKind::kGoroutine) {
    internal::YieldForeignThread();
    return;
  }
  if (internal::This().p == nullptr) return;  // in a blocking call: there is no processor to give way on
  self->core->YieldFrom(self, EnqueueReason::kYielded);
}

void Checkpoint() {
  internal::CheckPreempt();
}

void Work(absl::Duration d) {
  const Nanos duration = absl::ToInt64Nanoseconds(d);
  if (internal::Machine* m = internal::This().m; m != nullptr) {
    m->core->engine().Work(duration);
  } else {
    const Nanos end = internal::ForeignNow() + duration;
    while (internal::ForeignNow() < end) {
    }
  }
}

}  // namespace gyre
