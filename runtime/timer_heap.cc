#include "runtime/timer_heap.h"

#include <algorithm>

#include "runtime/core.h"
#include "runtime/foreign.h"
#include "runtime/go.h"
#include "runtime/live_cores.h"
#include "runtime/panic.h"
#include "runtime/park.h"

namespace gyre::internal {

namespace {
constexpr size_t kArity = 4;

// The heap that the calling thread's timers go to. A thread without a processor uses some runtime that lives.
TimerHeap* HeapHere() {
  ThreadState& thread = This();
  if (thread.p != nullptr) return &thread.p->timers;
  Core* core = SomeLiveCore();
  if (core == nullptr) Panic("gyre: a timer needs a gyre::Runtime that runs");
  return &core->AnyProc().timers;
}
}  // namespace

// ---- Timer ----

bool Timer::Start(Nanos when, Nanos period) {
  NoPreempt off;
  for (;;) {
    TimerHeap* heap = heap_.load(std::memory_order_acquire);
    TimerHeap* target = heap != nullptr ? heap : HeapHere();
    RawLockHolder hold(target->lock_);
    // From null, only under the lock of the heap that it is to point to; and from a heap, only under that heap's lock.
    if (heap == nullptr) {
      if (!heap_.compare_exchange_strong(heap, target, std::memory_order_acq_rel)) continue;
    } else if (heap_.load(std::memory_order_relaxed) != heap) {
      continue;
    }
    const bool was_pending = index_ >= 0;
    if (was_pending) target->Erase(this);
    when_ = when;
    period_ = period;
    target->Insert(this);
    return was_pending;
  }
}

bool Timer::Stop() {
  for (;;) {
    TimerHeap* heap = heap_.load(std::memory_order_acquire);
    if (heap == nullptr) return false;
    RawLockHolder hold(heap->lock_);
    if (heap_.load(std::memory_order_relaxed) != heap) continue;
    const bool was_pending = index_ >= 0;
    if (was_pending) heap->Erase(this);
    heap_.store(nullptr, std::memory_order_release);
    return was_pending;
  }
}

// ---- TimerHeap ----

TimerHeap::~TimerHeap() {
  RawLockHolder hold(lock_);
  for (Entry& e : heap_) {
    e.timer->index_ = -1;
    e.timer->heap_.store(nullptr, std::memory_order_release);
  }
}

void TimerHeap::MoveTo(TimerHeap& to) {
  RawLockHolder hold(lock_);
  RawLockHolder hold_other(to.lock_);
  for (Entry& e : heap_) {
    // Under both locks: whoever arms or stops it looks again once it has one.
    e.timer->heap_.store(&to, std::memory_order_release);
    to.Insert(e.timer);
  }
  heap_.clear();
  PublishEarliest();
}

void TimerHeap::PublishEarliest() {
  const Nanos earliest = heap_.empty() ? kNever : heap_.front().when;
  const Nanos before = earliest_.load(std::memory_order_relaxed);
  if (earliest == before) return;
  earliest_.store(earliest, std::memory_order_seq_cst);
  if ((earliest == kNever) != (before == kNever)) core_->HasTimers(proc_, earliest != kNever);
  if (core_->is_virtual()) [[unlikely]] core_->TimerBecameEarliest(earliest);
}

void TimerHeap::Insert(Timer* t) {
  heap_.push_back({t->when_, t});
  SiftUp(heap_.size() - 1);
  PublishEarliest();
  if (heap_.front().timer == t && This().p != &core_->proc(proc_)) core_->WakeForTimer(proc_);
}

void TimerHeap::Erase(Timer* t) {
  const size_t i = static_cast<size_t>(t->index_);
  t->index_ = -1;
  Entry last = heap_.back();
  heap_.pop_back();
  if (i < heap_.size()) {
    Place(i, last);
    SiftUp(i);
    SiftDown(static_cast<size_t>(last.timer->index_));
  }
  PublishEarliest();
}

void TimerHeap::SiftUp(size_t i) {
  Entry moving = heap_[i];
  while (i > 0) {
    const size_t parent = (i - 1) / kArity;
    if (heap_[parent].when <= moving.when) break;
    Place(i, heap_[parent]);
    i = parent;
  }
  Place(i, moving);
}

void TimerHeap::SiftDown(size_t i) {
  Entry moving = heap_[i];
  for (;;) {
    const size_t first = i * kArity + 1;
    if (first >= heap_.size()) break;
    const size_t last = std::min(first + kArity, heap_.size());
    size_t least = first;
    for (size_t child = first + 1; child < last; ++child) {
      if (heap_[child].when < heap_[least].when) least = child;
    }
    if (heap_[least].when >= moving.when) break;
    Place(i, heap_[least]);
    i = least;
  }
  Place(i, moving);
}

size_t TimerHeap::First() {
  std::vector<size_t> equals;
  for (size_t i = 0; i < heap_.size(); ++i) {
    if (heap_[i].when == heap_.front().when) equals.push_back(i);
  }
  if (equals.size() == 1) return 0;
  return equals[ChooseBelow(static_cast<uint32_t>(equals.size()))];
}

int TimerHeap::RunExpired(Nanos now) {
  RawLockHolder hold(lock_);
  int fired = 0;
  while (!heap_.empty() && heap_.front().when <= now) {
    const size_t first = exploring.load(std::memory_order_relaxed) == 0 ? 0 : First();
    Timer* t = heap_[first].timer;
    const bool periodic = t->period_ > 0;
    if (periodic) {
      // Ticks that nobody could take in time are dropped, as in Go.
      t->when_ += t->period_ * (1 + (now - t->when_) / t->period_);
      heap_[first].when = t->when_;
      SiftDown(first);
      PublishEarliest();
    } else {
      Erase(t);
      // A timer that ends by firing may be gone as soon as its callback has begun.
      if (t->ends_by_firing_) t->heap_.store(nullptr, std::memory_order_release);
    }
    const bool ends_by_firing = t->ends_by_firing_;
    t->callback_(t, now);
    if (!periodic && !ends_by_firing) t->heap_.store(nullptr, std::memory_order_release);
    ++fired;
  }
  return fired;
}

Nanos MonotonicNow() {
  Machine* m = This().m;
  return m != nullptr ? m->core->Now() : ForeignNow();
}

namespace {

struct SleepTimer : Timer {
  explicit SleepTimer(G* sleeper) : Timer(&Fire, Timer::kEndsByFiring), g(sleeper) {}
  static void Fire(Timer* timer, Nanos) { Ready(static_cast<SleepTimer*>(timer)->g); }
  G* g;
};

Nanos AddSaturated(Nanos a, Nanos b) {
  Nanos sum;
  return __builtin_add_overflow(a, b, &sum) ? kNever : sum;
}

}  // namespace
}  // namespace gyre::internal

namespace gyre {

void Sleep(absl::Duration d) {
  if (d <= absl::ZeroDuration()) return;
  const Nanos duration = absl::ToInt64Nanoseconds(d);  // saturates
  internal::G* self = internal::Self();
  if (self->kind != internal::GKind::kGoroutine) {
    internal::SleepForeignThread(duration);
    return;
  }
  internal::SleepTimer timer(self);
  internal::PreparePark(self, WaitReason::kSleep, nullptr);
  timer.Start(internal::AddSaturated(self->core->Now(), duration));
  internal::Park(self);
}

Nanos NowNanos() { return internal::MonotonicNow(); }

absl::Time Now() {
  internal::Machine* m = internal::This().m;
  return m != nullptr ? m->core->engine().WallNow() : absl::Now();
}

}  // namespace gyre
