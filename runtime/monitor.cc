// The monitor, Go's sysmon: a thread beside the machines that needs no processor. It ends slices, and it sees that timers
// of a processor that computes are not late while another one sleeps.
//
// Its schedule is Go's: 20 us between looks, doubled after 50 looks at which nothing happened, up to 10 ms; and no look at
// all while every processor sleeps, once it has put the house in order (housekeeping.cc).
#include <algorithm>

#include "runtime/core.h"

namespace gyre::internal {

namespace {
constexpr Nanos kShortestDelay = 20'000;
constexpr Nanos kLongestDelay = 10'000'000;
constexpr int kQuietLooks = 50;
constexpr Nanos kLongCall = 10'000'000;  // Go's
}  // namespace

Nanos Core::MonitorTick() {
  const Nanos now = engine_->Now();
  coarse_now_.store(now, std::memory_order_relaxed);
  const Nanos quantum = preemption_traits_.preempts ? preemption_->Quantum() : kNever;
  Nanos next_slice_end = kNever;
  bool busy = false;
  bool acted = false;
  bool overdue = false;
  for (ProcId id = 0; id < proc_count_; ++id) {
    Processor& p = procs_[id];
    ProcWatch& watch = watch_[id];
    const bool asleep = (idle_set_[id / 64].load(std::memory_order_relaxed) >> (id % 64) & 1) != 0;
    const uint64_t dispatches = p.dispatches.Get();
    const uint64_t syscalls = p.syscalls.Get();
    if (asleep || dispatches != watch.dispatches || syscalls != watch.syscalls) {
      watch = {dispatches, syscalls, now};
      busy |= !asleep;
      continue;
    }
    busy = true;
    overdue |= p.timers.EarliestRelaxed() < now - kShortestDelay;
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
    if (now - watch.since >= slice) {
      preemption_->Request(id, PreemptReason::kSliceOver);
      preemptions_.fetch_add(1, std::memory_order_relaxed);
      acted = true;
      watch.since = now;  // asked again after another slice
    }
    next_slice_end = std::min(next_slice_end, watch.since + slice);
  }
  KeepSpares();
  const Nanos next_chore = KeepHouse(now, busy);
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
  quiet_looks_ = acted ? 0 : quiet_looks_ + 1;
  if (acted) monitor_delay_ = kShortestDelay;
  if (quiet_looks_ > kQuietLooks) monitor_delay_ = std::min(2 * monitor_delay_, kLongestDelay);
  return std::min({now + monitor_delay_, next_chore, std::max(next_slice_end, now + kShortestDelay)});
}

void Core::RaiseFlag(ProcId proc) {
  procs_[proc].attention.fetch_or(kAttentionPreempt, std::memory_order_relaxed);
  if (virtual_ && procs_[proc].m != nullptr) engine_->Interrupt(procs_[proc].m);
}

}  // namespace gyre::internal
