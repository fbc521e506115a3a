// The public face of the runtime for code that runs in one: starting goroutines, yielding, sleeping, ending.
#ifndef GYRE_RUNTIME_GO_H_
#define GYRE_RUNTIME_GO_H_

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "absl/time/time.h"
#include "plugins/task.h"

namespace gyre {

// What Go may be told about a goroutine. Aggregate: gyre::Go({.name = "reader", .priority = 5}, f).
struct GoOptions {
  const char* name = nullptr;  // shown in dumps; must outlive the goroutine (a literal, usually)
  int priority = 0;            // for schedulers that know priorities: larger first
  uint32_t weight = Task::kDefaultWeight;  // for `fair`: share relative to others
  absl::Time deadline = absl::InfiniteFuture();  // for `edf`
  size_t stack_size = 0;       // bytes it may use at least; 0: the stack allocator's default
};

namespace internal {
struct G;
class Core;
// A goroutine of `core` (null: the caller's runtime) that is not running yet, with `size` bytes for its closure. `options` may
// be null. Throws PanicError if there is no stack.
G* NewGoroutine(Core* core, const GoOptions* options, size_t size, size_t align, void (*run)(void* closure));
void* ClosureOf(G* g);
void StartGoroutine(G* g);    // it becomes runnable
void DiscardGoroutine(G* g);  // it never will: constructing its closure threw

template <typename F>
void RunClosure(void* closure) {
  F* f = static_cast<F*>(closure);
  struct Destroy {
    F* f;
    ~Destroy() { f->~F(); }
  } destroy{f};
  (*f)();
}

[[noreturn]] void FatalGoOfNil();
template <typename F>
void CheckNotNil(const F& f) {
  if constexpr (requires { static_cast<bool>(f); } && !std::is_convertible_v<F, bool (*)()>) {
    if (!static_cast<bool>(f)) FatalGoOfNil();
  }
}

template <typename F>
[[gnu::always_inline]] inline G* MakeGoroutine(Core* core, const GoOptions* options, F&& f) {
  using Closure = std::decay_t<F>;
  CheckNotNil(f);
  G* g = NewGoroutine(core, options, sizeof(Closure), alignof(Closure), &RunClosure<Closure>);
  if constexpr (std::is_nothrow_constructible_v<Closure, F&&>) {
    ::new (ClosureOf(g)) Closure(std::forward<F>(f));
  } else {
    try {
      ::new (ClosureOf(g)) Closure(std::forward<F>(f));
    } catch (...) {
      DiscardGoroutine(g);
      throw;
    }
  }
  return g;
}
}  // namespace internal

// Runs f() in a new goroutine, which may use this thread's processor or another. f is moved or copied here, by the caller.
// Callable from a goroutine (the new one belongs to the same runtime); a foreign thread uses Runtime::Go. An empty
// std::function or a null pointer is a fatal error, "go of nil func value". Throws PanicError if there is no memory for a stack.
template <typename F>
[[gnu::always_inline]] inline void Go(const GoOptions& options, F&& f) {
  internal::StartGoroutine(internal::MakeGoroutine(nullptr, &options, std::forward<F>(f)));
}

template <typename F>
[[gnu::always_inline]] inline void Go(F&& f) {
  internal::StartGoroutine(internal::MakeGoroutine(nullptr, nullptr, std::forward<F>(f)));
}

// Lets others run first. Never blocks: returns at once if nothing else is runnable.
void Yield();

// Blocks the goroutine (on a foreign thread, the thread) for at least `d`; not at all if d <= 0, for ever if it is too
// long to be represented.
void Sleep(absl::Duration d);

// Ends the calling goroutine, unwinding it: destructors run, innermost first, and a catch (...) cannot stop it. The main
// goroutine may call it: the others go on. A panic on a foreign thread.
[[noreturn]] void Goexit();

// A point at which the goroutine may be preempted, for loops that call nothing else in gyre, under --preemption=cooperative.
void Checkpoint();

// Computes until the goroutine has had `d` of a processor: spins on real threads, passes time in the simulator. It may be
// preempted meanwhile; what others then take does not count.
void Work(absl::Duration d);

// The goroutines that exist in the calling goroutine's runtime (running, runnable or blocked), itself included; helpers
// of the runtime do not count. 0 on a foreign thread.
int64_t NumGoroutine();

// The number of processors of the calling goroutine's runtime; 0 on a foreign thread.
int Procs();

// Changes that number, up to Config::kMaxProcs, and returns what it was; below 1 it changes nothing (Go's GOMAXPROCS). All
// processors stop for a moment: under a preemption strategy that cannot interrupt a loop without calls, that moment
// lasts as long as the longest of those. Goroutines and timers of processors that go move to the others. A panic inside
// gyre::Blocking, and where the scheduler cannot do it; 0 on a foreign thread.
int SetProcs(int count);

// Time as goroutines see it: the machine's monotonic clock, or the simulator's virtual one; and the wall clock.
Nanos NowNanos();
absl::Time Now();

}  // namespace gyre

#endif  // GYRE_RUNTIME_GO_H_
