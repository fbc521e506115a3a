#include "channels/chan_core.h"

#include <new>

#include "runtime/panic.h"

namespace gyre::internal {
namespace {

// Go's limit on a 64-bit machine: what an address space can hold.
constexpr size_t kMaxBytes = size_t{1} << 47;

// Takes all waiters that may be ended off `queue` and puts them at the end of a list linked by `next`.
Waiter** TakeAll(WaitQueue& queue, Waiter** tail) {
  while (Waiter* w = queue.Pop()) {
    w->completed = false;
    w->next = nullptr;
    *tail = w;
    tail = &w->next;
  }
  return tail;
}

bool ParkIn(ChanCore* chan, WaitQueue& queue, WaitReason reason, void* slot) ABSL_UNLOCK_FUNCTION(chan->lock) {
  Waiter waiter;
  waiter.g = Self();
  waiter.slot = slot;
  queue.Push(&waiter);
  PreparePark(waiter.g, reason, chan);
  chan->lock.Unlock();
  Park(waiter.g);
  return waiter.completed;
}

}  // namespace

ChanCore* NewChan(const ElementOps& ops, int64_t cap) {
  const size_t elements = static_cast<size_t>(cap);
  if (cap < 0 || (ops.stride != 0 && elements > (kMaxBytes - ops.buffer_offset) / ops.stride)) {
    PanicRuntimeError("makechan: size out of range");
  }
  const size_t bytes = ops.buffer_offset + elements * ops.stride;
  void* memory = ops.align > __STDCPP_DEFAULT_NEW_ALIGNMENT__ ? ::operator new(bytes, std::align_val_t{ops.align})
                                                              : ::operator new(bytes);
  return ::new (memory) ChanCore(ops, elements);
}

void DestroyBuffered(ChanCore* chan) noexcept ABSL_NO_THREAD_SAFETY_ANALYSIS {
  const ElementOps& ops = *chan->ops;
  if (ops.destroy == nullptr) return;
  // The last handle is gone, so nobody else looks: no lock. An element may hold the last handle of another channel.
  size_t index = chan->recv_index;
  for (size_t left = chan->count.load(std::memory_order_relaxed); left > 0; --left) {
    ops.destroy(chan->Buffer() + index * ops.stride);
    if (++index == chan->cap) index = 0;
  }
}

void DisposeChan(ChanCore* chan) noexcept {
  DestroyBuffered(chan);
  const size_t align = chan->ops->align;
  chan->~ChanCore();
  if (align > __STDCPP_DEFAULT_NEW_ALIGNMENT__) {
    ::operator delete(chan, std::align_val_t{align});
  } else {
    ::operator delete(chan);
  }
}

void CloseChan(ChanCore* chan) {
  CheckPreempt();
  if (chan == nullptr) PanicRuntimeError("close of nil channel");
  chan->lock.Lock();
  if (chan->closed.load(std::memory_order_relaxed)) {
    chan->lock.Unlock();
    PanicRuntimeError("close of closed channel");
  }
  // Release: who sees the flag without the lock sees what was sent, and what the closer wrote, before.
  chan->closed.store(true, std::memory_order_release);
  Waiter* first = nullptr;
  Waiter** tail = &first;
  tail = TakeAll(chan->recvq, tail);
  TakeAll(chan->sendq, tail);
  chan->lock.Unlock();

  while (first != nullptr) {
    Waiter* w = first;
    first = w->next;  // before Ready: then the waiter's frame is its own again
    Ready(w->g);
  }
}

int64_t ChanLen(const ChanCore* chan) {
  if (chan == nullptr || chan->ops->is_timer) return 0;
  return static_cast<int64_t>(chan->count.load(std::memory_order_acquire));
}

int64_t ChanCap(const ChanCore* chan) {
  if (chan == nullptr || chan->ops->is_timer) return 0;
  return static_cast<int64_t>(chan->cap);
}

bool ParkInSend(ChanCore* chan, void* value) {
  return ParkIn(chan, chan->sendq, WaitReason::kChanSend, value);
}

bool ParkInReceive(ChanCore* chan, void* slot) {
  return ParkIn(chan, chan->recvq, WaitReason::kChanReceive, slot);
}

void PanicSendOnClosed() {
  PanicRuntimeError("send on closed channel");
}

}  // namespace gyre::internal
