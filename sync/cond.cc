#include "sync/cond.h"

#include "runtime/no_preempt.h"
#include "runtime/panic.h"

namespace gyre {

void Cond::CheckCopy() const {
  if (self_ != this) [[unlikely]]
    Panic("sync.Cond is copied");
}

void Cond::Wait() {
  CheckCopy();
  internal::CheckPreempt();
  internal::G* self = internal::Self();
  Waiter mine{self, nullptr, false, false};
  lock_.Lock();
  if (head_.load(std::memory_order_relaxed) == nullptr) {
    head_.store(&mine, std::memory_order_relaxed);
  } else {
    tail_->next = &mine;
  }
  tail_ = &mine;
  lock_.Unlock();

  // L may be anything, so it is unlocked before the goroutine begins to park.
  L.Unlock();

  lock_.Lock();
  if (mine.notified) {
    lock_.Unlock();
  } else {
    mine.parked = true;
    internal::PreparePark(self, WaitReason::kCondWait, this);
    lock_.Unlock();
    internal::Park(self);
  }
  L.Lock();
}

void Cond::Signal() {
  CheckCopy();
  // Relaxed: who waits because of what the caller has changed under L went into the queue before it unlocked L, which
  // the caller has seen.
  if (head_.load(std::memory_order_relaxed) == nullptr) return;
  internal::NoPreempt off;
  lock_.Lock();
  Waiter* first = head_.load(std::memory_order_relaxed);
  internal::G* to_ready = nullptr;
  if (first != nullptr) {
    head_.store(first->next, std::memory_order_relaxed);
    if (first->next == nullptr) tail_ = nullptr;
    first->notified = true;
    if (first->parked) to_ready = first->g;
  }
  lock_.Unlock();
  if (to_ready != nullptr) internal::Ready(to_ready);
}

void Cond::Broadcast() {
  CheckCopy();
  if (head_.load(std::memory_order_relaxed) == nullptr) return;
  internal::NoPreempt off;
  lock_.Lock();
  Waiter* all = head_.load(std::memory_order_relaxed);
  head_.store(nullptr, std::memory_order_relaxed);
  tail_ = nullptr;
  // Those that are parked, as a list; the others look at `notified` as soon as the lock is free.
  Waiter* parked = nullptr;
  Waiter** end = &parked;
  for (Waiter* next; all != nullptr; all = next) {
    next = all->next;
    all->notified = true;
    if (!all->parked) continue;
    *end = all;
    end = &all->next;
  }
  *end = nullptr;
  lock_.Unlock();
  while (parked != nullptr) {
    Waiter* next = parked->next;
    internal::Ready(parked->g);
    parked = next;
  }
}

}  // namespace gyre
