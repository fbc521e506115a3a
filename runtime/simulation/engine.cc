#include "runtime/simulation/engine.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "absl/strings/str_cat.h"
#include "plugins/decisions.h"
#include "plugins/registry.h"
#include "plugins/spec.h"
#include "runtime/core.h"
#include "runtime/dump.h"
#include "runtime/panic.h"
#include "runtime/park.h"

namespace gyre::internal::simulation {

namespace {

// More events than that at one instant are no program's progress: with modelled costs of zero a loop of gyre::Yield
// stops the clock.
constexpr uint64_t kMostAtOneInstant = 20'000'000;

constexpr uint64_t kHashFactor = 0x9e3779b97f4a7c15;

Nanos AddSaturated(Nanos a, Nanos b) {
  Nanos sum;
  return __builtin_add_overflow(a, b, &sum) ? kNever : sum;
}

}  // namespace

SimulationEngine::SimulationEngine(const Config& config, const PluginOptions& options, ExplorationStrategy* strategy,
                                   std::unique_ptr<ExplorationStrategy> owned)
    : costs_(CostsFrom(options)),
      seed_(config.seed != 0 ? config.seed : 1),
      shuffle_ties_(options.Choice("ties") == "random"),
      report_(options.Choice("report") == "summary" ? Reports::kSummary : Reports::kFailures),
      owned_strategy_(std::move(owned)) {
  fibers_.emplace_back();
  current_ = &fibers_.front();
  current_->owner = this;
  random_.state = seed_ * kHashFactor;  // one to one, and not 0
  if (strategy != nullptr) {
    chooser_ = std::make_unique<Chooser>(strategy);
    exploring.fetch_add(1, std::memory_order_relaxed);
  }
}

SimulationEngine::~SimulationEngine() {
  if (chooser_ != nullptr) exploring.fetch_sub(1, std::memory_order_relaxed);
  for (Fiber& fiber : fibers_) FreeStack(&fiber);
}

absl::Time SimulationEngine::WallNow() {
  static const absl::Time kStart = absl::FromCivil(absl::CivilSecond(2000, 1, 1), absl::UTCTimeZone());
  return kStart + absl::Nanoseconds(now_);
}

// ---- what happened ----

void SimulationEngine::Count() {
  if (++at_one_instant_ > kMostAtOneInstant) [[unlikely]] {
    at_one_instant_ = 0;
    Fatal(absl::StrCat(
        "simulation: ", kMostAtOneInstant, " events at one instant (", absl::FormatDuration(absl::Nanoseconds(now_)),
        "): virtual time stands still, for some goroutine loops through runtime calls that cost nothing; give "
        "the engine a cost, such as simulation:switch=20ns"));
  }
}

void SimulationEngine::Record(Event event, uint64_t who, uint64_t what) {
  ++events_;
  uint64_t hash = trace_hash_;
  for (uint64_t part : {static_cast<uint64_t>(now_), (who << 8) | static_cast<uint64_t>(event), what}) {
    hash = (hash ^ part) * kHashFactor;
    hash ^= hash >> 29;
  }
  trace_hash_ = hash;
  if (kept_ != nullptr) [[unlikely]]
    kept_->push_back({hash, now_});
}

void SimulationEngine::Summarize() const {
  if (report_ != Reports::kSummary) return;
  std::fflush(nullptr);
  std::fprintf(stderr, "simulation: %s of virtual time, %llu events, trace %016llx\n",
               absl::FormatDuration(absl::Nanoseconds(now_)).c_str(), static_cast<unsigned long long>(events_),
               static_cast<unsigned long long>(trace_hash_));
  if (chooser_ == nullptr) return;
  std::fprintf(stderr, "simulation: schedule %s of %llu decisions, %d preemptions\n",
               DecisionsToString(chooser_->Schedule()).c_str(), static_cast<unsigned long long>(chooser_->decisions()),
               chooser_->preemptions());
}

void SimulationEngine::StopMonitor() {
  Summarize();
}
// ---- time ----

void SimulationEngine::Enqueue(Fiber* fiber, Nanos when) {
  uint64_t order = ++sequence_;
  if (shuffle_ties_) order = (random_.Random() & 0xffffffff'00000000) | (order & 0xffffffff);
  queue_.Insert(fiber, when, order);
}

void SimulationEngine::RunNext() {
  Fiber* self = current_;
  Count();
  if (queue_.empty()) {
    Fatal("simulation: every virtual processor waits and nothing is left to happen");
  }
  Fiber* next = queue_.Front();
  if (const Nanos when = queue_.Earliest(); when > now_) {
    now_ = when;
    at_one_instant_ = 0;
  }
  queue_.Remove(next);
  if (next == self) return;
  current_ = next;
  SwitchFiber(self, next);
}

void SimulationEngine::AdvanceTo(Nanos when) {
  if (queue_.Earliest() > when) [[likely]] {
    if (when > now_) {
      now_ = when;
      at_one_instant_ = 0;
    } else {
      Count();
    }
    return;
  }
  Enqueue(current_, when);
  RunNext();
}

void SimulationEngine::Charge(Cost cost) {
  switch (cost) {
    case Cost::kSwitch:
      return AdvanceBy(costs_.switching);
    case Cost::kSteal:
      return AdvanceBy(costs_.steal);
    case Cost::kWake:
      return AdvanceBy(costs_.notify);
    case Cost::kPreempt:
      return AdvanceBy(costs_.preempt);
    case Cost::kSyscall:
      return AdvanceBy(costs_.syscall);
  }
}

void SimulationEngine::Dispatching(ProcId proc, const G& g) {
  if (first_id_ == 0) first_id_ = g.id;
  AdvanceBy(costs_.switching);
  // Ids count on through all runtimes of the process: what repeats is their distance.
  Record(Event::kDispatch, static_cast<uint64_t>(proc), g.id - first_id_);
}

void SimulationEngine::Relax(int round) {
  // Rounds that cost nothing let others go first who are due at this instant, and later wait for the next thing to
  // happen.
  constexpr int kRoundsAtOneInstant = 16;
  const Nanos next = queue_.Earliest();
  AdvanceTo(costs_.relax != 0 || round < kRoundsAtOneInstant || next == kNever ? now_ + costs_.relax : next);
}

// ---- machines ----

Fiber* SimulationEngine::FiberOf(Machine* m) {
  auto* fiber = static_cast<Fiber*>(m->engine_data);
  if (fiber == nullptr) [[unlikely]] {
    // The first: the thread that called Run.
    fiber = &fibers_.front();
    fiber->machine = m;
    m->engine_data = fiber;
  }
  return fiber;
}

void SimulationEngine::RunMachine(Fiber* fiber) {
  auto* engine = static_cast<SimulationEngine*>(fiber->owner);
  fiber->machine->core->MachineMain(fiber->machine);
  fiber->state = Fiber::State::kEnded;
  --engine->active_;
  engine->ended_.push_back(fiber);
  engine->RunNext();
}

absl::Status SimulationEngine::StartMachine(Machine* m) {
  Fiber& fiber = fibers_.emplace_back();
  fiber.owner = this;
  fiber.machine = m;
  fiber.number = static_cast<uint32_t>(fibers_.size());
  if (!PrepareFiber(&fiber, &RunMachine)) {
    fibers_.pop_back();
    return absl::ResourceExhaustedError(
        absl::StrCat("gyre: no memory for the stack of virtual machine ", fibers_.size()));
  }
  m->engine_data = &fiber;
  m->system.stack.low = fiber.stack_low;
  m->system.stack.top = fiber.stack_low + fiber.stack_size;
  m->system.sanitizer_fiber = fiber.own_tsan_fiber;
  ++active_;
  Enqueue(&fiber, now_ + costs_.wake);
  return absl::OkStatus();
}

bool SimulationEngine::ParkMachine(Machine* m, Nanos deadline) {
  Fiber* fiber = FiberOf(m);
  if (!fiber->unparked) {
    if (deadline <= now_) return false;
    if (active_ == 1 && waiter_ != nullptr) {
      ReadyWaiter();
      if (std::exchange(fiber->unparked, false)) return true;
    }
    if (overdue_ != 0) OfferTimers();
    fiber->state = Fiber::State::kParked;
    --active_;
    if (deadline != kNever) Enqueue(fiber, deadline);
    RunNext();
    fiber->state = Fiber::State::kActive;
    if (!fiber->unparked) {
      ++active_;
      Record(Event::kDeadline, fiber->number, 0);
    }
  }
  return std::exchange(fiber->unparked, false);
}

void SimulationEngine::UnparkMachine(Machine* m) {
  Fiber* fiber = FiberOf(m);
  if (fiber->state == Fiber::State::kWorking) Interrupt(m);  // the runtime ends
  if (std::exchange(fiber->unparked, true) || fiber->state != Fiber::State::kParked) return;
  ++active_;
  Record(Event::kUnpark, fiber->number, 0);
  Nanos when = now_ + costs_.wake;
  if (fiber->event_index >= 0) {
    when = std::min(when, std::max(now_, queue_.When(fiber)));
    queue_.Remove(fiber);
  }
  Enqueue(fiber, when);
}

// ---- computing ----

void SimulationEngine::Interrupt(Machine* m) {
  Fiber* fiber = FiberOf(m);
  if (fiber->state != Fiber::State::kWorking || fiber->event_index < 0) return;
  queue_.Remove(fiber);
  Enqueue(fiber, now_);
}

void SimulationEngine::Work(Nanos d) {
  auto give_way = [] {
    if ((This().p->attention.load(std::memory_order_relaxed) & kAttentionLeave) != 0) CheckPreempt();
  };
  bool told = false;  // somebody has been woken, if there was anybody, for our timers that are due
  CheckPreempt();
  while (d > 0) {
    // Anew in each round: preemption may have moved the goroutine.
    Machine* m = This().m;
    Processor* p = This().p;
    Core* core = m->core;
    const Nanos begin = now_;
    const Nanos slice_end = AddSaturated(p->dispatched_at, core->QuantumOf(*p));
    const Nanos timer = p->timers.EarliestRelaxed();
    const Nanos overdue = told ? kNever : AddSaturated(timer, costs_.monitor);
    const Nanos until = std::max(begin, std::min({AddSaturated(begin, d), slice_end, overdue}));
    Fiber* fiber = current_;
    fiber->state = Fiber::State::kWorking;
    SetOverdue(fiber, told);
    AdvanceTo(until);
    SetOverdue(fiber, false);
    fiber->state = Fiber::State::kActive;
    d -= now_ - begin;
    if (d <= 0) return;
    // Until a timer is taken, or another machine becomes idle and interrupts us, there is no more to do about those.
    told = now_ >= overdue;
    if (told) core->WakeForOverdueTimers();
    if (now_ >= slice_end) {
      EndSlice(core, p);
      told = false;
    }
    give_way();
  }
}

void SimulationEngine::SetOverdue(Fiber* fiber, bool overdue) {
  overdue_ += static_cast<int>(overdue) - static_cast<int>(fiber->overdue);
  fiber->overdue = overdue;
}

void SimulationEngine::OfferTimers() {
  for (Fiber& fiber : fibers_) {
    if (fiber.overdue && fiber.state == Fiber::State::kWorking) Interrupt(fiber.machine);
  }
}

void SimulationEngine::EndSlice(Core* core, Processor* p) {
  core->CountPreemption();
  core->preemption().Request(p->context.id, PreemptReason::kSliceOver);
  Charge(Cost::kPreempt);
  Record(Event::kSliceEnd, static_cast<uint64_t>(p->context.id), 0);
}

void SimulationEngine::Called() {
  AdvanceBy(costs_.call);
  ThreadState& thread = This();
  Core* core = thread.m->core;
  if (chooser_ != nullptr) {
    if (chooser_->WantsPreemption(*thread.g)) core->YieldFrom(thread.g, EnqueueReason::kPreempted);
    return;
  }
  Processor* p = thread.p;
  if (now_ < AddSaturated(p->dispatched_at, core->QuantumOf(*p))) return;
  EndSlice(core, p);
  if ((p->attention.load(std::memory_order_relaxed) & kAttentionLeave) != 0) CheckPreempt();
}

// ---- exploring and testing ----

std::unique_ptr<SchedulerPolicy> SimulationEngine::MakeOwnPolicy() {
  return chooser_ == nullptr ? nullptr : std::make_unique<ChooserPolicy>(chooser_.get());
}

uint32_t SimulationEngine::Choose(uint32_t n) {
  return chooser_ != nullptr ? chooser_->Draw(n) : random_.Below(n);
}

bool SimulationEngine::Deadlocked() {
  if (waiter_ != nullptr) return true;  // whom ParkMachine wakes
  if (!catch_failures_) return false;
  Core* core = This().m->core;
  failure_ = absl::StrCat("fatal error: ",
                          core->LiveGoroutines() == 0 ? "no goroutines (main called gyre::Goexit) - deadlock!"
                                                      : "all goroutines are asleep - deadlock!",
                          "\n\n", DumpGoroutines(nullptr, 0));
  core->MainEnded();
  return true;
}

void SimulationEngine::Failed(const std::string& report, void* const* frames, int frame_count) {
  G* g = This().g;
  if (!catch_failures_) {
    Summarize();
    if (chooser_ != nullptr && report_ == Reports::kFailures) {
      const std::string schedule = DecisionsToString(chooser_->Schedule());
      std::fprintf(stderr,
                   "simulation: this run departs from the plain schedule in the following:\n%s"
                   "simulation: to see it again: --engine='simulation(replay:schedule=%s)'\n",
                   chooser_->Interleaving().c_str(), schedule.c_str());
    }
  }
  if (!catch_failures_ || g == nullptr || g->kind != GKind::kGoroutine) return;
  failure_ = absl::StrCat(report, "\n\n", DumpGoroutines(frames, frame_count));
  g->core->MainEnded();
  g->core->Abandon(g);
}

void SimulationEngine::WaitForOthers() {
  if (waiter_ != nullptr) Panic("gyre::Wait: another goroutine waits already");
  G* self = Self();
  PreparePark(self, WaitReason::kOthers, nullptr);
  waiter_ = self;
  Park(self);
}

void SimulationEngine::ReadyWaiter() {
  G* g = std::exchange(waiter_, nullptr);
  ChangeState<GState::kWaiting, GState::kRunnable>(g->state, g);
  g->core->Inject(g, random_);
}

namespace {

std::vector<OptionSpec> Options() {
  std::vector<OptionSpec> options = CostOptions();
  options.push_back(ChoiceOption("report", {"failures", "summary"}, "failures",
                                 "what is printed on standard error at the end: the schedule of an exploration that "
                                 "failed, or always a summary"));
  options.push_back(IntOption("decisions", 0, 0, int64_t{1} << 40,
                              "for an exploration strategy: how many decisions the program takes; 0: not known"));
  options.push_back(
      ChoiceOption("ties", {"random", "fifo"}, "random", "who goes first of those whose moments are the same"));
  return options;
}

constexpr const char kName[] = "simulation";

absl::StatusOr<std::unique_ptr<SimulationEngine>> Make(const Config& config, const PluginOptions& options,
                                                       const std::string& spec) {
  if (spec.empty()) return std::make_unique<SimulationEngine>(config, options, nullptr);
  if (config.procs > 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("engine simulation(", spec,
                     "): an exploration runs on one virtual processor, which its strategy "
                     "gives to any goroutine: procs=1, and not ",
                     config.procs));
  }
  absl::StatusOr<Configured<ExplorationStrategy>> made = MakeStrategy(spec);
  if (!made.ok()) return made.status();
  ExplorationStrategy* strategy = made->plugin.get();
  if (absl::Status status = strategy->Start(config.seed, made->options); !status.ok()) return status;
  strategy->BeginRun(static_cast<uint64_t>(options.Int("decisions")));
  return std::make_unique<SimulationEngine>(config, options, strategy, std::move(made->plugin));
}

[[maybe_unused]] const bool registered = RegisterEngine(
    {kName,
     "virtual processors and virtual time on one kernel thread; simulation(STRATEGY): one schedule of an exploration",
     Options(),
     [](const Config& config, const PluginOptions& options, const std::string& strategy)
         -> absl::StatusOr<std::unique_ptr<Engine>> { return Make(config, options, strategy); }});

}  // namespace

absl::StatusOr<std::unique_ptr<SimulationEngine>> MakeSimulationEngine(const Config& config,
                                                                       ExplorationStrategy* strategy) {
  absl::StatusOr<PluginSpec> spec = ParseSpec(config.engine);
  if (!spec.ok()) return spec.status();
  if (spec->name != kName) {
    return absl::InvalidArgumentError(
        absl::StrCat("engine \"", config.engine, "\": here it must be ", kName, ", with or without options"));
  }
  auto options = PluginOptions::Parse("engine simulation", Options(), spec->options);
  if (!options.ok()) return options.status();
  if (strategy != nullptr) return std::make_unique<SimulationEngine>(config, *options, strategy);
  return Make(config, *options, spec->inner);
}

}  // namespace gyre::internal::simulation
