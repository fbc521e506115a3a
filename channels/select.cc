// How a select goes
//  1. In a random order, each case that looks ready is locked alone and tried. The first to succeed is the choice: it
//     was ready at that moment, and the order gives all the same chance. Most selects end here, with one lock taken.
//  2. Otherwise all channels are locked, in the order of their addresses so that selects cannot wait for each other in
//     a circle, and the cases tried again in the same random order. If none is ready, none was at one instant: the
//     default may run.
//  3. Or a waiter goes into each channel's queue, and the goroutine parks. The first that takes one of them off and
//     wins SelectRecord::won completes that case and readies the goroutine.
//  4. It then takes the other waiters off their queues, one channel at a time.
#include "channels/select.h"

#include <algorithm>
#include <functional>
#include <memory>

namespace gyre::internal {
namespace {

// Numbers below small bounds, several from one draw: multiplying a uniform 64-bit fraction by `bound` yields the number
// above the point and another uniform fraction below it, until its bits are used up.
class UniformStream {
 public:
  uint32_t Below(uint32_t bound) {
    if (exploring.load(std::memory_order_relaxed) != 0) [[unlikely]] return ChooseBelow(bound);
    if (drawn_from_ > (uint64_t{1} << 30)) {  // keeps the bias below 2^-18 for bounds up to 2^16
      fraction_ = FastRandom();
      drawn_from_ = 1;
    }
    drawn_from_ *= bound;
    const auto wide = static_cast<unsigned __int128>(fraction_) * bound;
    fraction_ = static_cast<uint64_t>(wide);
    return static_cast<uint32_t>(wide >> 64);
  }

 private:
  uint64_t fraction_ = 0;
  uint64_t drawn_from_ = UINT64_MAX;  // product of the bounds since the last draw
};

bool LooksReady(const SelectEntry& entry) {
  const ChanCore& chan = *entry.chan;
  if (chan.LooksClosed()) return true;
  return entry.is_send ? !chan.LooksFull() : !chan.LooksEmpty();
}

// The erased twins of Elements<T>::Append and PopFront; for elements without content the indices turn for nothing.
void Append(ChanCore* chan, void* from) ABSL_EXCLUSIVE_LOCKS_REQUIRED(chan->lock) {
  chan->ops->move(chan->Buffer() + chan->send_index * chan->ops->stride, from);
  if (++chan->send_index == chan->cap) chan->send_index = 0;
}

void PopFront(ChanCore* chan, void* to) ABSL_EXCLUSIVE_LOCKS_REQUIRED(chan->lock) {
  chan->ops->relocate(to, chan->Buffer() + chan->recv_index * chan->ops->stride);
  if (++chan->recv_index == chan->cap) chan->recv_index = 0;
}

// What a case does once it is chosen, in two parts: the first with the channel's lock held, the second without any.
struct Transfer {
  enum class Kind { kNotReady, kInBuffer, kDirect, kClosed } kind = Kind::kNotReady;
  Waiter* partner = nullptr;  // to be readied
};

Transfer BeginSend(const SelectEntry& entry) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  ChanCore* chan = entry.chan;
  if (chan->closed.load(std::memory_order_relaxed)) return {Transfer::Kind::kClosed};
  if (Waiter* receiver = chan->recvq.Pop()) return {Transfer::Kind::kDirect, receiver};
  const size_t count = chan->count.load(std::memory_order_relaxed);
  if (count == chan->cap) return {};
  Append(chan, entry.slot);
  chan->count.store(count + 1, std::memory_order_release);
  return {Transfer::Kind::kInBuffer};
}

Transfer BeginReceive(const SelectEntry& entry) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  ChanCore* chan = entry.chan;
  if (const size_t count = chan->count.load(std::memory_order_relaxed); count != 0) {
    PopFront(chan, entry.slot);
    Waiter* sender = chan->sendq.Pop();
    if (sender != nullptr) {
      Append(chan, sender->slot);
    } else {
      chan->count.store(count - 1, std::memory_order_release);
    }
    return {Transfer::Kind::kInBuffer, sender};
  }
  if (Waiter* sender = chan->sendq.Pop()) return {Transfer::Kind::kDirect, sender};
  if (chan->closed.load(std::memory_order_relaxed)) return {Transfer::Kind::kClosed};
  return {};
}

Transfer Begin(const SelectEntry& entry) {
  return entry.is_send ? BeginSend(entry) : BeginReceive(entry);
}

// Returns whether a value passed. Panics if the case is a send on a closed channel.
bool Finish(const SelectEntry& entry, const Transfer& transfer) {
  if (transfer.kind == Transfer::Kind::kClosed) {
    if (entry.is_send) PanicSendOnClosed();
    return false;
  }
  if (Waiter* partner = transfer.partner) {
    if (transfer.kind == Transfer::Kind::kDirect) {
      if (entry.is_send) {
        entry.chan->ops->move(partner->slot, entry.slot);
      } else {
        entry.chan->ops->move(entry.slot, partner->slot);
      }
    }
    partner->completed = true;
    Ready(partner->g);
  }
  return true;
}

// The channels of the first `n` cases in `order`, which is sorted: each once.
void LockAll(const SelectEntry* entries, const uint16_t* order, int n) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  const ChanCore* last = nullptr;
  for (int i = 0; i < n; ++i) {
    ChanCore* chan = entries[order[i]].chan;
    if (chan != last) chan->lock.Lock();
    last = chan;
  }
}

void UnlockAll(const SelectEntry* entries, const uint16_t* order, int n) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  for (int i = n - 1; i >= 0; --i) {
    ChanCore* chan = entries[order[i]].chan;
    if (i == 0 || entries[order[i - 1]].chan != chan) chan->lock.Unlock();
  }
}

// Steps 3 and 4: all is locked and nothing ready. Returns the case that was completed, and whether a value passed.
SelectOutcome ParkInSelect(const SelectEntry* entries, const uint16_t* lock_order, Slot<Waiter>* waiters,
                           int n) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  SelectRecord record;
  G* self = Self();
  for (int i = 0; i < n; ++i) {
    const SelectEntry& entry = entries[lock_order[i]];
    Waiter* waiter = std::construct_at(&waiters[i].value);
    waiter->g = self;
    waiter->slot = entry.slot;
    waiter->select = &record;
    entry.queue().Push(waiter);
  }
  PreparePark(self, WaitReason::kSelect, nullptr);
  UnlockAll(entries, lock_order, n);
  Park(self);

  SelectOutcome outcome;
  for (int i = 0; i < n; ++i) {
    const SelectEntry& entry = entries[lock_order[i]];
    Waiter* waiter = &waiters[i].value;
    if (waiter == record.winner) {  // whoever ended the wait took it off
      outcome = {lock_order[i], waiter->completed};
      continue;
    }
    // Always with the lock: somebody may have taken it off and still be looking at it.
    RawLockHolder hold(entry.chan->lock);
    if (waiter->queued) entry.queue().Remove(waiter);
  }
  return outcome;
}

}  // namespace

SelectOutcome SelectGo(const SelectEntry* entries, int n, SelectScratch scratch,
                       bool wait) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  CheckPreempt();
  uint16_t* const poll_order = scratch.poll_order;
  int live = 0;
  for (int i = 0; i < n; ++i) {
    if (entries[i].chan != nullptr) poll_order[live++] = static_cast<uint16_t>(i);
  }

  // A Fisher-Yates shuffle, as far as it is needed.
  UniformStream random;
  for (int i = 0; i < live; ++i) {
    std::swap(poll_order[i], poll_order[i + static_cast<int>(random.Below(static_cast<uint32_t>(live - i)))]);
    const int index = poll_order[i];
    const SelectEntry& entry = entries[index];
    if (!LooksReady(entry)) continue;
    entry.chan->lock.Lock();
    const Transfer transfer = Begin(entry);
    entry.chan->lock.Unlock();
    if (transfer.kind != Transfer::Kind::kNotReady) return {index, Finish(entry, transfer)};
  }

  if (live == 0) {
    if (wait) ParkForever(WaitReason::kSelect);
    return {};
  }
  // One channel was looked at, at one instant.
  if (live == 1 && !wait) return {};

  uint16_t* const lock_order = scratch.lock_order;
  std::copy(poll_order, poll_order + live, lock_order);
  std::sort(lock_order, lock_order + live,
            [&](uint16_t a, uint16_t b) { return std::less<>()(entries[a].chan, entries[b].chan); });
  LockAll(entries, lock_order, live);
  for (int i = 0; i < live; ++i) {
    const SelectEntry& entry = entries[poll_order[i]];
    const Transfer transfer = Begin(entry);
    if (transfer.kind == Transfer::Kind::kNotReady) continue;
    UnlockAll(entries, lock_order, live);
    return {poll_order[i], Finish(entry, transfer)};
  }
  if (!wait) {
    UnlockAll(entries, lock_order, live);
    return {};
  }

  const SelectOutcome outcome = ParkInSelect(entries, lock_order, scratch.waiters, live);
  if (entries[outcome.chosen].is_send && !outcome.received) PanicSendOnClosed();
  return outcome;
}

}  // namespace gyre::internal
