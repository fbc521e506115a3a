// Channels, as in Go.
//
//   gyre::Chan<int> tasks = gyre::MakeChan<int>(10);   // room for 10; MakeChan<int>(): sender and receiver meet
//   tasks.Send(1);                                     // tasks <- 1
//   int task = tasks.Recv();                           // task := <-tasks      (the zero value once closed)
//   bool ok = tasks.Recv(task);                        // task, ok := <-tasks
//   std::optional<int> next = tasks.Next();            // the same, also for types without a zero value
//   for (int task : tasks) { ... }                     // for task := range tasks
//   tasks.Close();
//   gyre::Select(tasks.OnRecv(...), done.OnRecv(...)); // channels/select.h
//
// A Chan is a handle: copies are the same channel, and compare equal. A default-constructed one is nil: sending and
// receiving block for ever, closing panics. SendChan and RecvChan are the two directions; a Chan converts to both.
//
// Elements need a move constructor that does not throw, and nothing else. It runs with the channel locked now and then:
// it must not use channels, locks or anything else that blocks.
//
// Any goroutine and any foreign thread may use a channel. One handle object is, as any object, not to be assigned
// while others use it. What a goroutine did before it sent is visible to who received the value; what one did before
// receiving the k-th value, to who sent the (k + capacity)-th; what one did before closing, to who receives the end.
#ifndef GYRE_CHANNELS_CHAN_H_
#define GYRE_CHANNELS_CHAN_H_

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "channels/chan_core.h"
#include "channels/chan_ops.h"

namespace gyre {

template <typename T>
class Chan;
template <typename T>
class SendChan;
template <typename T>
class RecvChan;
// A case of a Select; defined in channels/select.h.
template <typename T, typename F>
class RecvCase;
template <typename T, typename F>
class SendCase;

// Go's struct{}: a signal without content. A channel of any capacity has no memory for its elements.
struct Unit {
  friend constexpr bool operator==(Unit, Unit) { return true; }
};

namespace internal {

// The handler of a send case without one.
struct NoHandler {
  void operator()() const {}
};

// What all handles have. Comparable across directions.
class ChanHandle {
 public:
  // Elements in the buffer now, and its capacity. 0 for nil channels.
  int64_t Len() const { return ChanLen(ref_.get()); }
  int64_t Cap() const { return ChanCap(ref_.get()); }

  // Whether it is not nil.
  explicit operator bool() const { return ref_.get() != nullptr; }
  friend bool operator==(const ChanHandle& a, const ChanHandle& b) { return a.ref_.get() == b.ref_.get(); }
  friend bool operator==(const ChanHandle& a, std::nullptr_t) { return a.ref_.get() == nullptr; }
  template <typename H>
  friend H AbslHashValue(H h, const ChanHandle& handle) {
    return H::combine(std::move(h), handle.ref_.get());
  }

 protected:
  constexpr ChanHandle() = default;
  explicit ChanHandle(ChanRef ref) : ref_(std::move(ref)) {}

 private:
  friend struct ChanAccess;
  ChanRef ref_;
};

struct ChanAccess {
  static ChanCore* Core(const ChanHandle& handle) { return handle.ref_.get(); }
  static const ChanRef& Ref(const ChanHandle& handle) { return handle.ref_; }
  static ChanRef TakeRef(ChanHandle&& handle) { return std::move(handle.ref_); }
  template <typename Handle>
  static Handle Make(ChanRef ref) {
    return Handle(std::move(ref));
  }
};

template <typename T, typename Handle>
class SendOperations {
 public:
  // Returns when a receiver has the value or it is in the buffer. Panics with "send on closed channel".
  void Send(T&& value) const { internal::Send<T>(core(), std::addressof(value)); }
  void Send(const T& value) const requires std::copy_constructible<T> {
    T copy(value);
    internal::Send<T>(core(), std::addressof(copy));
  }

  // Does not wait: false if it would have to, and then `value` is untouched. Panics as Send does.
  bool TrySend(T&& value) const { return internal::TrySend<T>(core(), std::addressof(value)); }
  bool TrySend(const T& value) const requires std::copy_constructible<T> {
    T copy(value);
    return internal::TrySend<T>(core(), std::addressof(copy));
  }

  // No value follows: receivers get what is in the buffer, then the end. Panics with "close of closed channel" or
  // "close of nil channel".
  void Close() const { CloseChan(core()); }

  // `case ch <- value:` of a Select. `handler` runs after the value has gone.
  template <typename F = NoHandler>
  SendCase<T, std::decay_t<F>> OnSend(T value, F&& handler = {}) const& {
    return {core(), ChanRef(), std::move(value), std::forward<F>(handler)};
  }
  template <typename F = NoHandler>
  SendCase<T, std::decay_t<F>> OnSend(T value, F&& handler = {}) && {
    ChanCore* chan = core();
    return {chan, ChanAccess::TakeRef(static_cast<Handle&&>(*this)), std::move(value), std::forward<F>(handler)};
  }

 private:
  ChanCore* core() const { return ChanAccess::Core(static_cast<const Handle&>(*this)); }
};

template <typename T, typename Handle>
class ReceiveOperations {
 public:
  // Waits for a value. T{} once the channel is closed and drained.
  T Recv() const requires std::default_initializable<T> {
    Slot<T> slot;
    if (Receive<T>(core(), std::addressof(slot.value))) return slot.Take();
    return T{};
  }

  // Waits for a value and assigns it. False once the channel is closed and drained: `value` is then T{} (or as it was,
  // if there is no such thing).
  bool Recv(T& value) const {
    Slot<T> slot;
    const bool ok = Receive<T>(core(), std::addressof(slot.value));
    Assign(value, slot, ok);
    return ok;
  }

  // Waits for a value. Nothing once the channel is closed and drained.
  std::optional<T> Next() const {
    Slot<T> slot;
    if (Receive<T>(core(), std::addressof(slot.value))) return slot.Take();
    return std::nullopt;
  }

  // A value that is there now.
  std::optional<T> TryRecv() const {
    Slot<T> slot;
    if (TryReceive<T>(core(), std::addressof(slot.value)) == Attempt::kDone) return slot.Take();
    return std::nullopt;
  }

  // The same, and tells "closed" from "not yet". False: it would have to wait. True: as Recv(value), which gave `ok`.
  bool TryRecv(T& value, bool& ok) const {
    Slot<T> slot;
    const Attempt attempt = TryReceive<T>(core(), std::addressof(slot.value));
    ok = attempt == Attempt::kDone;
    if (attempt == Attempt::kWait) return false;
    Assign(value, slot, ok);
    return true;
  }

  // `case value, ok := <-ch:` of a Select. `handler` takes (), (T) or (T, bool ok); it runs after the receive.
  template <typename F>
  RecvCase<T, std::decay_t<F>> OnRecv(F&& handler) const& {
    return {core(), ChanRef(), std::forward<F>(handler)};
  }
  template <typename F>
  RecvCase<T, std::decay_t<F>> OnRecv(F&& handler) && {
    ChanCore* chan = core();
    return {chan, ChanAccess::TakeRef(static_cast<Handle&&>(*this)), std::forward<F>(handler)};
  }

  // Range-for ends when the channel is closed and drained. Each step receives; *it is to be moved from.
  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = T;
    using difference_type = std::ptrdiff_t;
    using pointer = T*;
    using reference = T&&;

    Iterator() = default;
    explicit Iterator(RecvChan<T> chan) : chan_(std::move(chan)) { ++*this; }
    T&& operator*() const { return std::move(*value_); }
    T* operator->() const { return std::addressof(*value_); }
    Iterator& operator++() {
      value_.reset();  // before the wait: a value does not live on while its successor is awaited
      Slot<T> slot;
      if (Receive<T>(ChanAccess::Core(chan_), std::addressof(slot.value))) value_.emplace(slot.Take());
      return *this;
    }
    void operator++(int) { ++*this; }
    // Only the end equals the end.
    friend bool operator==(const Iterator& a, const Iterator& b) {
      return a.value_.has_value() == b.value_.has_value();
    }

   private:
    RecvChan<T> chan_;
    mutable std::optional<T> value_;
  };
  Iterator begin() const { return Iterator(static_cast<const Handle&>(*this)); }
  Iterator end() const { return Iterator(); }

 private:
  ChanCore* core() const { return ChanAccess::Core(static_cast<const Handle&>(*this)); }

  static void Assign(T& value, Slot<T>& slot, bool ok) {
    if (ok) {
      value = slot.Take();
    } else if constexpr (std::default_initializable<T>) {
      value = T{};
    }
  }
};

}  // namespace internal

// Both directions.
template <typename T>
class Chan : public internal::ChanHandle,
             public internal::SendOperations<T, Chan<T>>,
             public internal::ReceiveOperations<T, Chan<T>> {
 public:
  constexpr Chan() = default;
  Chan(std::nullptr_t) {}

 private:
  friend struct internal::ChanAccess;
  explicit Chan(internal::ChanRef ref) : ChanHandle(std::move(ref)) {}
};

// Sends and closes only.
template <typename T>
class SendChan : public internal::ChanHandle, public internal::SendOperations<T, SendChan<T>> {
 public:
  constexpr SendChan() = default;
  SendChan(std::nullptr_t) {}
  SendChan(const Chan<T>& chan) : ChanHandle(internal::ChanAccess::Ref(chan)) {}
  SendChan(Chan<T>&& chan) : ChanHandle(internal::ChanAccess::TakeRef(std::move(chan))) {}
};

// Receives only.
template <typename T>
class RecvChan : public internal::ChanHandle, public internal::ReceiveOperations<T, RecvChan<T>> {
 public:
  constexpr RecvChan() = default;
  RecvChan(std::nullptr_t) {}
  RecvChan(const Chan<T>& chan) : ChanHandle(internal::ChanAccess::Ref(chan)) {}
  RecvChan(Chan<T>&& chan) : ChanHandle(internal::ChanAccess::TakeRef(std::move(chan))) {}

 private:
  friend struct internal::ChanAccess;
  explicit RecvChan(internal::ChanRef ref) : ChanHandle(std::move(ref)) {}
};

// A channel with a buffer for `cap` elements. Panics with "makechan: size out of range" if that is negative or more
// than memory can hold.
template <typename T>
Chan<T> MakeChan(int64_t cap = 0) {
  using internal::ChanRef;
  return internal::ChanAccess::Make<Chan<T>>(ChanRef::Adopt(internal::NewChan(internal::Elements<T>::kOps, cap)));
}

}  // namespace gyre

#endif  // GYRE_CHANNELS_CHAN_H_
