// How slices end under a strategy that interrupts: a timer of the kernel's for each machine, which sends the strategy's signal
// to that machine's own thread.
//
// Nobody else need get a CPU for a slice to end, which on a busy machine takes longer than many a slice: the signal comes out of the
// clock's interrupt on the CPU that the goroutine computes on. A monitor that sends signals costs the sender 3 to 12 us
// each and comes late by what the kernel makes it wait for a CPU; the monitor remains for threads that could get no timer.
//
// Who ticks
//  1. A machine ticks from its first goroutine on (BeforeRunning), once a slice, and stops by itself at the first tick that
//     finds it without one: so a short sleep costs nothing, and a long one wakes once.
//  2. A blocking call must not be interrupted, for not every call goes on after a signal: a machine stops ticking before it
//     enters one. It is the monitor that sets it ticking again, if it then computes for a slice's length: short calls in a
//     row are free.
//  3. A machine that waits inside its handler keeps its timer; the signal is blocked there, and the kernel winds a timer only
//     again when its signal was delivered. It starts anew with the processor that it gets.
//
// How long a goroutine has run is known exactly where times are kept, and where its turn began with its thread's (a
// goroutine that was preempted before: those that compute). Else a tick that finds another dispatch than the one
// before counts from there on, as Go's sysmon does: a slice is then one to two quanta long.
#include <algorithm>
#include <csignal>
#include <ctime>

#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/core.h"

namespace gyre::internal {

namespace {

timespec ToTimespec(Nanos d) { return {d / 1'000'000'000, d % 1'000'000'000}; }

// A tick that comes a little early by our clock, because the one before came late, ends the slice all the same.
Nanos Tolerance(Nanos slice) { return slice / 4; }

constexpr Nanos kLongestLoneliness = 10'000'000;

// Before a goroutine is asked again that could not be interrupted where it was.
constexpr Nanos kShortestPause = 20'000;
constexpr Nanos kLongestPause = 200'000;

}  // namespace

void Core::MakeTicker(Machine* m) {
  if (interrupt_signal_ == 0) return;
  sigevent event = {};
  event.sigev_notify = SIGEV_THREAD_ID;
  event.sigev_signo = interrupt_signal_;
  event._sigev_un._tid = m->tid.load(std::memory_order_relaxed);
  // The system call, for libc keeps books about timers with malloc. An error (EAGAIN: as many signals may be pending as the
  // process's limit allows) leaves the machine without.
  if (syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &m->ticker) == 0) {
    m->tick.store(Machine::kNoTick, std::memory_order_release);
  }
}

Machine::~Machine() {
  if (tick.load(std::memory_order_relaxed) != kNoTicker) syscall(SYS_timer_delete, ticker);
}

// Async-signal-safe, as all below.
void Core::StartTick(Machine* m, Nanos period) {
  const itimerspec times = {ToTimespec(period), ToTimespec(period)};
  syscall(SYS_timer_settime, m->ticker, 0, &times, nullptr);
  m->tick.store(period, std::memory_order_seq_cst);
}

void Core::StopTick(Machine* m) {
  const itimerspec never = {};
  syscall(SYS_timer_settime, m->ticker, 0, &never, nullptr);
  m->tick.store(Machine::kNoTick, std::memory_order_seq_cst);
}

void Core::BeginSlice(Machine* m, Processor* p) {
  m->fresh_slice = false;
  const Nanos slice = QuantumOf(*p);
  if (slice == kNever || m->tick.load(std::memory_order_relaxed) == Machine::kNoTicker) return;
  m->tick_dispatches = p->dispatches.Get();
  m->tick_since = engine_->Now();
  StartTick(m, slice);
}

void Core::TickFiner(Nanos slice) {
  Machine* m = This().m;
  const Nanos tick = m->tick.load(std::memory_order_relaxed);
  if (tick > 0 && slice > 0 && slice < tick) StartTick(m, slice);
}

void Core::StartTickOf(Machine* m, Processor& p, Nanos slice) {
  if (m->tick.load(std::memory_order_relaxed) != Machine::kNoTick) return;
  StartTick(m, slice);
  // It enters its call, then looks whether it ticks; we set it ticking, then look whether it is in a call. One of us sees it.
  if (p.in_call.load(std::memory_order_seq_cst) == m) StopTick(m);
}

void Core::AskAgainSoon(Machine* m, Processor* p) {
  const Nanos slice = QuantumOf(*p);
  m->tick_since = engine_->Now() - slice;  // it is over
  const Nanos pause = std::clamp<Nanos>(slice / 8, kShortestPause, kLongestPause);
  const itimerspec times = {ToTimespec(slice), ToTimespec(pause)};
  syscall(SYS_timer_settime, m->ticker, 0, &times, nullptr);
}

// Whether the goroutine may as well go on: the last time that it was preempted here it came back with nobody in between, and since
// then nothing has happened anywhere that could have made another one runnable. Only so often in a row: what this does not
// see (a policy that changes its mind) is late by that much.
bool Core::Lonely(Machine* m, Processor* p, Nanos now) {
  uint64_t events = injections_.load(std::memory_order_relaxed);
  for (ProcId id = 0; id < proc_count_; ++id) {
    const Processor& other = procs_[id];
    events += other.spawned.Get() + other.readies.Get() + other.syscalls.Get() + other.dispatches.Get();
  }
  // Handed over and back: two dispatches at most, its own.
  const bool alone = events - m->events_then <= (m->lonely_since == kNever ? 1 : 0);
  m->events_then = events;
  if (!alone || p->timers.EarliestRelaxed() <= now) {
    m->lonely_since = kNever;
    return false;
  }
  if (m->has_returners.load(std::memory_order_relaxed)) return false;
  if (m->lonely_since == kNever) m->lonely_since = now;
  return now - m->lonely_since < kLongestLoneliness;
}

bool Core::OnTick(Machine* m, Processor* p, bool computes) {
  if (p == nullptr || (!computes && p->quiet.load(std::memory_order_relaxed))) {
    StopTick(m);
    return false;
  }
  if (!computes) return false;
  const Nanos slice = QuantumOf(*p);
  if (slice == kNever) return false;
  const uint64_t dispatches = p->dispatches.Get();
  const Nanos now = engine_->Now();
  if (dispatches != m->tick_dispatches) {
    m->tick_dispatches = dispatches;
    m->tick_since = timed_ ? p->dispatched_at : now;
  }
  const Nanos tick = m->tick.load(std::memory_order_relaxed);
  const Nanos left = m->tick_since + slice - now;
  if (left > Tolerance(slice)) {
    // The next tick of its own would come too late, or many come for nothing.
    if (tick > 0 && (left < tick - Tolerance(tick) || slice > 2 * tick)) {
      const itimerspec times = {ToTimespec(slice), ToTimespec(left)};
      syscall(SYS_timer_settime, m->ticker, 0, &times, nullptr);
      m->tick.store(slice, std::memory_order_relaxed);
    }
    return false;
  }
  m->tick_since = now;  // asked again after another slice
  if (Lonely(m, p, now)) return false;
  preemptions_.fetch_add(1, std::memory_order_relaxed);
  // Where the handler can do nothing now, the goroutine gives way at its next runtime call.
  p->attention.fetch_or(kAttentionPreempt, std::memory_order_relaxed);
  return true;
}

}  // namespace gyre::internal
