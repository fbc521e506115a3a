// The monitor, Go's sysmon: a thread beside the machines that needs no processor. It retakes processors from blocking calls
// that last, sees that timers of a processor that computes are not late while another one sleeps, keeps spare threads, and
// ends slices: by itself where goroutines are only asked to yield; where they are interrupted, each thread has a timer of
// its own (ticks.cc), which the monitor starts for those that came out of a blocking call.
//
// Its schedule is Go's: 20 us between looks, doubled after 50 looks at which nothing happened, up to 10 ms; earlier where a
// slice ends or a timer is due before; and no look at all while every processor sleeps, once it has put the house in order
// (housekeeping.cc).
#include <algorithm>

#include "runtime/core.h"
#include "runtime/dump_state.h"

namespace gyre::internal {

namespace {
constexpr Nanos kShortestDelay = 20'000;
constexpr Nanos kLongestDelay = 10'000'000;
constexpr int kQuietLooks = 50;
constexpr Nanos kLongCall = 10'000'000;  // Go's
// Between looks while some compute and some sleep: a timer that is set meanwhile may be due before the next look.
constexpr Nanos kDelayBesideIdle = 1'000'000;
}  // namespace

Nanos Core::MonitorTick() {
  DieIfQuit();
  RawLockHolder hold(monitor_lock_);
  const Nanos now = engine_->Now();
  coarse_now_.store(now, std::memory_order_relaxed);
  const Nanos quantum = preemption_traits_.preempts ? preemption_->Quantum() : kNever;
  const bool some_sleep = idle_word_.load(std::memory_order_relaxed) >> 32 != 0;
  Nanos next_event = kNever;
  bool busy = false;
  bool acted = false;
  bool overdue = false;
  for (ProcId id = 0; id < proc_count_; ++id) {
    Processor& p = procs_[id];
    ProcWatch& watch = watch_[id];
    const bool asleep = (idle_set_[id / 64].load(std::memory_order_relaxed) >> (id % 64) & 1) != 0;
    const uint64_t dispatches = p.dispatches.Get();
    const uint64_t syscalls = p.syscalls.Get();
    if (asleep || dispatches != watch.dispatches || syscalls != watch.syscalls) watch = {dispatches, syscalls, now};
    if (asleep) continue;
    busy = true;
    if (some_sleep) {
      const Nanos due = p.timers.EarliestRelaxed();
      if (due != kNever) next_event = std::min(next_event, due + kShortestDelay);
      overdue |= watch.since != now && due < now - kShortestDelay;
    }
    if (p.in_call.load(std::memory_order_relaxed) != nullptr) {
      // Somebody may want it (all others are busy, and nobody searches), or it has been gone for long in any case.
      if (idle_word_.load(std::memory_order_relaxed) == 0 || now - watch.since >= kLongCall) {
        Retake(p);
        acted = true;
      }
      continue;
    }
    Nanos slice = p.slice.load(std::memory_order_relaxed);
    if (slice == 0) slice = quantum;
    if (slice == kNever) continue;
    if (ticks_) {
      Machine* m = p.m.load(std::memory_order_acquire);
      if (m == nullptr) continue;  // just being given away
      const Nanos tick = m->tick.load(std::memory_order_relaxed);
      if (tick == Machine::kNoTick && watch.since != now) StartTickOf(m, p, slice);
      if (tick != Machine::kNoTicker) continue;
    }
    if (now - watch.since >= slice) {
      preemption_->Request(id, PreemptReason::kSliceOver);
      preemptions_.fetch_add(1, std::memory_order_relaxed);
      acted = true;
      watch.since = now;  // asked again after another slice
    }
    next_event = std::min(next_event, watch.since + slice);
  }
  KeepSpares();
  const Nanos next_chore = std::min(KeepHouse(now, busy), PrintSchedTrace(now));
  if (overdue) {
    WakeOneIdle();  // it searches, and takes the timers of others as it does
    acted = true;
  }
  if (!busy) {
    // Who wakes a processor looks at this flag after having cleared its idle bit; we look at the bits after having set it.
    monitor_asleep_.store(true, std::memory_order_seq_cst);
    if (idle_word_.load(std::memory_order_seq_cst) >> 32 == static_cast<uint64_t>(proc_count_)) return next_chore;
    monitor_asleep_.store(false, std::memory_order_relaxed);
  } else {
    monitor_asleep_.store(false, std::memory_order_relaxed);
  }
  monitor_looks_.fetch_add(1, std::memory_order_relaxed);
  quiet_looks_ = acted ? 0 : quiet_looks_ + 1;
  if (acted) monitor_delay_ = kShortestDelay;
  if (quiet_looks_ > kQuietLooks) monitor_delay_ = std::min(2 * monitor_delay_, kLongestDelay);
  const Nanos delay = some_sleep ? std::min(monitor_delay_, kDelayBesideIdle) : monitor_delay_;
  return std::min({now + delay, next_chore, std::max(next_event, now + kShortestDelay)});
}

void Core::RaiseFlag(ProcId proc) {
  procs_[proc].attention.fetch_or(kAttentionPreempt, std::memory_order_relaxed);
  if (virtual_ && procs_[proc].m != nullptr) engine_->Interrupt(procs_[proc].m);
}

}  // namespace gyre::internal
