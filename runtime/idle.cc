// Searching for work, sleeping, and waking: Go's protocol, with the sleeping processor's bit in place of Go's idle lists.
//
// idle_word_ counts the sleeping processors and the searching ("spinning") machines. A processor that sleeps keeps its
// machine; one that never ran has none yet, and the waker starts one.
//
// How no wake-up is lost
//   The waker:   enqueues a task; fence; reads idle_word_. Somebody sleeps and nobody searches: it wakes one.
//   The sleeper: sets its bit, and in one step counts itself as asleep and no longer searching; that step is a fence;
//                then looks everywhere once more (PickNext(kExhaustive), its timers, its attention word); then sleeps.
//   In the single order of the two fences one comes first. If the waker's, the sleeper's look finds the task. If the
//   sleeper's, the waker's read finds the sleeper, or a machine that searches, for which the same argument holds when it
//   stops. A machine that finds work while it searches wakes another to search on, since tasks may have come that nobody
//   woke anyone for because of it.
//
// Who wakes whom
//   A bit is cleared by exactly one party: a waker that has claimed the processor and will unpark it, or the sleeper
//   itself. A sleeper that fails to clear its own bit has been claimed, and takes the unpark that is on its way.
#include <bit>
#include <string>
#include <utility>

#include "runtime/core.h"
#include "runtime/panic.h"
#include "runtime/trace/recorder.h"

namespace gyre::internal {

namespace {

// The number of searching rounds before sleep. A round is about a microsecond: to sleep and be woken costs some 5 to 30 of
// them on both sides.
constexpr int kSearchRounds = 16;
constexpr int kPollRounds = 4;  // from one look at the network to the next

constexpr uint32_t IdleCount(uint64_t word) { return static_cast<uint32_t>(word >> 32); }
constexpr uint32_t SpinningCount(uint64_t word) { return static_cast<uint32_t>(word); }

inline void FullFence() {
#if defined(__SANITIZE_THREAD__)
  // TSan does not model fences; idle_word_ is then read by a read-modify-write, which it does.
#else
  std::atomic_thread_fence(std::memory_order_seq_cst);
#endif
}

}  // namespace

// ---- waking ----

void Core::ActOnSlow(WakeHint::Kind kind, ProcId proc) {
  FullFence();
#if defined(__SANITIZE_THREAD__)
  const uint64_t word = idle_word_.fetch_add(0, std::memory_order_seq_cst);
#else
  const uint64_t word = idle_word_.load(std::memory_order_relaxed);
#endif
  switch (kind) {
    case WakeHint::kNone:
      return;
    case WakeHint::kAnyIdle:
      if (IdleCount(word) != 0 && SpinningCount(word) == 0) [[unlikely]] WakeOneIdle();
      return;
    case WakeHint::kProc:
      if (IdleCount(word) != 0 && ClaimIdle(proc)) {
        idle_word_.fetch_add(kOneSpinning, std::memory_order_seq_cst);
        Unpark(proc);
      }
      return;
    case WakeHint::kPreempt:
      // The policy cannot know who is about to sleep: somebody who does is worth more than somebody who is stopped.
      if (IdleCount(word) != 0 && SpinningCount(word) == 0) WakeOneIdle();
      preemption_->Request(proc, PreemptReason::kPolicy);
      return;
  }
}

ProcId Core::FindIdle() const {
  for (ProcId i = 0; i * 64 < proc_count_; ++i) {
    if (uint64_t bits = idle_set_[i].load(std::memory_order_relaxed); bits != 0) {
      return i * 64 + std::countr_zero(bits);
    }
  }
  return kNoProc;
}

// Clears the bit of a sleeping processor; true for the one caller that did. It must then Unpark it, unless it is the sleeper.
bool Core::ClaimIdle(ProcId id) {
  const uint64_t bit = uint64_t{1} << (id % 64);
  if ((idle_set_[id / 64].fetch_and(~bit, std::memory_order_acq_rel) & bit) == 0) return false;
  idle_word_.fetch_sub(kOneIdle, std::memory_order_seq_cst);
  return true;
}

// The claimed processor's machine goes on, counted as spinning by the caller.
void Core::Unpark(ProcId id) {
  Processor& p = procs_[id];
  wakeups_.fetch_add(1, std::memory_order_relaxed);
  if (monitor_asleep_.load(std::memory_order_relaxed)) engine_->WakeMonitor();
  Charge(Cost::kWake);
  if (Machine* m = p.m.load(std::memory_order_acquire)) {
    engine_->UnparkMachine(m);
    return;
  }
  p.first_wake_spins = true;
  HandOff(&p);
}

[[gnu::cold]] void Core::WakeOneIdle() {
  for (;;) {
    // Become the waker: from "nobody searches" to "one does". Who fails here sees somebody who does.
    uint64_t word = idle_word_.load(std::memory_order_seq_cst);
    do {
      if (IdleCount(word) == 0 || SpinningCount(word) != 0) return;
    } while (!idle_word_.compare_exchange_weak(word, word + kOneSpinning, std::memory_order_seq_cst));
    for (ProcId id; (id = FindIdle()) != kNoProc;) {
      if (ClaimIdle(id)) return Unpark(id);
    }
    // All were claimed meanwhile, and are awake. But while we counted as searching another waker may have relied on us:
    // look again.
    idle_word_.fetch_sub(kOneSpinning, std::memory_order_seq_cst);
  }
}

void Core::WakeForTimer(ProcId proc) {
  // The heap has published its new earliest time (seq_cst); the sleeper sets its bit (seq_cst) before it reads that.
  const uint64_t bit = uint64_t{1} << (proc % 64);
  if ((idle_set_[proc / 64].load(std::memory_order_seq_cst) & bit) != 0 && ClaimIdle(proc)) {
    idle_word_.fetch_add(kOneSpinning, std::memory_order_seq_cst);
    Unpark(proc);
  } else if (virtual_) {
    if (Machine* m = procs_[proc].m.load(std::memory_order_relaxed)) engine_->Interrupt(m);
  }
}

void Core::WakeEverybody() {
  // A wake-up that nobody waited for makes a later sleep short, and by then every machine knows.
  RawLockHolder hold(machines_lock_);
  for (auto& m : machines_) engine_->UnparkMachine(m.get());
}

// ---- searching ----

void Core::StopSpinning(Machine* m) {
  if (!m->spinning) return;
  m->spinning = false;
  const uint64_t word = idle_word_.fetch_sub(kOneSpinning, std::memory_order_seq_cst) - kOneSpinning;
  if (IdleCount(word) != 0 && SpinningCount(word) == 0) WakeOneIdle();
}

int Core::RunTimersOf(Processor& p, Nanos now) {
  if (p.timers.Earliest() > now) return 0;
  coarse_now_.store(now, std::memory_order_relaxed);
  const int fired = p.timers.RunExpired(now);
  if (virtual_ && &p != This().p) {
    // Who computes there has another earliest timer to watch.
    if (Machine* m = p.m.load(std::memory_order_relaxed)) engine_->Interrupt(m);
  }
  return fired;
}

// Looks everywhere, several times. At most half of the busy processors' number search at once (Go's limit): more would only
// take the CPU from those who work.
G* Core::Search(Machine* m) {
  Processor* p = m->p;
  if (proc_count_ == 1) return nullptr;
  if (!m->spinning) {
    const uint64_t word = idle_word_.load(std::memory_order_relaxed);
    const uint32_t busy = static_cast<uint32_t>(proc_count_) - IdleCount(word);
    if (2 * SpinningCount(word) >= busy) return nullptr;
    m->spinning = true;
    idle_word_.fetch_add(kOneSpinning, std::memory_order_seq_cst);
  }
  for (int round = 0; round < kSearchRounds; ++round) {
    // In virtual time it is known when there is nothing to find: 256 processors that look at 256 queues each would take most
    // of the simulator's own time.
    if (!virtual_ || runnable_ != 0) {
      if (G* g = Pick(p, PickMode::kSearch)) {
        Charge(Cost::kSteal);
        return g;
      }
    }
    if ((p->attention.load(std::memory_order_relaxed) & kAttentionLeave) != 0) return nullptr;
    const Nanos now = engine_->Now();
    if (virtual_ && no_timer_before_ > now) {
      engine_->Relax(round);
      continue;
    }
    int fired = 0;
    for (ProcId id = 0; id < proc_count_; ++id) {
      if (procs_[id].timers.EarliestRelaxed() <= now) fired += RunTimersOf(procs_[id], now);
    }
    if (virtual_) {
      no_timer_before_ = kNever;
      for (ProcId id = 0; id < proc_count_; ++id) TimerBecameEarliest(procs_[id].timers.EarliestRelaxed());
    }
    if (round % kPollRounds == kPollRounds - 1 && PollNetwork()) return Pick(p, PickMode::kFast);
    if (fired == 0) engine_->Relax(round);
  }
  return nullptr;
}

// ---- sleeping ----

// Sleeps until there may be work. Returns a task if the last look before sleep found one.
G* Core::Sleep(Machine* m) {
  Processor* p = m->p;
  const ProcId id = p->context.id;
  const uint64_t bit = uint64_t{1} << (id % 64);
  idle_set_[id / 64].fetch_or(bit, std::memory_order_seq_cst);
  const bool was_spinning = std::exchange(m->spinning, false);
  idle_word_.fetch_add(kOneIdle - (was_spinning ? kOneSpinning : 0), std::memory_order_seq_cst);

  G* g = Pick(p, PickMode::kExhaustive);
  Nanos deadline = p->timers.Earliest();
  const bool stay = g != nullptr || m->has_returners.load(std::memory_order_seq_cst) ||
                    (p->attention.load(std::memory_order_seq_cst) & kAttentionLeave) != 0;
  bool claimed = false;
  PollBatch batch;
  if (!stay) {
    if (TraceRecorder* tracer = Tracer()) tracer->ProcStop(p);
    p->quiet.store(true, std::memory_order_seq_cst);
    if (deadline == kNever) deadline = CheckDeadlock();
    if (Poller* poller = PollerInUse(); poller != nullptr) [[unlikely]] {
      claimed = engine_->ParkMachineInPoller(m, deadline, *poller, &batch);
    } else {
      claimed = engine_->ParkMachine(m, deadline);
    }
    p->quiet.store(false, std::memory_order_seq_cst);
    if (TraceRecorder* tracer = Tracer()) tracer->ProcStart(p, m);
  }
  if (!claimed) {
    if (ClaimIdle(id)) {
      // There may be more where that came from, and its maker may have counted on us as one who searches.
      if (g != nullptr || batch.count != 0) {
        m->spinning = true;
        idle_word_.fetch_add(kOneSpinning, std::memory_order_seq_cst);
      }
      batch.ReadyAll();
      return g;
    }
    engine_->ParkMachine(m, kNever);  // a waker got there first: its unpark is ours
  }
  m->spinning = true;  // counted by the waker
  batch.ReadyAll();
  return g;
}

G* Core::FindWork(Machine* m) {
  Processor* p = m->p;
  for (;;) {
    if (stopping()) return nullptr;
    if (const uint32_t attention = p->attention.load(std::memory_order_relaxed); (attention & kAttentionLeave) != 0) {
      if ((attention & kAttentionWorld) != 0) return nullptr;
      if (G* g = TakeReturner(m)) return g;
      p->attention.fetch_and(~static_cast<uint32_t>(kAttentionPreempt), std::memory_order_relaxed);
    }
    if (p->timers.EarliestRelaxed() != kNever) RunTimersOf(*p, engine_->Now());
    if (G* g = Pick(p, PickMode::kFast)) return g;
    if (PollNetwork()) continue;
    if (G* g = Search(m)) return g;
    if (G* g = Sleep(m)) return g;
  }
}

}  // namespace gyre::internal
