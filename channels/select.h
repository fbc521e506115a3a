// Select: waits for the first of several sends and receives, as Go's statement does.
//
//   int which = gyre::Select(
//       answers.OnRecv([&](std::string text, bool ok) { ... }),   // case text, ok := <-answers:
//       ctx.Done().OnRecv([&] { ... }),                           // case <-ctx.Done():
//       jobs.OnSend(job, [&] { ... }),                            // case jobs <- job:
//       gyre::Default([&] { ... }));                              // default:
//
// Several ready cases have the same chance each. Cases of nil channels are never ready; Select() waits for ever. A
// channel may occur in several cases. With a Default it never waits. It returns the index of the chosen case among its
// arguments, after that case's handler, which runs with nothing locked and may do anything: use channels, throw, assign
// to the channel variables. A handler of a receive takes nothing, the value, or the value and whether it was sent
// (false: the channel is closed, and the value is T{}); for types without a T{} it takes nothing or a std::optional<T>.
// Choosing a send on a closed channel panics.
//
// A case borrows the channel of a variable (answers.OnRecv) and keeps the one of a temporary (ctx.Done().OnRecv). It is
// meant to be written where it is used; to keep cases, or to select over a number of them known at run time only, see
// channels/dynamic_select.h.
#ifndef GYRE_CHANNELS_SELECT_H_
#define GYRE_CHANNELS_SELECT_H_

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "channels/chan.h"

namespace gyre {
namespace internal {

// What the type-independent part knows about a case.
struct SelectEntry {
  ChanCore* chan = nullptr;  // null: never ready
  void* slot = nullptr;      // the value to send, or raw storage for the one received
  bool is_send = false;

  WaitQueue& queue() const { return is_send ? chan->sendq : chan->recvq; }
};

// What SelectGo needs besides: room for one of each for each case, not initialised.
struct SelectScratch {
  uint16_t* poll_order;
  uint16_t* lock_order;
  Slot<Waiter>* waiters;
};

struct SelectOutcome {
  int chosen = -1;        // -1: none was ready, and it was not to wait
  bool received = false;  // false after a receive: the channel is closed
};

SelectOutcome SelectGo(const SelectEntry* entries, int n, SelectScratch scratch, bool wait);

template <typename T, typename F>
void CallReceiver(F& handler, Slot<T>& slot, bool received) {
  if constexpr (std::default_initializable<T>) {
    static_assert(std::is_invocable_v<F&, T, bool> || std::is_invocable_v<F&, T> || std::is_invocable_v<F&>,
                  "the handler of a receive takes (), (T) or (T, bool)");
    if constexpr (std::is_invocable_v<F&, T, bool>) {
      handler(received ? slot.Take() : T{}, received);
    } else if constexpr (std::is_invocable_v<F&, T>) {
      handler(received ? slot.Take() : T{});
    } else {
      if (received) std::destroy_at(std::addressof(slot.value));
      handler();
    }
  } else {
    static_assert(std::is_invocable_v<F&, std::optional<T>> || std::is_invocable_v<F&>,
                  "T has no T{} to show that the channel is closed: the handler takes () or (std::optional<T>)");
    if constexpr (std::is_invocable_v<F&, std::optional<T>>) {
      handler(received ? std::optional<T>(slot.Take()) : std::nullopt);
    } else {
      if (received) std::destroy_at(std::addressof(slot.value));
      handler();
    }
  }
}

}  // namespace internal

template <typename T, typename F>
class RecvCase {
 public:
  using Element = T;
  static constexpr bool kIsDefault = false;

  RecvCase(internal::ChanCore* chan, internal::ChanRef keep, F handler)
      : chan_(chan), keep_(std::move(keep)), handler_(std::move(handler)) {}
  RecvCase(RecvCase&& other) noexcept(std::is_nothrow_move_constructible_v<F>)
      : chan_(other.chan_), keep_(std::move(other.keep_)), handler_(std::move(other.handler_)) {}

  // For Select.
  void Describe(internal::SelectEntry& entry) {
    entry.chan = chan_;
    entry.slot = std::addressof(slot_.value);
  }
  bool Wait() { return internal::Receive<T>(chan_, std::addressof(slot_.value)); }
  internal::Attempt Try() { return internal::TryReceive<T>(chan_, std::addressof(slot_.value)); }
  void Handle(bool received) { internal::CallReceiver<T>(handler_, slot_, received); }
  // From now on it keeps the channel, whoever else does.
  void Keep() {
    if (keep_.get() == nullptr) keep_ = internal::ChanRef::Share(chan_);
  }

 private:
  internal::ChanCore* chan_;
  internal::ChanRef keep_;
  [[no_unique_address]] F handler_;
  internal::Slot<T> slot_;
};

template <typename T, typename F>
class SendCase {
 public:
  static_assert(std::is_invocable_v<F&>, "the handler of a send takes no argument");
  static constexpr bool kIsDefault = false;

  SendCase(internal::ChanCore* chan, internal::ChanRef keep, T value, F handler)
      : chan_(chan), keep_(std::move(keep)), value_(std::move(value)), handler_(std::move(handler)) {}
  SendCase(SendCase&&) = default;

  // For Select.
  void Describe(internal::SelectEntry& entry) {
    entry.chan = chan_;
    entry.slot = std::addressof(value_);
    entry.is_send = true;
  }
  bool Wait() {
    internal::Send<T>(chan_, std::addressof(value_));
    return false;
  }
  internal::Attempt Try() {
    return internal::TrySend<T>(chan_, std::addressof(value_)) ? internal::Attempt::kDone : internal::Attempt::kWait;
  }
  void Handle(bool) { handler_(); }
  void Keep() {
    if (keep_.get() == nullptr) keep_ = internal::ChanRef::Share(chan_);
  }
  // Its value is gone: never ready again.
  void Spend() { chan_ = nullptr; }

 private:
  internal::ChanCore* chan_;
  internal::ChanRef keep_;
  T value_;
  [[no_unique_address]] F handler_;
};

template <typename F>
class DefaultCase {
 public:
  static_assert(std::is_invocable_v<F&>, "the handler of a default takes no argument");
  static constexpr bool kIsDefault = true;

  explicit DefaultCase(F handler) : handler_(std::move(handler)) {}
  void Handle(bool) { handler_(); }

 private:
  [[no_unique_address]] F handler_;
};

// `default:`
template <typename F = internal::NoHandler>
DefaultCase<std::decay_t<F>> Default(F&& handler = {}) {
  return DefaultCase<std::decay_t<F>>(std::forward<F>(handler));
}

namespace internal {

// Calls f(case) for the case at `index`.
template <typename F, typename First, typename... Rest>
inline void VisitCase(int index, F&& f, First& first, Rest&... rest) {
  if constexpr (sizeof...(Rest) == 0) {
    f(first);
  } else {
    if (index == 0) {
      f(first);
    } else {
      VisitCase(index - 1, f, rest...);
    }
  }
}

// One case, and a default or not: no need for the general machinery.
template <typename Case>
inline void SelectOne(Case& only) {
  only.Handle(only.Wait());
}
template <typename Case, typename Otherwise>
inline int SelectOneOr(Case& only, int only_index, Otherwise& otherwise, int default_index) {
  const Attempt attempt = only.Try();
  if (attempt == Attempt::kWait) {
    otherwise.Handle(false);
    return default_index;
  }
  only.Handle(attempt == Attempt::kDone);
  return only_index;
}

}  // namespace internal

template <typename... Cases>
int Select(Cases&&... cases) {
  using internal::SelectEntry;
  static_assert((!std::is_lvalue_reference_v<Cases> && ...), "write the cases where they are used, or std::move them");
  constexpr int kCases = sizeof...(Cases);
  constexpr int kDefaults = (0 + ... + static_cast<int>(Cases::kIsDefault));
  constexpr int kChannels = kCases - kDefaults;
  static_assert(kDefaults <= 1, "a Select has at most one Default");
  static_assert(kCases <= 65536, "a Select has at most 65536 cases");

  if constexpr (kCases == 0) {
    internal::ParkForever(WaitReason::kSelectNoCases);
  } else if constexpr (kChannels == 0) {
    internal::CheckPreempt();
    (cases.Handle(false), ...);
    return 0;
  } else if constexpr (kCases == 1) {
    (internal::SelectOne(cases), ...);
    return 0;
  } else if constexpr (kChannels == 1) {
    return [](auto& first, auto& second) {
      if constexpr (std::remove_reference_t<decltype(second)>::kIsDefault) {
        return internal::SelectOneOr(first, 0, second, 1);
      } else {
        return internal::SelectOneOr(second, 1, first, 0);
      }
    }(cases...);
  } else {
    std::array<SelectEntry, kCases> entries;  // that of the default stays null: never ready
    std::array<uint16_t, kCases> poll_order, lock_order;
    std::array<internal::Slot<internal::Waiter>, kCases> waiters;
    int default_index = -1;
    int next = 0;
    const auto describe = [&](auto& one) {
      if constexpr (std::remove_reference_t<decltype(one)>::kIsDefault) {
        default_index = next;
      } else {
        one.Describe(entries[next]);
      }
      ++next;
    };
    (describe(cases), ...);
    const internal::SelectOutcome outcome = internal::SelectGo(
        entries.data(), kCases, {poll_order.data(), lock_order.data(), waiters.data()}, kDefaults == 0);
    const int index = outcome.chosen < 0 ? default_index : outcome.chosen;
    internal::VisitCase(
        index, [&](auto& one) { one.Handle(outcome.received); }, cases...);
    return index;
  }
}

}  // namespace gyre

#endif  // GYRE_CHANNELS_SELECT_H_
