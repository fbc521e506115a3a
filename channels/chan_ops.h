// Sending and receiving elements of a known type: the hot paths, inline. Users include channels/chan.h.
//
// A value is moved once between two goroutines that meet, straight from the sender's object into the receiver's slot,
// and twice through the buffer. The sender's object stays the sender's to destroy, moved-from or not.
#ifndef GYRE_CHANNELS_CHAN_OPS_H_
#define GYRE_CHANNELS_CHAN_OPS_H_

#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#include "channels/chan_core.h"

namespace gyre::internal {

// Raw storage for one element. Whoever puts one in takes it out.
template <typename T>
union Slot {
  Slot() {}
  ~Slot() {}

  // The element, which leaves.
  T Take() {
    T result(std::move(value));
    value.~T();
    return result;
  }

  T value;
};

// How elements of type T are stored and moved.
template <typename T>
struct Elements {
  static_assert(std::is_object_v<T> && !std::is_const_v<T> && !std::is_array_v<T>,
                "a channel carries objects: not references, arrays or constants");
  static_assert(std::is_nothrow_move_constructible_v<T>,
                "a channel's element must move without throwing: mark its move constructor noexcept, or carry it in a "
                "std::unique_ptr");
  static_assert(std::is_nothrow_destructible_v<T>, "a channel's element must be destroyed without throwing");

  // Nothing to move, nothing to store: Go's struct{}.
  static constexpr bool kNoContent = std::is_empty_v<T> && std::is_trivially_copyable_v<T>;
  static constexpr size_t kBufferOffset = (sizeof(ChanCore) + alignof(T) - 1) / alignof(T) * alignof(T);

  static void Move(void* to, void* from) noexcept {
    if constexpr (!kNoContent) std::construct_at(static_cast<T*>(to), std::move(*static_cast<T*>(from)));
  }
  static void Relocate(void* to, void* from) noexcept {
    Move(to, from);
    std::destroy_at(static_cast<T*>(from));
  }
  static void Destroy(void* element) noexcept { std::destroy_at(static_cast<T*>(element)); }

  static constexpr ElementOps kOps = {
      .stride = kNoContent ? 0 : sizeof(T),
      .align = alignof(T) > alignof(ChanCore) ? alignof(T) : alignof(ChanCore),
      .buffer_offset = kBufferOffset,
      .is_timer = false,
      .move = &Move,
      .relocate = &Relocate,
      .destroy = std::is_trivially_destructible_v<T> ? nullptr : &Destroy,
      .dispose = &DisposeChan,
  };

  static void* At(ChanCore* chan, size_t index) {
    return reinterpret_cast<std::byte*>(chan) + kBufferOffset + index * sizeof(T);
  }

  // The lock is held: one more element than `count`, moved from *from.
  static void Append(ChanCore* chan, void* from) ABSL_EXCLUSIVE_LOCKS_REQUIRED(chan->lock) {
    if constexpr (!kNoContent) {
      Move(At(chan, chan->send_index), from);
      chan->send_index = chan->send_index + 1 == chan->cap ? 0 : chan->send_index + 1;
    }
  }
  // The lock is held: the oldest element leaves to *to.
  static void PopFront(ChanCore* chan, void* to) ABSL_EXCLUSIVE_LOCKS_REQUIRED(chan->lock) {
    if constexpr (!kNoContent) {
      Relocate(to, At(chan, chan->recv_index));
      chan->recv_index = chan->recv_index + 1 == chan->cap ? 0 : chan->recv_index + 1;
    }
  }
};

// How an attempt under the lock ended. All but kWait have released it.
enum class Attempt { kDone, kClosed, kWait };

template <typename T>
inline Attempt TrySendLocked(ChanCore* chan, T* value) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  if (chan->closed.load(std::memory_order_relaxed)) [[unlikely]] {
    chan->lock.Unlock();
    return Attempt::kClosed;
  }
  if (Waiter* receiver = chan->recvq.Pop()) {
    chan->lock.Unlock();
    // It is ours alone until it is readied.
    Elements<T>::Move(receiver->slot, value);
    receiver->completed = true;
    Ready(receiver->g);
    return Attempt::kDone;
  }
  const size_t count = chan->count.load(std::memory_order_relaxed);
  if (count == chan->cap) return Attempt::kWait;
  Elements<T>::Append(chan, value);
  // Release: who sees the count without the lock, and then the channel closed, finds the element.
  chan->count.store(count + 1, std::memory_order_release);
  chan->lock.Unlock();
  return Attempt::kDone;
}

template <typename T>
inline Attempt TryReceiveLocked(ChanCore* chan, T* slot) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  if (const size_t count = chan->count.load(std::memory_order_relaxed); count != 0) {
    Elements<T>::PopFront(chan, slot);
    if (Waiter* sender = chan->sendq.Pop()) [[unlikely]] {
      // The buffer was full: its place goes to the sender that has waited longest, and the count stays.
      Elements<T>::Append(chan, sender->slot);
      chan->lock.Unlock();
      sender->completed = true;
      Ready(sender->g);
      return Attempt::kDone;
    }
    chan->count.store(count - 1, std::memory_order_release);
    chan->lock.Unlock();
    return Attempt::kDone;
  }
  if (Waiter* sender = chan->sendq.Pop()) {
    chan->lock.Unlock();
    Elements<T>::Move(slot, sender->slot);
    sender->completed = true;
    Ready(sender->g);
    return Attempt::kDone;
  }
  if (chan->closed.load(std::memory_order_relaxed)) {
    chan->lock.Unlock();
    return Attempt::kClosed;
  }
  return Attempt::kWait;
}

// Moves from *value once it is certain that it goes through.
template <typename T>
inline void Send(ChanCore* chan, T* value) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  CheckPreempt();
  if (chan == nullptr) [[unlikely]] ParkForever(WaitReason::kChanSendNil);
  chan->lock.Lock();
  Attempt attempt = TrySendLocked(chan, value);
  if (attempt == Attempt::kWait && !ParkInSend(chan, value)) attempt = Attempt::kClosed;
  if (attempt == Attempt::kClosed) [[unlikely]] PanicSendOnClosed();
}

// True: *slot is constructed. False: the channel is closed and drained.
template <typename T>
inline bool Receive(ChanCore* chan, T* slot) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  CheckPreempt();
  if (chan == nullptr) [[unlikely]] ParkForever(WaitReason::kChanReceiveNil);
  chan->lock.Lock();
  const Attempt attempt = TryReceiveLocked(chan, slot);
  if (attempt == Attempt::kWait) return ParkInReceive(chan, slot);
  return attempt == Attempt::kDone;
}

// False: it would have had to wait, and *value is untouched.
template <typename T>
inline bool TrySend(ChanCore* chan, T* value) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  CheckPreempt();
  if (chan == nullptr || (!chan->LooksClosed() && chan->LooksFull())) return false;
  chan->lock.Lock();
  const Attempt attempt = TrySendLocked(chan, value);
  if (attempt == Attempt::kWait) chan->lock.Unlock();
  if (attempt == Attempt::kClosed) [[unlikely]] PanicSendOnClosed();
  return attempt == Attempt::kDone;
}

// kWait: it would have to wait. Nothing is locked afterwards.
template <typename T>
inline Attempt TryReceive(ChanCore* chan, T* slot) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  CheckPreempt();
  if (chan == nullptr) return Attempt::kWait;
  if (chan->LooksEmpty()) {
    if (!chan->LooksClosed()) return Attempt::kWait;
    if (chan->LooksEmpty()) return Attempt::kClosed;
  }
  chan->lock.Lock();
  const Attempt attempt = TryReceiveLocked(chan, slot);
  if (attempt == Attempt::kWait) chan->lock.Unlock();
  return attempt;
}

}  // namespace gyre::internal

#endif  // GYRE_CHANNELS_CHAN_OPS_H_
