#include "sync/sema.h"

#include "runtime/contention_profile.h"
#include "runtime/go.h"
#include "runtime/no_preempt.h"
#include "runtime/thread_state.h"

namespace gyre::internal {

void Sema::Acquire(WaitReason reason, const void* object, Place place) {
  G* self = Self();
  lock_.Lock();
  if (tokens_ > 0) {
    --tokens_;
    lock_.Unlock();
    return;
  }
  Waiter mine{self, nullptr, 0};
  if (mutex_profile_fraction.load(std::memory_order_relaxed) != 0) [[unlikely]] {
    const bool is_lock =
        reason == WaitReason::kMutexLock || reason == WaitReason::kRWMutexLock || reason == WaitReason::kRWMutexRLock;
    if (is_lock) mine.since = MonotonicNow();
  }
  if (head_ == nullptr) {
    head_ = tail_ = &mine;
  } else if (place == Place::kFirst) {
    mine.next = head_;
    head_ = &mine;
  } else {
    tail_->next = &mine;
    tail_ = &mine;
  }
  PreparePark(self, reason, object);
  lock_.Unlock();
  Park(self);
}

Sema::Waiter* Sema::Take(uint32_t n) {
  Waiter* first = head_;
  Waiter* last = nullptr;
  for (; n > 0 && head_ != nullptr; --n) {
    last = head_;
    head_ = head_->next;
  }
  if (head_ == nullptr) tail_ = nullptr;
  tokens_ += n;
  if (last == nullptr) return nullptr;
  last->next = nullptr;
  return first;
}

// The caller holds `woken`: they do not run yet.
[[gnu::noinline]] void Sema::CountForProfile(const Waiter* woken) {
  Nanos delay = 0;
  const Nanos now = MonotonicNow();
  for (; woken != nullptr; woken = woken->next) {
    if (woken->since != 0) delay += now - woken->since;
  }
  RecordUnlock(delay);
}

void Sema::Release(uint32_t n) {
  // Whoever is in our hands can run only when we have readied it: a bad moment for losing the processor.
  NoPreempt off;
  lock_.Lock();
  Waiter* woken = Take(n);
  lock_.Unlock();
  if (mutex_profile_fraction.load(std::memory_order_relaxed) != 0) [[unlikely]]
    CountForProfile(woken);
  while (woken != nullptr) {
    Waiter* next = woken->next;  // the node is gone once its goroutine runs
    Ready(woken->g);
    woken = next;
  }
}

void Sema::HandOff() {
  bool woke = false;
  {
    NoPreempt off;
    lock_.Lock();
    Waiter* woken = Take(1);
    lock_.Unlock();
    if (mutex_profile_fraction.load(std::memory_order_relaxed) != 0) [[unlikely]]
      CountForProfile(woken);
    if (woken != nullptr) {
      woke = true;
      Ready(woken->g);
    }
  }
  // Where preemption is off the caller is inside the runtime and must not give the processor away.
  if (woke && This().no_preempt == 0) Yield();
}

}  // namespace gyre::internal
