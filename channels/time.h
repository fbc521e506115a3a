// Time as channels: After, Tick, timers and tickers, with the rules of Go 1.23.
//
//   gyre::Select(answers.OnRecv(...), gyre::After(absl::Seconds(3)).OnRecv([] { ... }));
//   gyre::Timer timer = gyre::NewTimer(absl::Seconds(1));
//   timer.C.Recv();                                        // the time at which it fired
//   timer.Reset(absl::Seconds(2));                         // nothing of before is received after this
//   gyre::Timer later = gyre::AfterFunc(absl::Seconds(1), [] { ... });   // runs in a goroutine of its own
//   gyre::Ticker ticker = gyre::NewTicker(absl::Milliseconds(10));
//   for (absl::Time t : ticker.C) { ... }
//
// A timer's channel holds one value at most, and shows itself as unbuffered. A tick that nobody has taken when the next
// is due is dropped. Durations of zero or less fire at once; one that ends beyond what can be represented never fires.
//
// Timer and Ticker are handles: copies are the same timer. A channel timer ends with the last handle of it and of its
// channel. A function timer that is pending lives on without handles.
#ifndef GYRE_CHANNELS_TIME_H_
#define GYRE_CHANNELS_TIME_H_

#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "channels/chan.h"
#include "runtime/go.h"

namespace gyre {
namespace internal {

class FuncTimer;

// A counted reference to a function timer.
class FuncTimerRef {
 public:
  constexpr FuncTimerRef() = default;
  explicit FuncTimerRef(FuncTimer* adopted) : timer_(adopted) {}
  FuncTimerRef(const FuncTimerRef& other);
  FuncTimerRef(FuncTimerRef&& other) noexcept : timer_(std::exchange(other.timer_, nullptr)) {}
  FuncTimerRef& operator=(FuncTimerRef other) noexcept {
    std::swap(timer_, other.timer_);
    return *this;
  }
  ~FuncTimerRef();
  FuncTimer* get() const { return timer_; }

 private:
  FuncTimer* timer_ = nullptr;
};

}  // namespace internal

// One event. From NewTimer or AfterFunc; a default-constructed one may only be assigned to.
class Timer {
 public:
  Timer() = default;

  // Where the event is received. Nil for AfterFunc's.
  RecvChan<absl::Time> C;

  // Returns whether this prevented the event: false if it was received, or the function started, or it was stopped
  // before. Does not wait for the function to end. Afterwards C has no value. Panics on an uninitialised timer.
  bool Stop() const;

  // Starts it anew, for `d` from now. Returns what Stop would. Panics on an uninitialised timer.
  bool Reset(absl::Duration d) const;

 private:
  friend Timer NewTimer(absl::Duration d);
  friend Timer AfterFunc(absl::Duration d, absl::AnyInvocable<void()> f);
  internal::ChanRef chan_;  // C as it was: a program may assign to C
  internal::FuncTimerRef func_;
};

// An event each period. From NewTicker; a default-constructed one may only be stopped or assigned to.
class Ticker {
 public:
  Ticker() = default;

  RecvChan<absl::Time> C;

  // No ticks from now on. C stays open.
  void Stop() const;

  // The next tick comes `period` from now, also after Stop. Panics with "non-positive interval for Ticker.Reset", and
  // on an uninitialised ticker.
  void Reset(absl::Duration period) const;

 private:
  friend Ticker NewTicker(absl::Duration period);
  internal::ChanRef chan_;
};

Timer NewTimer(absl::Duration d);

// Panics with "non-positive interval for NewTicker".
Ticker NewTicker(absl::Duration period);

// Calls f in a goroutine of its own, once for each time that the timer fires. An empty f is a fatal error.
Timer AfterFunc(absl::Duration d, absl::AnyInvocable<void()> f);

// The channel of a timer, where only that is needed.
RecvChan<absl::Time> After(absl::Duration d);

// The channel of a ticker. Nil for periods that are not positive.
RecvChan<absl::Time> Tick(absl::Duration period);

}  // namespace gyre

#endif  // GYRE_CHANNELS_TIME_H_
