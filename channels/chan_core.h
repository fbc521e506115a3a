// The type-independent half of a channel: header, wait queues, closing. Users include channels/chan.h.
//
// A channel is one allocation: this header, then the ring buffer. What moves elements is templates in chan_ops.h;
// select and destruction, which meet channels of any type, go through ElementOps.
//
// Who may call what: everything here is for any goroutine or foreign thread, except where a function says that the lock
// is held. Handles (ChanRef) keep the header alive; whoever waits on a channel has one in a frame below.
//
// Invariants, with the lock held
//  1. Receivers wait only while the buffer is empty, senders only while it is full (or there is none), except that one
//     select may wait on both sides of a channel.
//  2. A waiter in a queue belongs to a goroutine that is parked or on its way there, and lives in its frame. Who takes
//     it off a queue readies it, exactly once, and does not touch it afterwards. A select's waiters are taken off by
//     several parties; the one that wins SelectRecord::won readies the goroutine, and only the goroutine itself and the
//     winner may touch a select's waiter without its channel's lock.
//  3. Values pass directly between goroutines or through the buffer, in the order of the queues.
//  4. A closed channel has no waiters, and stays closed.
//  5. Nothing here is called, and no user code but an element's move constructor and destructor (of a moved-from
//     element) runs, under a channel's lock. Nothing readies a goroutine or calls into timers under it.
#ifndef GYRE_CHANNELS_CHAN_CORE_H_
#define GYRE_CHANNELS_CHAN_CORE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "runtime/park.h"
#include "runtime/raw_lock.h"

namespace gyre::internal {

struct ChanCore;
struct Waiter;

// One for each blocked select.
struct SelectRecord {
  std::atomic<bool> won{false};  // some waker has taken it upon itself to end the wait
  Waiter* winner = nullptr;      // written by that waker, read by the select once it runs again
};

// A goroutine's place in a channel's queue (Go's sudog). In its frame.
struct Waiter {
  G* g = nullptr;
  Waiter* next = nullptr;          // } guarded by the channel's lock
  Waiter* prev = nullptr;          // }
  bool queued = false;             // }
  bool completed = false;          // a value passed; false: the channel was closed. Written by the waker.
  SelectRecord* select = nullptr;  // null for a plain send or receive
  void* slot = nullptr;            // sender: the value to move from; receiver: raw storage to construct the value in

  // The right to end this wait. False: another channel of the same select was faster.
  // Acquire and release: the winner is one, and it alone writes `winner`; the queue's lock and Ready order the rest.
  bool Claim() {
    if (select == nullptr) return true;
    if (select->won.exchange(true, std::memory_order_acq_rel)) return false;
    select->winner = this;
    return true;
  }
};

// First come, first served. Guarded by the channel's lock, but for Empty().
class WaitQueue {
 public:
  // Also without the lock, as a hint. Acquire: a later look at `closed` is not moved before this one.
  bool Empty() const { return first_.load(std::memory_order_acquire) == nullptr; }

  void Push(Waiter* w) {
    w->next = nullptr;
    w->prev = last_;
    w->queued = true;
    if (last_ == nullptr) {
      first_.store(w, std::memory_order_relaxed);
    } else {
      last_->next = w;
    }
    last_ = w;
  }

  void Remove(Waiter* w) {
    if (w->prev == nullptr) {
      first_.store(w->next, std::memory_order_relaxed);
    } else {
      w->prev->next = w->next;
    }
    if (w->next == nullptr) {
      last_ = w->prev;
    } else {
      w->next->prev = w->prev;
    }
    w->queued = false;
  }

  // The first waiter whose wait the caller may end, off the queue, or null.
  Waiter* Pop() {
    while (Waiter* w = first_.load(std::memory_order_relaxed)) {
      Remove(w);
      if (w->Claim()) return w;
    }
    return nullptr;
  }

 private:
  std::atomic<Waiter*> first_{nullptr};  // written under the lock
  Waiter* last_ = nullptr;
};

// What is to be known about an element type where the type itself is not. One constant per type.
struct ElementOps {
  // Bytes per element of the buffer; 0 if the type has no content.
  size_t stride;
  // Of the allocation.
  size_t align;
  // Of the buffer, from the header.
  size_t buffer_offset;
  // A timer's channel shows itself as unbuffered, whatever it holds.
  bool is_timer;
  void (*move)(void* to, void* from) noexcept;      // constructs *to from *from
  void (*relocate)(void* to, void* from) noexcept;  // the same, and destroys *from
  void (*destroy)(void* element) noexcept;          // null: nothing to do
  void (*dispose)(ChanCore* chan) noexcept;         // the last handle is gone
};

struct ChanCore {
  ChanCore(const ElementOps& element_ops, size_t capacity) : cap(capacity), ops(&element_ops) {}

  RawLock lock;
  std::atomic<bool> closed{false};  // } written under the lock, read as hints without it
  std::atomic<size_t> count{0};     // } elements in the buffer
  const size_t cap;
  size_t send_index ABSL_GUARDED_BY(lock) = 0;  // where the next element goes } not used by elements without content
  size_t recv_index ABSL_GUARDED_BY(lock) = 0;  // where the oldest one is     }
  WaitQueue recvq;
  WaitQueue sendq;
  const ElementOps* const ops;
  std::atomic<uint64_t> refs{1};

  // Without the lock: what a send or a receive would find. Each looks at one word of the queue and one flag, in an
  // order in which the pair was true at one instant:
  //  - "full and not closed": closed first. Closing makes no room, so if it was open then and is full now, it was both
  //    when it was last open.
  //  - "empty and not closed": emptiness first. It was open then if it is open now.
  //  - "empty and closed": closed first. A closed channel gets no more values, so an acquired `closed` shows the last.
  bool LooksFull() const { return cap == 0 ? recvq.Empty() : count.load(std::memory_order_acquire) == cap; }
  bool LooksEmpty() const { return cap == 0 ? sendq.Empty() : count.load(std::memory_order_acquire) == 0; }
  bool LooksClosed() const { return closed.load(std::memory_order_acquire); }

  std::byte* Buffer() { return reinterpret_cast<std::byte*>(this) + ops->buffer_offset; }

  void AddRef() { refs.fetch_add(1, std::memory_order_relaxed); }
  void Unref() {
    // Alone: no read-modify-write needed. Acquire and release: what others did to the channel happened before it goes.
    if (refs.load(std::memory_order_acquire) == 1 || refs.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      ops->dispose(this);
    }
  }
};

// A counted reference, null for a nil channel.
class ChanRef {
 public:
  constexpr ChanRef() = default;
  static ChanRef Adopt(ChanCore* core) {  // the reference that a new channel is born with
    ChanRef ref;
    ref.core_ = core;
    return ref;
  }
  static ChanRef Share(ChanCore* core) {
    if (core != nullptr) core->AddRef();
    return Adopt(core);
  }
  ChanRef(const ChanRef& other) : core_(other.core_) {
    if (core_ != nullptr) core_->AddRef();
  }
  ChanRef(ChanRef&& other) noexcept : core_(std::exchange(other.core_, nullptr)) {}
  ChanRef& operator=(ChanRef other) noexcept {
    std::swap(core_, other.core_);
    return *this;
  }
  ~ChanRef() {
    if (core_ != nullptr) core_->Unref();
  }
  ChanCore* get() const { return core_; }

 private:
  ChanCore* core_ = nullptr;
};

// A channel of `cap` elements. Panics if that is negative or too much.
ChanCore* NewChan(const ElementOps& ops, int64_t cap);
// The `dispose` of channels from NewChan.
void DisposeChan(ChanCore* chan) noexcept;
// Destroys what is in the buffer.
void DestroyBuffered(ChanCore* chan) noexcept;

void CloseChan(ChanCore* chan);
int64_t ChanLen(const ChanCore* chan);
int64_t ChanCap(const ChanCore* chan);

// Wait, as the caller has found with the lock held. Return whether a value passed; else the channel was closed.
bool ParkInSend(ChanCore* chan, void* value) ABSL_UNLOCK_FUNCTION(chan->lock);
bool ParkInReceive(ChanCore* chan, void* slot) ABSL_UNLOCK_FUNCTION(chan->lock);

[[noreturn]] void PanicSendOnClosed();

}  // namespace gyre::internal

#endif  // GYRE_CHANNELS_CHAN_CORE_H_
