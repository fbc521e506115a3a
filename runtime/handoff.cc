// Machines without a processor, and processors that change hands.
//
// A machine loses its processor when its goroutine must keep its kernel thread but not the processor:
//   in a blocking call      gyre::Blocking: the monitor retakes the processor of a call that lasts
//   preempted in place      a signal handler holds the thread, with locks and thread-locals in mid-flight (the `klt` strategy;
//                           Shiina et al., "Lightweight Preemptive User-Level Threads", PPoPP 2021)
//   locked to its thread    gyre::LockOSThread: the thread waits while its goroutine does
// The processor goes to a spare machine. The goroutine comes back through the policy like any other; whoever picks it sees
// that it is bound to a machine, gives that machine the processor, and becomes a spare itself.
//
// Invariants
//  1. A processor has exactly one holder. It is given by: writing the receiver's `given`, then unparking it. The giver does
//     not touch the processor afterwards. A machine may be given one before it has begun to wait.
//  2. A machine that waits for a processor is woken for one or for the runtime's end, and looks at `given` to tell.
//  3. `in_call` of a processor names the machine whose blocking call it is, and is cleared once for each call: by that machine
//     when it comes back (it keeps the processor) or by the monitor (which hands it off). It names the machine because the
//     processor may be in another machine's call by the time the first one comes back.
//  4. Every grant comes with one unpark, and its receiver parks once for it, even if it has seen the grant before: a token
//     left over would make its next sleep end as if somebody had claimed it.
#include <cerrno>
#include <csignal>
#include <string>
#include <utility>

#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "runtime/blocking.h"
#include "runtime/core.h"
#include "runtime/dump.h"
#include "runtime/foreign.h"
#include "runtime/panic.h"
#include "runtime/park.h"
#include "runtime/switch.h"
#include "runtime/trace/recorder.h"

namespace gyre::internal {

// ---- giving and taking ----

void Core::GiveProcessor(Processor* p, Machine* m) {
  p->m.store(m, std::memory_order_relaxed);
  // Release: the processor's state, and whatever was put beside it for the receiver.
  m->given.store(p, std::memory_order_release);
  engine_->UnparkMachine(m);
}

Machine* Core::TakeSpare() {
  RawLockHolder hold(spares_lock_);
  Machine* m = spares_;
  if (m != nullptr) {
    spares_ = m->next_spare;
    --spare_count_;
  }
  return m;
}

absl::Status Core::TryStartMachine(Processor* p, bool as_spare) {
  if (machines_alive_.load(std::memory_order_relaxed) >= max_threads_.load(std::memory_order_relaxed)) {
    return absl::OutOfRangeError("thread exhaustion (--max_threads)");
  }
  Machine* m = NewMachine();
  m->starts_as_spare = as_spare;
  m->maker_frames = CaptureFrames(m->maker, Machine::kMakerFrames, 0);
  m->given.store(p, std::memory_order_relaxed);
  if (p != nullptr) p->m.store(m, std::memory_order_release);
  absl::Status status = engine_->StartMachine(m);
  if (!status.ok()) machines_alive_.fetch_sub(1, std::memory_order_relaxed);
  return status;
}

int Core::SetMaxThreads(int count) {
  const int before = max_threads_.exchange(count, std::memory_order_relaxed);
  if (machines_alive_.load(std::memory_order_relaxed) > count) {
    FatalAfter(absl::StrCat("runtime: program exceeds ", count, "-thread limit\n"), "thread exhaustion (gyre::SetMaxThreads)");
  }
  return before;
}

void Core::StartMachineFor(Processor* p) {
  if (absl::Status status = TryStartMachine(p, /*as_spare=*/false); !status.ok()) {
    const bool limit = absl::IsOutOfRange(status);
    FatalAfter(limit ? absl::StrCat("runtime: program exceeds ", max_threads_.load(), "-thread limit\n") : "",
               std::string(status.message()));
  }
}

void Core::HandOff(Processor* p) {
  if (Machine* spare = TakeSpare()) {
    GiveProcessor(p, spare);
  } else {
    StartMachineFor(p);
  }
}

Processor* Core::Surrender(Machine* m) {
  if (TraceRecorder* tracer = Tracer()) tracer->ProcStop(m->p);
  This().p = nullptr;
  return std::exchange(m->p, nullptr);
}

void Core::PutSpare(Machine* m) {
  m->listed = true;
  m->next_spare = spares_;
  spares_ = m;
  ++spare_count_;
}

bool Core::AwaitProcessor(Machine* m, bool as_spare) {
  G* returners = nullptr;
  if (as_spare) {
    RawLockHolder hold(spares_lock_);
    if (!m->listed) PutSpare(m);
    returners = std::exchange(m->returners, nullptr);
    m->has_returners.store(false, std::memory_order_relaxed);
    if (std::exchange(m->starts_as_spare, false)) spares_starting_.fetch_sub(1, std::memory_order_relaxed);
  }
  // Their processor is gone with ours. Whoever picks them next finds us here.
  while (G* g = returners) {
    returners = static_cast<G*>(g->next);
    g->next = nullptr;
    Inject(g);
  }
  do {
    // The end's wake-up comes after the flag: one of the two is seen.
    if (stopping()) return false;
    engine_->ParkMachine(m, kNever);
  } while ((m->p = m->given.exchange(nullptr, std::memory_order_acquire)) == nullptr);
  This().p = m->p;
  if (TraceRecorder* tracer = Tracer()) tracer->ProcStart(m->p, m);
  m->listed = false;
  m->spinning = std::exchange(m->p->first_wake_spins, false);
  m->fresh_slice = true;
  if (G* g = std::exchange(m->preempted, nullptr)) {
    ChangeState<GState::kPreempted, GState::kRunnable>(g->state, g);
    if (timed_) [[unlikely]] NoteRunnable(m->p->context, g);
    ActOn(policy_->Enqueue(m->p->context, g, EnqueueReason::kPreempted), m->p);
  }
  return true;
}

bool Core::BeforeWork(Machine* m) {
  const bool ended_locked = m->thread_ends;
  if (m->p != nullptr && (m->locked != nullptr || ended_locked)) {
    HandOff(Surrender(m));
    if (ended_locked && m != main_machine_) return false;
  }
  if (m->p == nullptr) {
    if (G* g = std::exchange(m->returned, nullptr)) {
      {
        RawLockHolder hold(retake_lock_);  // in a trace it is blocked before it is back
        if (TraceRecorder* tracer = Tracer()) tracer->SysExit(nullptr, g);
      }
      returned_calls_.fetch_add(1, std::memory_order_relaxed);
      // In this order: a look for deadlocks in between must find one or the other.
      returning_.fetch_add(1, std::memory_order_seq_cst);
      Inject(g);
      retaken_.fetch_sub(1, std::memory_order_seq_cst);
      returning_.fetch_sub(1, std::memory_order_seq_cst);
    }
    // The simulator's first machine is Run's own thread: it cannot end, and must not run others after a goroutine that was
    // locked to it has ended, so it waits.
    if (!AwaitProcessor(m, /*as_spare=*/m->locked == nullptr && !ended_locked)) return false;
    if (m->locked != nullptr) m->next = m->locked;  // else it may have come with the goroutine that it is the home of
  }
  return true;
}

void Core::GiveToBound(Machine* m, G* g) {
  Machine* target = g->bound;
  Processor* p = Surrender(m);
  if (g->in_place) {
    g->in_place = false;
    if (g->lock_count == 0) g->bound = nullptr;
    held_in_place_.fetch_sub(1, std::memory_order_relaxed);
    if (TraceRecorder* tracer = Tracer()) tracer->ProcStart(p, target);
    Dispatched(p, g);
  }
  GiveProcessor(p, target);  // where `g` is locked to it, it knows whom to run
}

// ---- preemption in place ----

void Core::SignalMachine(ProcId proc, int signal) {
  if (virtual_) return;  // the flag does, for virtual time passes in runtime calls only
  Processor& p = procs_[proc];
  p.preempt_tag.store(p.dispatches.Get(), std::memory_order_relaxed);
  Machine* m = p.m.load(std::memory_order_acquire);
  // Machines are never freed while the runtime lives. A thread that has ended is not found; nothing is lost.
  const int tid = m != nullptr ? m->tid.load(std::memory_order_relaxed) : 0;
  if (tid != 0) syscall(SYS_tgkill, getpid(), tid, signal);
}

// Spare threads beyond one for each processor. Starting one takes malloc's locks, which a goroutine that was preempted in place may
// hold: until then these must do to come to it.
constexpr int kSparesBeside = 4;

// The runtime ends: the goroutine stays where it is, inside the handler.
void Core::HoldHere(Machine* m) {
  held_in_place_.fetch_add(1, std::memory_order_release);
  for (;;) engine_->ParkMachine(m, kNever);
}

bool Core::PreemptInPlace() {
  ThreadState& thread = This();
  Processor* p = thread.p;
  if (thread.no_preempt != 0) {
    thread.preempt_pending.store(true, std::memory_order_relaxed);
    return false;
  }
  if (stopping()) HoldHere(thread.m);
  NoPreemptEnter();
  Machine* spare = TakeSpare();
  if (spare != nullptr) {
    Machine* m = thread.m;
    G* g = thread.g;
    AccountRun(p, g);
    if (TraceRecorder* tracer = Tracer()) tracer->GoYield(p, g, /*preempted=*/true, /*in_signal_handler=*/true);
    ChangeState<GState::kRunning, GState::kPreempted>(g->state, g);
    g->bound = m;
    g->in_place = true;
    held_in_place_.fetch_add(1, std::memory_order_relaxed);
    preempted_in_place_.fetch_add(1, std::memory_order_relaxed);
    spare->preempted = g;
    GiveProcessor(Surrender(m), spare);
    do {
      engine_->ParkMachine(m, kNever);
    } while ((m->p = m->given.exchange(nullptr, std::memory_order_acquire)) == nullptr);
    thread.p = m->p;
    if (ticks_) BeginSlice(m, m->p);
  } else if (ticks_) {
    engine_->WakeMonitor();  // it makes some
  }
  // Not NoPreemptExit: a goroutine must not yield from inside a signal handler.
  std::atomic_signal_fence(std::memory_order_seq_cst);
  --thread.no_preempt;
  return spare != nullptr;
}

void Core::KeepSpares() {
  if (!preemption_traits_.asynchronous || preemption_traits_.on_stack || virtual_) return;
  int missing;
  {
    RawLockHolder hold(spares_lock_);
    missing = proc_count_ + kSparesBeside - spare_count_ - spares_starting_.load(std::memory_order_relaxed);
  }
  for (; missing > 0; --missing) StartSpare();
}

void Core::StartSpare() {
  spares_starting_.fetch_add(1, std::memory_order_relaxed);
  // Where there is no room, preemption does without until there is.
  if (!TryStartMachine(nullptr, /*as_spare=*/true).ok()) spares_starting_.fetch_sub(1, std::memory_order_relaxed);
}

namespace {

struct sigaction previous_actions[NSIG];

// Around fork, which holds all of malloc's locks: a goroutine that was preempted in there could come back only when some thread can
// pick it, and new threads need malloc. Not NoPreemptExit at the end: nobody may yield in the middle of fork.
void BeforeFork() { NoPreemptEnter(); }
void AfterFork() {
  std::atomic_signal_fence(std::memory_order_seq_cst);
  --This().no_preempt;
}

void OnSignal(int signal, siginfo_t* info, void* context) {
  const int saved_errno = errno;
  const struct sigaction& previous = previous_actions[signal];
  if (Machine* m = This().m; m != nullptr) m->core->OnInterrupt(info, context);
  // What others send (a socket's urgent data, a debugger) is for whoever handled it before us.
  if (info->si_code != SI_TIMER && info->si_code != SI_TKILL) {
    if ((previous.sa_flags & SA_SIGINFO) != 0) {
      previous.sa_sigaction(signal, info, context);
    } else if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) {
      previous.sa_handler(signal);
    }
  }
  errno = saved_errno;
}

}  // namespace

void Core::OnInterrupt(const siginfo_t* info, void* context) {
  ThreadState& thread = This();
  thread.m->interrupted = context;
  Processor* p = thread.p;
  const bool computes = thread.g != nullptr && thread.g->kind == GKind::kGoroutine;
  if (info->si_code == SI_TIMER) {
    if (!ticks_ || !OnTick(thread.m, p, computes)) return;
    interrupt_handler_(*this);
    if (std::exchange(This().m->ask_again, false)) AskAgainSoon(This().m, p);
    return;
  }
  // A request that was for another goroutine than the one that runs now came late; signals that others send are none.
  if (p == nullptr || !computes || p->preempt_tag.load(std::memory_order_relaxed) != p->dispatches.Get()) return;
  interrupt_handler_(*this);
}

absl::Status Core::InstallHandler(int signal, void (*handler)(PreemptionHost&)) {
  interrupt_signal_ = signal;
  interrupt_handler_ = handler;
  static RawLock lock;
  RawLockHolder hold(lock);
  struct sigaction now;
  if (sigaction(signal, nullptr, &now) != 0) return absl::InternalError("gyre: cannot handle the preemption signal");
  if ((now.sa_flags & SA_SIGINFO) != 0 && now.sa_sigaction == &OnSignal) return absl::OkStatus();
  previous_actions[signal] = now;
  static const int registered = pthread_atfork(&BeforeFork, &AfterFork, &AfterFork);
  (void)registered;
  struct sigaction action = {};
  action.sa_sigaction = &OnSignal;
  // On the alternate stack: the goroutine's may have no room. Restarted: an interrupted call is nobody's business.
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
  sigemptyset(&action.sa_mask);
  if (sigaction(signal, &action, nullptr) != 0) return absl::InternalError("gyre: cannot handle the preemption signal");
  return absl::OkStatus();
}

// ---- blocking calls ----

bool EnterBlocking() {
  if (Machine* m = This().m; m != nullptr && m->away.load(std::memory_order_relaxed) != 0) [[unlikely]] {
    m->core->LeaveToReturners();
  }
  NoPreempt off;
  ThreadState& thread = This();
  if (thread.p == nullptr) return false;  // a foreign thread, or a call inside a call
  if (Core* core = thread.m->core; core->is_virtual()) {
    if (TraceRecorder* tracer = core->Tracer()) tracer->SysCall(thread.p, thread.g);
    core->engine().Charge(Cost::kSyscall);
    return false;
  }
  Processor* p = thread.p;
  Machine* m = thread.m;
  if (TraceRecorder* tracer = m->core->Tracer()) tracer->SysCall(p, thread.g);
  ChangeState<GState::kRunning, GState::kSyscall>(thread.g->state, thread.g);
  m->syscall_p = p;
  p->call_of = thread.g;
  m->p = thread.p = nullptr;
  p->syscalls.Add(1);
  // Release: the monitor that retakes the processor sees its state. And before the look at `tick` (ticks.cc).
  p->in_call.store(m, std::memory_order_seq_cst);
  if (m->tick.load(std::memory_order_seq_cst) > 0) [[unlikely]] m->core->StopTick(m);
  return true;
}

namespace {
// Out of line, for errno is a thread-local whose address the compiler may keep across the switch.
[[gnu::noinline]] int GetErrno() { return errno; }
[[gnu::noinline]] void SetErrno(int value) { errno = value; }
}  // namespace

static void LeaveCall() {
  NoPreempt off;
  ThreadState& thread = This();
  Machine* m = thread.m;
  G* self = thread.g;
  Processor* p = std::exchange(m->syscall_p, nullptr);
  Machine* in_call = m;
  if (p->in_call.compare_exchange_strong(in_call, nullptr, std::memory_order_acquire)) {
    m->p = thread.p = p;
    ChangeState<GState::kSyscall, GState::kRunning>(self->state, self);
    return;
  }
  ChangeState<GState::kSyscall, GState::kRunnable>(self->state, self);
  m->returned = self;
  SwitchTo(thread, m, self, &m->system, m->system.context.load(std::memory_order_relaxed));
}

void ExitBlocking() {
  const int error = GetErrno();
  LeaveCall();
  SetErrno(error);
}

int Core::InBlockingCalls() {
  // In this order: a goroutine that is back may end the program before its machine has taken it off the count.
  const int returning = returning_.load(std::memory_order_seq_cst);
  int count = retaken_.load(std::memory_order_seq_cst) - returning;
  for (ProcId id = 0; id < procs_made_; ++id) count += procs_[id].in_call.load(std::memory_order_acquire) != nullptr;
  return count;
}

bool Core::TakeFromCall(Processor& p) {
  Machine* in_call = p.in_call.load(std::memory_order_relaxed);
  if (in_call == nullptr) return false;
  // First counted, then taken: a look for deadlocks in between must find one or the other.
  retaken_.fetch_add(1, std::memory_order_seq_cst);
  {
    RawLockHolder hold(retake_lock_);
    if (!p.in_call.compare_exchange_strong(in_call, nullptr, std::memory_order_acquire)) {
      retaken_.fetch_sub(1, std::memory_order_seq_cst);
      return false;
    }
    if (TraceRecorder* tracer = Tracer()) tracer->SysBlock(&p, p.call_of);
  }
  return true;
}

void Core::Retake(Processor& p) {
  if (!TakeFromCall(p)) return;
  retakes_.fetch_add(1, std::memory_order_relaxed);
  p.m.store(nullptr, std::memory_order_relaxed);
  HandOff(&p);
}

}  // namespace gyre::internal

namespace gyre {

int SetMaxThreads(int count) {
  internal::Machine* m = internal::This().m;
  if (m == nullptr) return 0;
  return m->core->SetMaxThreads(count);
}

namespace {
internal::G* GoroutineOr(const char* what) {
  internal::G* self = internal::This().g;
  if (self == nullptr || self->kind != internal::GKind::kGoroutine) {
    Panic(std::string(what) + ": the calling thread runs no goroutine");
  }
  return self;
}
}  // namespace

void LockOSThread() {
  internal::G* self = GoroutineOr("gyre::LockOSThread");
  if (self->lock_count == 0 && internal::This().p != nullptr) self->core->LeaveToReturners();
  internal::NoPreempt off;
  if (self->lock_count++ == 0) {
    self->bound = internal::This().m;
    self->bound->locked = self;
  }
}

void UnlockOSThread() {
  internal::G* self = GoroutineOr("gyre::UnlockOSThread");
  internal::NoPreempt off;
  if (self->lock_count != 0 && --self->lock_count == 0) {
    self->bound->locked = nullptr;
    self->bound = nullptr;
  }
}

}  // namespace gyre
