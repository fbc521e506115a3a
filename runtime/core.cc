// Start and stop.
#include "runtime/core.h"

#include <cxxabi.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/cpus.h"
#include "runtime/dump.h"
#include "runtime/dump_state.h"
#include "runtime/fault.h"
#include "runtime/foreign.h"
#include "runtime/go.h"
#include "runtime/interception.h"
#include "runtime/live_cores.h"
#include "runtime/panic.h"
#include "runtime/sanitizers.h"
#include "runtime/segments.h"
#include "runtime/trace/recorder.h"

namespace gyre::internal {

namespace {

// How long a runtime that ends waits for goroutines that run to reach the scheduler: as long as one uses its CPU for
// this, and no longer at all than that.
constexpr Nanos kComputes = 20'000'000;
constexpr Nanos kStopGrace = 1'000'000'000;
constexpr Nanos kIdleStopGrace = 60'000'000'000;

// A process's first runtime that is traced into `file` writes that, the second FILE with ".2" before its extension, and
// so on.
std::string NextTraceFile(const std::string& file) {
  static std::mutex lock;
  static auto* counts = new std::map<std::string, int>;
  int number;
  {
    std::lock_guard<std::mutex> hold(lock);
    number = ++(*counts)[file];
  }
  if (number == 1) return file;
  const size_t slash = file.rfind('/');
  const size_t dot = std::min(file.rfind('.'), file.size());
  const size_t at = slash != std::string::npos && dot < slash ? file.size() : dot;
  return absl::StrCat(file.substr(0, at), ".", number, file.substr(at));
}

}  // namespace

absl::StatusOr<std::shared_ptr<Core>> Core::Create(const Config& config, std::unique_ptr<Engine> engine) {
  std::shared_ptr<Core> core(new Core(config));
  core->engine_ = std::move(engine);
  if (absl::Status status = core->Start(); !status.ok()) return status;
  return core;
}

absl::Status Core::Start() {
  if (config_.procs < 0 || config_.procs > Config::kMaxProcs) {
    return absl::InvalidArgumentError(
        absl::StrCat("procs must be from 1 to ", Config::kMaxProcs, ", or 0 for as many as there are CPUs"));
  }
  for (const std::string& file : config_.plugins) {
    if (absl::Status status = LoadPluginLibrary(file); !status.ok()) return status;
  }
  if (engine_ == nullptr) {
    auto engine = MakeEngine(config_);
    if (!engine.ok()) return engine.status();
    engine_ = *std::move(engine);
  }
  virtual_ = engine_->is_virtual();
  if (config_.intercept && !interception_linked) {
    return absl::InvalidArgumentError("intercept=on: this program is not linked with //runtime/intercept");
  }
  if (config_.intercept && virtual_) {
    return absl::InvalidArgumentError("intercept=on: the kernel's calls take real time; it needs --engine=threads");
  }
  proc_count_ = config_.procs != 0 ? config_.procs : engine_->DefaultProcs();
  if (proc_count_ == 0) proc_count_ = std::min(UsableCpus(), Config::kMaxProcs);
  max_threads_ = config_.max_threads;

  auto policy = MakeScheduler(config_.scheduler);
  if (!policy.ok()) return policy.status();
  if (auto own = engine_->MakeOwnPolicy()) policy->plugin = std::move(own);
  auto stacks = MakeStackAllocator(config_.stack);
  if (!stacks.ok()) return stacks.status();
  auto preemption = MakePreemption(config_.preemption);
  if (!preemption.ok()) return preemption.status();
  policy_ = std::move(policy->plugin);
  stacks_ = std::move(stacks->plugin);
  preemption_ = std::move(preemption->plugin);
  if (absl::Status status = policy_->Start(Topology{proc_count()}, policy->options); !status.ok()) return status;
  if (absl::Status status = stacks_->Start(proc_count_, stacks->options); !status.ok()) return status;
  if (absl::Status status = preemption_->Start(*this, preemption->options); !status.ok()) return status;
  policy_traits_ = policy_->traits();
  stack_traits_ = stacks_->traits();
  preemption_traits_ = preemption_->traits();
  timed_ = policy_traits_.wants_times || virtual_ || !config_.debug_http.empty();
  if (preemption_traits_.on_stack) {
    if (!stacks_->traits().can_signal_on_stack) {
      return absl::InvalidArgumentError(absl::StrCat(
          "preemption ", config_.preemption, " puts a frame on the stack of the goroutine that it interrupts, where stack ",
          config_.stack, " may have no room; use preemption klt, cooperative or none, or stack contiguous or fixed"));
    }
    if (absl::Status status = PrepareCalls(); !status.ok()) {
      return absl::UnimplementedError(absl::StrCat("preemption ", config_.preemption, ": ", status.message()));
    }
  }
  ticks_ = interrupt_signal_ != 0 && preemption_traits_.asynchronous && !virtual_;

  procs_.reset(static_cast<Processor*>(
      ::operator new(Config::kMaxProcs * sizeof(Processor), std::align_val_t{alignof(Processor)})));
  idle_set_ = std::vector<std::atomic<uint64_t>>((Config::kMaxProcs + 63) / 64);
  watch_.resize(proc_count_);
  seeds_.state = engine_->Seed() * 0x9e3779b97f4a7c15;  // one to one, so that no two seeds are the same, and never 0
  stack_procs_ = proc_count_;
  MakeProcessors(proc_count_);
  if (timed_) Watch(kWatchTimes, true);
  if (policy_traits_.wants_task_hooks || policy_traits_.wants_block_hook) Watch(kWatchHooks, true);
  // Every processor but the first sleeps, and has no machine yet.
  for (ProcId id = 1; id < proc_count_; ++id) {
    idle_set_[id / 64].fetch_or(uint64_t{1} << (id % 64), std::memory_order_relaxed);
  }
  idle_word_.store(kOneIdle * (proc_count_ - 1), std::memory_order_relaxed);
  coarse_now_.store(engine_->Now(), std::memory_order_relaxed);
  InstallFaultHandler();
  if (stack_traits_.needs_switch_hooks) InstallTerminateHandler();
  absl::StatusOr<SchedTrace> sched_trace = SchedTrace::FromEnvironment();
  if (!sched_trace.ok()) return sched_trace.status();
  sched_trace_ = *sched_trace;
  sched_trace_.begin = sched_trace_.next = engine_->Now();
  if (!config_.trace.empty()) return StartTrace(NextTraceFile(config_.trace));
  return absl::OkStatus();
}

Core::Core(Config config) : config_(std::move(config)) {}
Core::~Core() {
  for (ProcId id = 0; id < procs_made_; ++id) procs_[id].~Processor();
}

std::atomic<int> interceptions{0};
constinit bool interception_linked = false;

bool InterceptHere() {
  ThreadState& thread = This();
  // Not inside the runtime, nor inside gyre::Blocking.
  return thread.p != nullptr && thread.no_preempt == 0 && thread.g->kind == GKind::kGoroutine &&
         thread.m->core->config().intercept;
}

bool Core::RunMain(absl::FunctionRef<void()> main) {
  if (absl::Status status = engine_->StartMonitor([this] {
        MonitorPoll();
        return MonitorTick();
      }); !status.ok()) {
    Fatal(std::string(status.message()));
  }
  G* main_goroutine = nullptr;
  try {
    main_goroutine = MakeGoroutine(this, nullptr, [main] { main(); });
  } catch (const PanicError& error) {  // no memory for its stack: the caller could not go on either
    FatalPanic(error.what(), error.frames(), error.frame_count());
  }
  main_goroutine->creator_pc = nullptr;
  main_goroutine_.store(main_goroutine, std::memory_order_relaxed);
  AddLiveCore(this);
  if (config_.intercept) interceptions.fetch_add(1, std::memory_order_relaxed);
  if (!virtual_) SetQuitRuntime(this);
  if (virtual_) {
    RunHere();
  } else {
    RunBeside();
  }
  // Not in the destructor: threads that end hold on to this object for a while, and foreign threads must not give it timers.
  SetQuitRuntime(nullptr);
  RemoveLiveCore(this);
  engine_->StopMonitor();  // first, for it starts spare machines
  // Those who run come to the scheduler, or are stopped where they are.
  const Nanos ended = engine_->Now();
  for (int round = 0;; ++round) {
    // Where no goroutine is left only idle threads are, however slowly a loaded machine lets them go.
    if (engine_->Now() - ended >= (LiveGoroutines() > 0 ? kStopGrace : kIdleStopGrace)) break;
    // Those that are left wait with goroutines that will not come back. (Without a goroutine: a machine has just handed over one
    // that did come back, and is about to leave.)
    const int alive = machines_alive_.load(std::memory_order_acquire);
    const int left = alive - held_in_place_.load(std::memory_order_acquire) - InBlockingCalls();
    if (alive == 0 || (left == 0 && LiveGoroutines() > 0)) break;
    if (!virtual_ && round % 64 == 63 && engine_->Now() - ended >= kComputes && left <= ComputingMachines()) break;
    WakeEverybody();
    if (preemption_traits_.asynchronous && round % 64 == 0) {
      for (ProcId id = 0; id < proc_count_; ++id) preemption_->Request(id, PreemptReason::kStopTheWorld);
    }
    engine_->Relax(round);
  }
  preemption_->Stop();
  if (!config_.trace.empty()) {
    if (absl::Status status = StopTrace(); !status.ok()) std::fprintf(stderr, "%s\n", std::string(status.message()).c_str());
  }
  EndPoller();
  if (config_.intercept) interceptions.fetch_sub(1, std::memory_order_relaxed);
  return machines_alive_.load(std::memory_order_acquire) == 0;
}

// The machines whose threads have computed for kComputes since they were first asked: their goroutines may never stop.
int Core::ComputingMachines() {
  RawLockHolder hold(machines_lock_);
  int count = 0;
  for (auto& m : machines_) {
    const int tid = m->tid.load(std::memory_order_relaxed);
    if (tid == 0) continue;
    // The clock of a thread's CPU time, by the kernel's rule for naming it; an error if the thread is gone.
    timespec used;
    if (clock_gettime(static_cast<clockid_t>(~static_cast<unsigned>(tid) << 3 | 6), &used) != 0) continue;
    const Nanos now = used.tv_sec * Nanos{1'000'000'000} + used.tv_nsec;
    if (m->cpu_at_end == kNever) m->cpu_at_end = now;
    count += now - m->cpu_at_end >= kComputes;
  }
  return count;
}

// The calling thread waits. It is no machine: a goroutine that is preempted in place keeps its machine's thread for itself, and
// this one must come back.
void Core::RunBeside() {
  caller_ = ForeignStandIn();
  KeepSpares();
  // Its machine counts as searching, so the new goroutine wakes no other.
  procs_[0].first_wake_spins = true;
  idle_word_.fetch_add(kOneSpinning, std::memory_order_seq_cst);
  internal::StartGoroutine(main_goroutine_);
  StartMachineFor(&procs_[0]);
  ParkForeignThread(caller_);
}

// The calling thread is the first machine: in the simulator it is all the machines.
void Core::RunHere() {
  ThreadState& thread = This();
  G* const g_before = thread.g;
  AlternateSignalStack signal_stack;
  Machine* m = main_machine_ = NewMachine();
  EnterMachine(m, &procs_[0]);
  threads_.fetch_add(1, std::memory_order_seq_cst);
  internal::StartGoroutine(main_goroutine_);
  NoPreemptEnter();
  RunLoop(m);
  LeaveMachine(g_before);
  threads_.fetch_sub(1, std::memory_order_seq_cst);
  machines_alive_.fetch_sub(1, std::memory_order_acq_rel);
}

Machine* Core::NewMachine() {
  machines_alive_.fetch_add(1, std::memory_order_relaxed);
  RawLockHolder hold(machines_lock_);
  machines_.push_back(std::make_unique<Machine>(this));
  return machines_.back().get();
}

void Core::EnterMachine(Machine* m, Processor* p) {
  m->exceptions = reinterpret_cast<ExceptionGlobals*>(abi::__cxa_get_globals());
  m->carries_limit = stack_traits_.needs_switch_hooks;
  if (m->system.stack.low == nullptr) sanitizers::AdoptThreadStack(&m->system);  // else the engine made it one
  m->tid.store(static_cast<int>(syscall(SYS_gettid)), std::memory_order_relaxed);
  m->p = p;
  if (p != nullptr) {
    p->m.store(m, std::memory_order_release);
    m->spinning = std::exchange(p->first_wake_spins, false);
  }
  ThreadState& thread = This();
  thread.g = &m->system;
  thread.m = m;
  thread.p = p;
  if (TraceRecorder* tracer = p != nullptr ? Tracer() : nullptr) tracer->ProcStart(p, m);
}

// First the identity, then preemption: a request that is pending must find nobody here to preempt.
void Core::LeaveMachine(G* g_before) {
  ThreadState& thread = This();
  thread.g = g_before;
  thread.m = nullptr;
  thread.p = nullptr;
  NoPreemptExit();
}

void Core::MachineMain(Machine* m) {
  threads_.fetch_add(1, std::memory_order_seq_cst);
  AlternateSignalStack signal_stack;
  EnterMachine(m, m->given.exchange(nullptr, std::memory_order_acquire));
  if (ticks_) MakeTicker(m);
  NoPreemptEnter();
  RunLoop(m);
  LeaveMachine(nullptr);
  m->tid.store(0, std::memory_order_relaxed);
  threads_.fetch_sub(1, std::memory_order_seq_cst);
  // Release: all that this machine did happened before the runtime is found to have stopped.
  machines_alive_.fetch_sub(1, std::memory_order_acq_rel);
}

void Core::MainEnded() {
  stopping_.store(true, std::memory_order_seq_cst);
  for (ProcId id = 0; id < procs_made_; ++id) {
    procs_[id].attention.fetch_or(kAttentionStop, std::memory_order_seq_cst);
  }
  WakeEverybody();
  if (caller_ != nullptr) WakeForeignThread(caller_);
}

RuntimeStats Core::Stats() {
  NoPreempt off;  // the plug-ins take locks that others need to run at all
  std::optional<PolicyGate> gate;
  if (Machine* m = This().m; m == nullptr || m->core != this || m->p == nullptr) gate.emplace(this);
  RuntimeStats stats;
  for (ProcId id = 0; id < procs_made_; ++id) {
    Processor& p = procs_[id];
    stats.spawned += p.spawned.Get();
    stats.exited += p.exited.Get();
    stats.switches += p.dispatches.Get();
    stats.parks += p.parks.Get();
    stats.readies += p.readies.Get();
  }
  stats.spawned += static_cast<uint64_t>(injected_spawns_.load(std::memory_order_relaxed));
  stats.wakeups = wakeups_.load(std::memory_order_relaxed);
  stats.preemptions = preemptions_.load(std::memory_order_relaxed);
  stats.preempted_in_place = preempted_in_place_.load(std::memory_order_relaxed);
  stats.preempted_by_call = preempted_by_call_.load(std::memory_order_relaxed);
  stats.retakes = retakes_.load(std::memory_order_relaxed);
  stats.monitor_looks = monitor_looks_.load(std::memory_order_relaxed);
  engine_->AddStats(&stats);
  stats.policy = policy_->Stats();
  stats.stacks = stacks_->Stats();
  return stats;
}

}  // namespace gyre::internal
