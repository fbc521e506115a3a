// Order of locks: TimerChan::control_, then a timer heap's, then a channel's. So what runs under a channel's lock never
// calls into timers, and a handle (whose end stops the timer) is never dropped under one.
#include "channels/time.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <utility>

#include "runtime/panic.h"
#include "runtime/timer.h"

namespace gyre {
namespace internal {
namespace {

// When an event `d` from now is due. Saturates: too far away is never.
Nanos Due(absl::Duration d) {
  const Nanos now = MonotonicNow();
  if (d <= absl::ZeroDuration()) return now;
  Nanos due;
  return __builtin_add_overflow(now, absl::ToInt64Nanoseconds(d), &due) ? kNever : due;
}

Nanos Period(absl::Duration period) {
  // A positive period may be shorter than the clock's unit.
  return std::max<Nanos>(1, absl::ToInt64Nanoseconds(period));
}

using TimeElements = Elements<absl::Time>;

void DisposeTimerChan(ChanCore* chan) noexcept;

constexpr ElementOps kTimerOps = {
    .stride = TimeElements::kOps.stride,
    .align = TimeElements::kOps.align,
    .buffer_offset = TimeElements::kOps.buffer_offset,
    .is_timer = true,
    .move = TimeElements::kOps.move,
    .relocate = TimeElements::kOps.relocate,
    .destroy = nullptr,
    .dispose = &DisposeTimerChan,
};
static_assert(kTimerOps.buffer_offset == sizeof(ChanCore), "TimerChan's buffer is to be where a channel's is");

// A channel with room for one value, and the timer that sends to it.
class TimerChan {
 public:
  TimerChan() : core_(kTimerOps, 1), timer_(this) {}

  ChanCore* core() { return &core_; }
  static TimerChan* Of(ChanCore* core) { return reinterpret_cast<TimerChan*>(core); }

  void Start(Nanos when, Nanos period) { timer_.Start(when, period); }

  bool Stop() {
    RawLockHolder hold(control_);
    return Disarm();
  }

  bool Reset(Nanos when, Nanos period) {
    RawLockHolder hold(control_);
    const bool was_pending = Disarm();
    timer_.Start(when, period);
    return was_pending;
  }

 private:
  struct ChanTimer : internal::Timer {
    explicit ChanTimer(TimerChan* chan) : internal::Timer(&Fire), owner(chan) {}
    TimerChan* const owner;
  };

  // Once the timer is stopped no callback runs, so what is in the buffer is all there is to take back. A value that
  // nobody has received counts as an event that did not happen.
  bool Disarm() ABSL_EXCLUSIVE_LOCKS_REQUIRED(control_) {
    const bool was_pending = timer_.Stop();
    RawLockHolder hold(core_.lock);
    const bool had_value = core_.count.load(std::memory_order_relaxed) != 0;
    core_.count.store(0, std::memory_order_release);
    return was_pending || had_value;
  }

  // A send that drops what does not fit. (Not TrySend: a callback is no place to be preempted.)
  static void Fire(internal::Timer* timer, Nanos) ABSL_NO_THREAD_SAFETY_ANALYSIS {
    ChanCore* chan = &static_cast<ChanTimer*>(timer)->owner->core_;
    absl::Time now = Now();
    chan->lock.Lock();
    if (TrySendLocked(chan, &now) == Attempt::kWait) chan->lock.Unlock();
  }

  ChanCore core_;
  [[maybe_unused]] alignas(absl::Time) std::byte buffer_[sizeof(absl::Time)];  // follows the header, as in any channel
  ChanTimer timer_;
  RawLock control_;  // one Stop or Reset at a time: else the drain of one could take the event of another
};

void DisposeTimerChan(ChanCore* chan) noexcept {
  delete TimerChan::Of(chan);
}

ChanRef NewTimerChan(Nanos when, Nanos period) {
  auto* chan = new TimerChan;
  ChanRef ref = ChanRef::Adopt(chan->core());
  chan->Start(when, period);
  return ref;
}

RecvChan<absl::Time> Receiver(const ChanRef& ref) {
  return ChanAccess::Make<RecvChan<absl::Time>>(ref);
}

}  // namespace

// Its references are the handles, the arming (taken over by the goroutine when it fires), and running goroutines.
class FuncTimer {
 public:
  explicit FuncTimer(absl::AnyInvocable<void()> f) : timer_(this), f_(std::move(f)) {}

  void AddRef() { refs_.fetch_add(1, std::memory_order_relaxed); }
  void Unref() {
    // Acquire and release: whatever the others did with it is over when it goes.
    if (refs_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }

  bool Stop() {
    const bool was_pending = timer_.Stop();
    if (was_pending) Unref();
    return was_pending;
  }

  bool Reset(Nanos when) {
    AddRef();  // first: it may fire before Start has returned
    const bool was_pending = timer_.Start(when);
    if (was_pending) Unref();  // that of the arming which this one replaced
    return was_pending;
  }

 private:
  struct CallTimer : internal::Timer {
    explicit CallTimer(FuncTimer* func) : internal::Timer(&Fire), owner(func) {}
    FuncTimer* const owner;
  };

  static void Fire(internal::Timer* timer, Nanos) {
    FuncTimerRef self(static_cast<CallTimer*>(timer)->owner);  // the arming's
    // A callback cannot throw, and a goroutine that cannot be started has nobody else to tell.
    try {
      gyre::Go([self = std::move(self)] { self.get()->f_(); });
    } catch (const PanicError& error) {
      Fatal(error.what());
    }
  }

  std::atomic<uint32_t> refs_{1};
  CallTimer timer_;
  absl::AnyInvocable<void()> f_;
};

FuncTimerRef::FuncTimerRef(const FuncTimerRef& other) : timer_(other.timer_) {
  if (timer_ != nullptr) timer_->AddRef();
}

FuncTimerRef::~FuncTimerRef() {
  if (timer_ != nullptr) timer_->Unref();
}

}  // namespace internal

using internal::ChanRef;
using internal::TimerChan;

bool Timer::Stop() const {
  if (func_.get() != nullptr) return func_.get()->Stop();
  if (chan_.get() == nullptr) Panic("time: Stop called on uninitialized Timer");
  return TimerChan::Of(chan_.get())->Stop();
}

bool Timer::Reset(absl::Duration d) const {
  if (func_.get() != nullptr) return func_.get()->Reset(internal::Due(d));
  if (chan_.get() == nullptr) Panic("time: Reset called on uninitialized Timer");
  return TimerChan::Of(chan_.get())->Reset(internal::Due(d), 0);
}

void Ticker::Stop() const {
  if (chan_.get() != nullptr) TimerChan::Of(chan_.get())->Stop();
}

void Ticker::Reset(absl::Duration period) const {
  if (period <= absl::ZeroDuration()) Panic("non-positive interval for Ticker.Reset");
  if (chan_.get() == nullptr) Panic("time: Reset called on uninitialized Ticker");
  TimerChan::Of(chan_.get())->Reset(internal::Due(period), internal::Period(period));
}

Timer NewTimer(absl::Duration d) {
  Timer timer;
  timer.chan_ = internal::NewTimerChan(internal::Due(d), 0);
  timer.C = internal::Receiver(timer.chan_);
  return timer;
}

Ticker NewTicker(absl::Duration period) {
  if (period <= absl::ZeroDuration()) Panic("non-positive interval for NewTicker");
  Ticker ticker;
  ticker.chan_ = internal::NewTimerChan(internal::Due(period), internal::Period(period));
  ticker.C = internal::Receiver(ticker.chan_);
  return ticker;
}

Timer AfterFunc(absl::Duration d, absl::AnyInvocable<void()> f) {
  internal::CheckNotNil(f);
  Timer timer;
  timer.func_ = internal::FuncTimerRef(new internal::FuncTimer(std::move(f)));
  timer.func_.get()->Reset(internal::Due(d));
  return timer;
}

RecvChan<absl::Time> After(absl::Duration d) {
  return internal::Receiver(internal::NewTimerChan(internal::Due(d), 0));
}

RecvChan<absl::Time> Tick(absl::Duration period) {
  if (period <= absl::ZeroDuration()) return nullptr;
  return internal::Receiver(internal::NewTimerChan(internal::Due(period), internal::Period(period)));
}

}  // namespace gyre
