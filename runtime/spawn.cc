// Making and ending goroutines. One piece of memory holds it all:
//
//   stack.low                                                                     stack.top
//   | guard below |  ... frames grow down <--- first frame | closure | G | colour |
//
// The colour is a small offset that differs from stack to stack: without it all control blocks would fall into the same
// few sets of the first-level cache, for stacks begin at page boundaries and that cache is indexed by the offset in a
// page.
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <string>

#include "absl/strings/str_cat.h"
#include "runtime/core.h"
#include "runtime/foreign.h"
#include "runtime/go.h"
#include "runtime/panic.h"
#include "runtime/park.h"
#include "runtime/sanitizers.h"
#include "runtime/switch.h"

namespace gyre::internal {

namespace {

constexpr size_t kColours = kStackColours;
constexpr size_t kColourStep = kStackColourStep;
constexpr size_t kColoured = 16384;     // bytes from which a stack has a colour: smaller ones are not on page boundaries
constexpr size_t kSmallClosure = 256;   // bytes up to which a closure fits into any stack
constexpr size_t kStackSlack = 16384;   // that a goroutine may use at least beside a large closure

uintptr_t ControlBlockOf(const Stack& stack) {
  const uintptr_t top = reinterpret_cast<uintptr_t>(stack.top);
  // Fibonacci hashing of the page number: neighbours get different colours.
  const size_t colour = stack.size() < kColoured ? 0 : ((top >> 12) * uint64_t{0x9e3779b97f4a7c15}) >> 60;
  static_assert(kColours == size_t{1} << 4);
  return top - colour * kColourStep - sizeof(G);
}

uint64_t NextId(Processor* p) {
  if (p == nullptr) return Core::ReserveIds(1);
  if (p->next_id == p->last_id) {
    p->next_id = Core::ReserveIds(Core::kIdBatch);
    p->last_id = p->next_id + Core::kIdBatch;
  }
  return p->next_id++;
}

}  // namespace

uint64_t Core::ReserveIds(uint64_t count) {
  static std::atomic<uint64_t> next{1};
  return next.fetch_add(count, std::memory_order_relaxed);
}

void Core::StartGoroutine(G* g) {
  ChangeState<GState::kIdle, GState::kRunnable>(g->state, g);
  ThreadState& thread = This();
  if (Processor* p = thread.p; p != nullptr && p->core == this) [[likely]] {
    p->spawned.Add(1);
    if (watched()) [[unlikely]]
      WatchSpawn(p, g);
    ActOn(p->policy->Enqueue(p->context, g, EnqueueReason::kNew), p);
  } else {
    injected_spawns_.fetch_add(1, std::memory_order_relaxed);
    if (watched()) WatchSpawn(nullptr, g);
    Inject(g);
  }
}

void Core::Inject(G* g) {
  if (virtual_ && machines_alive_.load(std::memory_order_relaxed) != 0) {
    if (Machine* m = This().m; m == nullptr || m->core != this) {
      Fatal(
          "simulation: only goroutines of the simulation may start or wake one of its goroutines while it runs; this "
          "is a "
          "thread, or another runtime's goroutine");
    }
  }
  Inject(g, ForeignContext());
}

void Core::Inject(G* g, ProcContext& context) {
  if (timed_) NoteRunnable(context, g);
  injections_.fetch_add(1, std::memory_order_relaxed);
  PolicyGate gate(this);
  ActOn(policy_->Enqueue(context, g, EnqueueReason::kInjected), nullptr);
}

int64_t Core::LiveGoroutines() const {
  int64_t live = injected_spawns_.load(std::memory_order_relaxed);
  // Exits first: a goroutine that is made and ends in between must not make the sum too small.
  for (ProcId id = 0; id < procs_made_; ++id) live -= static_cast<int64_t>(procs_[id].exited.Get());
  for (ProcId id = 0; id < procs_made_; ++id) live += static_cast<int64_t>(procs_[id].spawned.Get());
  return live;
}

void Core::ForEachGoroutine(absl::FunctionRef<void(G*)> visit) {
  stacks_->ForEach([&](const Stack& stack) {
    G* g = reinterpret_cast<G*>(ControlBlockOf(stack));
    const GState state = g->state.load(std::memory_order_acquire);
    if (state != GState::kIdle && state != GState::kDead && g->core == this) visit(g);
  });
}

uint64_t Core::SomeGoroutines(uint64_t place, size_t most, absl::FunctionRef<void(G*)> visit) {
  return stacks_->ForSome(place, most, [&](const Stack& stack) { visit(reinterpret_cast<G*>(ControlBlockOf(stack))); });
}

void RecycleGoroutine(G* dead) {
  sanitizers::EndStack(dead);
  Processor* p = This().p;
  ChangeState<GState::kDead, GState::kIdle>(dead->state, dead);
  p->stacks->Free(*p->stack_context, dead->stack);
}

// ---- what Go() is made of (go.h) ----

namespace {

// The rare parts of NewGoroutine, out of line: it is then a leaf with a small frame.

[[noreturn, gnu::cold, gnu::noinline]] void PanicNoStack(Core* core, size_t min, int error) {
  if (error == EINVAL) {
    Panic(absl::StrCat("gyre: a goroutine wants a stack of ", min, " bytes, and the stack allocator ",
                       core->config().stack, " has none so large; built in are stacks of up to 1 GiB"));
  }
  Panic(absl::StrCat("gyre: no stack for a new goroutine (", core->LiveGoroutines(), " exist, stack allocator ",
                     core->config().stack, "): ", std::strerror(error)));
}

[[noreturn, gnu::cold, gnu::noinline]] void PanicNoRuntime() {
  Panic("gyre::Go: the calling thread runs no goroutine; a foreign thread uses Runtime::Go");
}

// The bytes that its stack must have at least; 0: the usual will do.
[[gnu::noinline]] size_t StackSizeFor(const Core* core, const GoOptions* options, size_t size, size_t align) {
  const size_t wanted = options != nullptr ? options->stack_size : 0;
  if (wanted == 0 && size <= core->stack_traits().small_closure) return 0;
  return std::max(wanted, kStackSlack + size + align + sizeof(G) + kColours * kColourStep);
}

[[gnu::noinline]] void ApplyOptions(G* g, const GoOptions& options) {
  g->name = options.name;
  g->priority = options.priority;
  g->weight = options.weight != 0 ? options.weight : 1;
  if (options.deadline != absl::InfiniteFuture()) {
    Core* core = g->core;
    g->deadline = core->Now() + absl::ToInt64Nanoseconds(options.deadline - core->engine().WallNow());
  }
}

}  // namespace

G* NewGoroutine(Core* core, const GoOptions* options, size_t size, size_t align, void (*run)(void*)) {
  NoPreempt off;
  ThreadState& thread = This();
  Processor* p = thread.p;
  if (core == nullptr) [[likely]] {
    if (p == nullptr) [[unlikely]]
      PanicNoRuntime();
    core = p->core;
  } else if (p != nullptr && p->core != core) {
    p = nullptr;
  }
  size_t min = 0;
  if (options != nullptr || size > kSmallClosure) [[unlikely]]
    min = StackSizeFor(core, options, size, align);
  Stack stack = core->stacks().Allocate(p != nullptr ? *p->stack_context : ForeignContext(), min);
  // Word by word: read as one vector, what the allocator has just stored as two words could not be forwarded to the
  // load.
  asm("" : "+r"(stack.low));
  if (!stack) [[unlikely]]
    PanicNoStack(core, min, errno);
  const uintptr_t block = ControlBlockOf(stack);
  const uintptr_t closure = (block - size) & ~(std::max<uintptr_t>(align, 16) - 1);
  G* g = ::new (reinterpret_cast<void*>(block)) G(core, stack, reinterpret_cast<void*>(closure), run, NextId(p));
  g->context.store(MakeContext(g, reinterpret_cast<char*>(closure)), std::memory_order_relaxed);
  sanitizers::NewStack(g);
  if (p != nullptr) {
    g->creator_id = thread.g->id;
    if (const void* labels = thread.g->labels.load(std::memory_order_relaxed); labels != nullptr) [[unlikely]] {
      g->labels.store(labels, std::memory_order_relaxed);
    }
  }
  g->creator_pc = __builtin_return_address(0);  // Go() is inlined: this is its caller
  if (options != nullptr) [[unlikely]]
    ApplyOptions(g, *options);
  return g;
}

void* ClosureOf(G* g) {
  return g->closure;
}

void StartGoroutine(G* g) {
  {
    NoPreempt off;
    g->core->StartGoroutine(g);
  }
  ExplorePoint();
}

void DiscardGoroutine(G* g) {
  NoPreempt off;
  sanitizers::EndStack(g);
  ThreadState& thread = This();
  const bool here = thread.p != nullptr && thread.m->core == g->core;
  g->core->stacks().Free(here ? *thread.p->stack_context : ForeignContext(), g->stack);
}

void FatalGoOfNil() {
  Fatal("go of nil func value");
}

G* Self() {
  G* g = This().g;
  return g != nullptr ? g : ForeignStandIn();
}

}  // namespace gyre::internal

namespace gyre {

int64_t NumGoroutine() {
  internal::Machine* m = internal::This().m;
  return m == nullptr ? 0 : m->core->LiveGoroutines();
}

int Procs() {
  internal::Machine* m = internal::This().m;
  return m == nullptr ? 0 : m->core->proc_count();
}

}  // namespace gyre
