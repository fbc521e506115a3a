// The heart of a runtime: its processors, machines and plug-ins, and the loop that brings goroutines and machines together.
//
// The files that implement it, each on one subject:
//   schedule.cc   leaving a goroutine and choosing the next: park, yield, exit, the machine's loop
//   idle.cc       searching for work, sleeping, waking: how no wake-up is lost
//   spawn.cc      making and ending goroutines
//   timer_heap.cc timers
//   monitor.cc    Go's sysmon: slices, blocking calls that last, overdue timers
//   handoff.cc    machines without a processor, processors that change hands
//   ticks.cc      how slices end where goroutines are interrupted
//   call_injection.cc  goroutines that are interrupted and call the scheduler
//   preemption_cost.cc what that takes here
//   world.cc      stopping all processors, and changing their number
//   housekeeping.cc  stacks shrink, and unused ones go back to the operating system
//   netpoll.cc    descriptors
//   deadlock.cc   nobody can ever run again
//   trace/        what is recorded of all this
//   core.cc       start and stop
//
// A Core is shared by the Runtime object and by its machines: it is freed when the last of them has let go, so a machine
// whose goroutine never comes back to the scheduler does no harm to others when the Runtime ends.
#ifndef GYRE_RUNTIME_CORE_H_
#define GYRE_RUNTIME_CORE_H_

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "plugins/config.h"
#include "plugins/registry.h"
#include "runtime/engine.h"
#include "runtime/goroutine.h"
#include "runtime/jump.h"
#include "runtime/machine.h"
#include "runtime/netpoll.h"
#include "runtime/raw_lock.h"
#include "runtime/stats.h"
#include "runtime/thread_state.h"
#include "runtime/trace/sched_trace.h"

namespace gyre::internal {

// Held by a thread without a processor while it calls the policy: not while the world stands.
class PolicyGate {
 public:
  explicit PolicyGate(Core* core);
  ~PolicyGate();
  PolicyGate(const PolicyGate&) = delete;
  PolicyGate& operator=(const PolicyGate&) = delete;

 private:
  Core* const core_;
};

class TraceRecorder;

// Who watches a runtime's goroutines, beside the runtime (Core::watched).
enum Watcher : uint32_t {
  kWatchTimes = 1,  // the policy, virtual time or the debug server wants to know when everything happens
  kWatchTrace = 2,  // a trace is recorded
  kWatchHooks = 4,  // the policy has hooks
};

class Core final : public PreemptionHost, public std::enable_shared_from_this<Core> {
 public:
  // `engine`: instead of the one that the configuration names.
  static absl::StatusOr<std::shared_ptr<Core>> Create(const Config& config, std::unique_ptr<Engine> engine = nullptr);
  ~Core() override;

  // ---- core.cc: start and stop ----
  // Runs `main` as the main goroutine. Returns when that has ended and the machines have stopped; false if some goroutine was
  // left computing, or was stopped in the middle of something (it may hold any lock).
  bool RunMain(absl::FunctionRef<void()> main);
  void MachineMain(Machine* m);  // the body of every other machine
  void MainEnded();  // the runtime ends with the main goroutine; preemption is off
  // `g` calls Goexit: if it is the main goroutine, the others go on.
  void Leaves(const G* g) {
    if (g == main_goroutine_.load(std::memory_order_relaxed)) main_goroutine_.store(nullptr, std::memory_order_relaxed);
  }

  // ---- schedule.cc ----
  [[noreturn]] void Abandon(G* self);          // leaves the running goroutine where it is, for ever; the runtime ends
  void ParkFrom(G* self);                      // self is waiting; returns when it runs again
  void YieldFrom(G* self, EnqueueReason why);  // self is running still
  [[noreturn]] void ExitGoroutine(G* self);
  // Where times are kept: `left` has run on `p` until now. Before anybody else may find it.
  void AccountRun(Processor* p, G* left);

  // Before the policy gets `g`, where times are kept.
  void NoteRunnable(ProcContext& context, G* g) {
    g->ready_at = context.now = engine_->Now();
    if (virtual_) ++runnable_;
  }

  // ---- idle.cc ----
  // After an Enqueue: acts on the policy's hint. Preemption is off.
  void ActOn(const WakeHint& hint, Processor* here) {
    if (hint.kind != WakeHint::kNone && (here == nullptr || proc_count_ > 1)) ActOnSlow(hint.kind, hint.proc);
  }
  // The heap of `proc` is no longer empty, or is. Under its lock, so that the last word is the right one.
  void HasTimers(ProcId proc, bool some) {
    std::atomic<uint32_t>& attention = procs_[proc].attention;
    if (some) {
      attention.fetch_or(kAttentionTimers, std::memory_order_relaxed);
    } else {
      attention.fetch_and(~static_cast<uint32_t>(kAttentionTimers), std::memory_order_relaxed);
    }
  }
  void WakeForTimer(ProcId proc);              // a timer became the earliest of `proc`, which may sleep
  void TimerBecameEarliest(Nanos when) { no_timer_before_ = std::min(no_timer_before_, when); }  // in virtual time
  void WakeEverybody();                        // the runtime stops
  // For an engine with virtual time, which does the monitor's work: a processor that computes has timers that are due.
  void WakeForOverdueTimers() { WakeOneIdle(); }
  Nanos QuantumOf(const Processor& p) const {
    const Nanos slice = p.slice.load(std::memory_order_relaxed);
    if (!preemption_traits_.preempts) return kNever;
    return slice != 0 ? slice : preemption_->Quantum();
  }
  void CountInjectedReady() { injected_readies_.fetch_add(1, std::memory_order_relaxed); }
  void CountPreemption() { preemptions_.fetch_add(1, std::memory_order_relaxed); }

  // ---- handoff.cc ----
  // A machine is about to look for work: gives away the processor that it may not use, waits for one if it has none. False:
  // the machine ends.
  bool BeforeWork(Machine* m);
  void GiveToBound(Machine* m, G* g);   // `g` may run only on its own machine
  void Retake(Processor& p);            // from the monitor: its holder has been in a blocking call for long
  void KeepSpares();                    // from the monitor
  int SetMaxThreads(int count);         // returns what it was
  void OnInterrupt(const siginfo_t* info, void* context);  // in the handler of the strategy's signal

  // ---- world.cc ----
  int SetProcs(int count);  // from a goroutine; returns how many there were; below 1: changes nothing

  // ---- call_injection.cc ----
  void YieldByCall(G* self);
  void LeaveToReturners();  // the caller is about to keep its kernel thread for itself

  // ---- ticks.cc ----
  void StopTick(Machine* m);

  // ---- netpoll.cc ----
  // Makes it at the first call.
  absl::StatusOr<std::shared_ptr<Poller>> GetPoller() ABSL_LOCKS_EXCLUDED(poller_lock_);
  // Null while no descriptor is watched.
  Poller* PollerInUse() const {
    Poller* poller = poller_.load(std::memory_order_acquire);
    return poller != nullptr && poller->in_use() ? poller : nullptr;
  }

  // ---- spawn.cc ----
  void StartGoroutine(G* g);  // from any thread
  // Makes `g` runnable from a thread that has no processor of this runtime.
  void Inject(G* g);
  void Inject(G* g, ProcContext& context);
  int64_t LiveGoroutines() const;
  // Of all machines that there were, under their list's lock.
  void ForEachMachine(absl::FunctionRef<void(const Machine&)> visit) {
    RawLockHolder hold(machines_lock_);
    for (const auto& m : machines_) visit(*m);
  }
  int IdleProcs() const { return static_cast<int>(idle_word_.load(std::memory_order_relaxed) >> 32); }
  int machines_alive() const { return machines_alive_.load(std::memory_order_relaxed); }
  // Calls `visit` for every goroutine that exists. The world may run on: what it reads is approximate.
  void ForEachGoroutine(absl::FunctionRef<void(G*)> visit);
  // The same in portions, see StackAllocator::ForSome. It reads nothing but the stacks' addresses: what `visit` is given may
  // be no goroutine any more, or another runtime's.
  uint64_t SomeGoroutines(uint64_t place, size_t most, absl::FunctionRef<void(G*)> visit);

  // ---- trace/hooks.cc: what happens, for those who watch. `p` null: on a thread that has no processor ----
  // The usual switch looks at its processor's attention word instead, in which Watch sets kAttentionWatch before it sets the
  // watcher here. Acquire: who sees a watcher sees that too, so the switch to the next goroutine is watched when the last
  // one's end of turn was. Who began to watch too late for an event has missed it.
  bool watched() const { return watchers_.load(std::memory_order_acquire) != 0; }
  bool Watches(Watcher who) const { return (watchers_.load(std::memory_order_seq_cst) & who) != 0; }
  void Watch(Watcher who, bool on);
#if defined(GYRE_NO_TRACE)
  TraceRecorder* Tracer() { return nullptr; }  // tracing is left out of this build
#else
  TraceRecorder* Tracer();             // null: nothing is recorded
#endif
  void WatchSpawn(Processor* p, G* g);
  void WatchDispatch(Processor* p, G* g);
  void WatchYield(Processor* p, G* g, EnqueueReason why);
  void WatchBlock(Processor* p, G* g);
  void WatchReady(Processor* p, G* g);
  void WatchExit(Processor* p, G* g);
  // Begins and ends a recording (trace/trace.h).
  absl::Status StartTrace(const std::string& file);      // empty: into memory
  absl::Status StopTrace(std::string* text = nullptr);
  absl::Status EndTrace(std::string* text, bool dying) ABSL_EXCLUSIVE_LOCKS_REQUIRED(trace_lock_);
  void SaveTrace();                                      // the process dies
  // trace/sched_trace.cc, for the monitor: prints if it is time to; returns when it will be.
  Nanos PrintSchedTrace(Nanos now);

  // ---- dump_state.cc ----
  std::vector<TransitionCount> Transitions();

  // ---- PreemptionHost ----
  void RaiseFlag(ProcId proc) override;
  void SignalMachine(ProcId proc, int signal) override;
  bool PreemptInPlace() override;
  bool PreemptByCall() override;
  Nanos CostOf(PreemptionMeans means) override;
  absl::Status InstallHandler(int signal, void (*handler)(PreemptionHost&)) override;

  // ---- deadlock.cc ----
  // The calling machine is about to sleep without a deadline.
  // Returns when to look again: kNever, unless only threads that are not gyre's stand between this and a deadlock.
  Nanos CheckDeadlock();
  bool IsAsleepForEver();
  [[noreturn]] void ReportDeadlock();
  int KernelThreads() const {
    const int machines = threads_.load(std::memory_order_seq_cst);
    return machines == 0 ? 0 : engine_->KernelThreads(machines);
  }

  Nanos Now() { return engine_->Now(); }
  Nanos CoarseNow() const { return coarse_now_.load(std::memory_order_relaxed); }
  const Config& config() const { return config_; }
  Engine& engine() { return *engine_; }
  SchedulerPolicy& policy() { return *policy_; }
  const PolicyTraits& policy_traits() const { return policy_traits_; }
  bool timed() const { return timed_; }
  bool is_virtual() const { return virtual_; }
  StackAllocator& stacks() { return *stacks_; }
  const StackTraits& stack_traits() const { return stack_traits_; }
  PreemptionStrategy& preemption() { return *preemption_; }
  int proc_count() const { return proc_count_; }
  Processor& proc(ProcId id) { return procs_[id]; }
  Processor& AnyProc() { return procs_[0]; }  // for timers of threads that have no processor
  bool stopping() const { return stopping_.load(std::memory_order_acquire); }
  RuntimeStats Stats();

  // Goroutine ids, in batches for a processor. Process-wide: the first goroutine of the first runtime is 1.
  static constexpr uint64_t kIdBatch = 16;
  static uint64_t ReserveIds(uint64_t count);

 private:
  explicit Core(Config config);
  absl::Status Start();
  void RunBeside();
  void RunHere();
  Machine* NewMachine();
  void EnterMachine(Machine* m, Processor* p);
  void LeaveMachine(G* g_before);
  int ComputingMachines();

  void Charge(Cost cost) {
    if (virtual_) [[unlikely]] engine_->Charge(cost);
  }

  // schedule.cc
  G* Pick(Processor* p, PickMode mode) {
    ++p->context.tick;
    const Dispatch dispatch = p->policy->PickNext(p->context, mode);
    if (dispatch.task != nullptr) Note(p, dispatch);
    return static_cast<G*>(dispatch.task);
  }
  void RunLoop(Machine* m);
  // `g` is about to run on `p`, and nobody watches.
  static void DispatchedUnseen(Processor* p, G* g) {
    ChangeState<GState::kRunnable, GState::kRunning>(g->state, g);
    g->last_proc = p->context.id;
    p->dispatches.Add(1);
  }
  void Dispatched(Processor* p, G* g) {
    DispatchedUnseen(p, g);
    if (watched()) WatchDispatch(p, g);
  }
  void Note(Processor* p, const Dispatch& dispatch) {
    if (dispatch.slice != p->slice.load(std::memory_order_relaxed)) [[unlikely]] {
      p->slice.store(dispatch.slice, std::memory_order_relaxed);
      if (ticks_) TickFiner(dispatch.slice);
    }
  }
  friend void EnterGoroutine(Arrival);
  [[noreturn]] void Exit(G* self);
  void SwitchOut(G* self);
  void SwitchOutSlow(G* self);
  void YieldSlow(G* self, EnqueueReason why);
  void EnterSuccessor(ThreadState& thread, Processor* p, G* self, G* next);
  void LeaveFor(G* self, G* next);
  bool TimersAreDue(Processor* p);

  // idle.cc
  G* FindWork(Machine* m);     // null: the runtime stops, or the world
  G* Search(Machine* m);
  G* Sleep(Machine* m);
  int RunTimersOf(Processor& p, Nanos now);
  void StopSpinning(Machine* m);
  void ActOnSlow(WakeHint::Kind kind, ProcId proc);
  void WakeOneIdle();
  bool ClaimIdle(ProcId id);
  void Unpark(ProcId id);
  ProcId FindIdle() const;

  // handoff.cc
  void GiveProcessor(Processor* p, Machine* m);
  Machine* TakeSpare();
  void StartMachineFor(Processor* p);
  absl::Status TryStartMachine(Processor* p, bool as_spare);
  int InBlockingCalls();
  void HandOff(Processor* p);
  Processor* Surrender(Machine* m);
  bool AwaitProcessor(Machine* m, bool as_spare);
  void PutSpare(Machine* m) ABSL_EXCLUSIVE_LOCKS_REQUIRED(spares_lock_);
  bool TakeFromCall(Processor& p);

  void HoldHere(Machine* m);
  void StartSpare();

  // call_injection.cc
  absl::Status PrepareCalls();
  void SendHome(Machine* m, G* g);
  G* TakeReturner(Machine* m);
  static void CameHome(Machine* m, G* g);

  // world.cc
  bool StopWorld();
  void StartWorld();
  void GoOn();
  void Wait(int round);  // for others to let go
  void StandStill(Machine* m);
  void MakeProcessors(int count);  // so that there are as many
  void Resize(int count);

  // ticks.cc
  void MakeTicker(Machine* m);                 // of the calling thread
  void StartTick(Machine* m, Nanos period);
  void BeginSlice(Machine* m, Processor* p);   // the goroutine that runs on `p` from now on has a whole slice
  void TickFiner(Nanos slice);                 // the next goroutine of the calling thread has this slice
  void StartTickOf(Machine* m, Processor& p, Nanos slice);     // from the monitor
  bool OnTick(Machine* m, Processor* p, bool computes);        // in the handler: whether the slice is over
  bool Lonely(Machine* m, Processor* p, Nanos now);
  void AskAgainSoon(Machine* m, Processor* p);

  // monitor.cc
  Nanos MonitorTick();

  // housekeeping.cc
  // Does a portion of what there is to do. Returns when to call it again; kNever: when goroutines have run.
  Nanos KeepHouse(Nanos now, bool busy);
  uint64_t ShrinkSome(uint64_t place, Nanos parked_before);

  struct Housekeeping {
    Nanos next_round = 0;
    bool shrinking = false;    // in this round, from `place` on
    bool trimming = false;     // in this round, down to `keep` bytes
    bool ran = true;           // goroutines did, in the last round
    bool settled = false;      // nothing to do before goroutines run again
    uint64_t place = 0;
    Nanos parked_before = 0;
    size_t keep = 0;
    uint64_t dispatches = 0;   // when the round began
    uint64_t spawned = 0;
  };
  // netpoll.cc
  bool PollNetwork();  // whether some goroutine became runnable
  void MonitorPoll();  // before a tick: not under monitor_lock_, for who readies a goroutine may wait for a world that stands
  void EndPoller() ABSL_LOCKS_EXCLUDED(poller_lock_);

  struct ProcWatch {
    uint64_t dispatches = 0;
    uint64_t syscalls = 0;
    Nanos since = 0;
  };

  const Config config_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<SchedulerPolicy> policy_;
  std::unique_ptr<StackAllocator> stacks_;
  std::unique_ptr<PreemptionStrategy> preemption_;
  PolicyTraits policy_traits_;
  StackTraits stack_traits_;
  PreemptionTraits preemption_traits_;
  bool timed_ = false;    // kWatchTimes
  bool virtual_ = false;  // the engine's time is: it is told what happens
  bool ticks_ = false;    // machines' threads are interrupted by timers
  int interrupt_signal_ = 0;
  void (*interrupt_handler_)(PreemptionHost&) = nullptr;
  // Virtual time only, where one kernel thread is all there is. What spares searches that can find nothing (idle.cc).
  int64_t runnable_ = 0;            // enqueued, and not yet dispatched
  Nanos no_timer_before_ = kNever;  // no processor has an earlier one
  std::atomic<int> proc_count_{0};
  // Room for as many as there may be; the pages of those that never are are never touched.
  struct FreeProcessors {
    void operator()(Processor* p) const { ::operator delete(p, std::align_val_t{alignof(Processor)}); }
  };
  std::unique_ptr<Processor[], FreeProcessors> procs_;
  std::atomic<int> procs_made_{0};  // the first of them exist: those beyond proc_count_ are out of use
  int stack_procs_ = 0;             // the stack allocator's
  ProcContext seeds_;
  std::atomic<uint32_t> watchers_{0};       // Watcher bits
  std::unique_ptr<TraceRecorder> tracer_;   // made at the first trace's start, and kept
  std::mutex trace_lock_;                   // one start or stop at a time
  int json_file_ ABSL_GUARDED_BY(trace_lock_) = -1;  // where the trace goes in Perfetto's format

  // Who sleeps and who searches, in one word: idle processors in the upper half, searching machines in the lower.
  static constexpr uint64_t kOneIdle = uint64_t{1} << 32;
  static constexpr uint64_t kOneSpinning = 1;
  alignas(128) std::atomic<uint64_t> idle_word_{0};
  std::vector<std::atomic<uint64_t>> idle_set_;  // a bit for each processor that sleeps

  alignas(128) std::atomic<Nanos> coarse_now_{0};
  std::atomic<bool> stopping_{false};
  std::atomic<bool> monitor_asleep_{false};
  // The monitor's own.
  std::vector<ProcWatch> watch_;
  Nanos monitor_delay_ = 20'000;
  int quiet_looks_ = 0;
  std::atomic<uint64_t> monitor_looks_{0};
  SchedTrace sched_trace_;
  Housekeeping housekeeping_;
  uint64_t polls_seen_ = 0;
  Nanos polled_at_ = 0;

  // See world.cc.
  friend class PolicyGate;
  std::atomic<bool> world_owned_{false};   // by the one goroutine that stops it
  std::atomic<bool> gate_closed_{false};
  std::atomic<int> policy_calls_{0};       // under way by threads without a processor
  RawLock monitor_lock_;                   // held by the monitor while it looks, and by the stopper
  G* held_back_ = nullptr;                 // picked when the world stopped, linked; under spares_lock_ until it stands

  std::atomic<int> max_threads_{0};
  std::atomic<int> machines_alive_{0};     // threads that have not left their loop
  RawLock machines_lock_;
  std::vector<std::unique_ptr<Machine>> machines_ ABSL_GUARDED_BY(machines_lock_);  // all that there were
  Machine* main_machine_ = nullptr;        // of the thread that called Run, where that is one
  G* caller_ = nullptr;                    // its stand-in, where it waits
  RawLock spares_lock_;
  Machine* spares_ ABSL_GUARDED_BY(spares_lock_) = nullptr;
  int spare_count_ ABSL_GUARDED_BY(spares_lock_) = 0;
  std::atomic<int> spares_starting_{0};    // threads that will be spare
  std::atomic<int> threads_{0};            // machines' kernel threads that have begun to run
  std::atomic<int> held_in_place_{0};      // goroutines inside a signal handler
  std::atomic<int> retaken_{0};            // goroutines in blocking calls whose processor was retaken
  std::atomic<int> returning_{0};          // of these, back and handed to the policy, but still counted there
  RawLock retake_lock_;                    // held while one is retaken
  std::atomic<int64_t> injected_spawns_{0};
  std::atomic<uint64_t> injections_{0};    // of goroutines, by threads without a processor
  std::atomic<uint64_t> injected_readies_{0};
  std::atomic<uint64_t> returned_calls_{0};  // blocking calls that had lost their processor
  std::atomic<uint64_t> wakeups_{0};       // of sleeping processors
  std::atomic<uint64_t> preemptions_{0};
  std::atomic<uint64_t> preempted_in_place_{0};
  std::atomic<uint64_t> preempted_by_call_{0};
  std::atomic<uint64_t> retakes_{0};
  std::atomic<Poller*> poller_{nullptr};   // what shared_poller_ points to, for those who are in a hurry
  RawLock poller_lock_;
  std::shared_ptr<Poller> shared_poller_ ABSL_GUARDED_BY(poller_lock_);
  std::atomic<G*> main_goroutine_{nullptr};  // null once it has called Goexit
};

// Completes the traces of all runtimes that have a file for it: the process dies.
void SaveTraces();

}  // namespace gyre::internal

#endif  // GYRE_RUNTIME_CORE_H_
