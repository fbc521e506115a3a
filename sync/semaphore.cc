#include "sync/semaphore.h"

#include "runtime/panic.h"
#include "sync/sema.h"

namespace gyre {

namespace {

void CheckUnits(int64_t n) {
  if (n < 0) Panic("semaphore: negative number of units");
}

// A goroutine that waits in Acquire.
struct Blocked : Semaphore::Waiter {
  explicit Blocked(int64_t units) : Waiter{units, &Wake} {}
  static void Wake(Waiter* self) { static_cast<Blocked*>(self)->sema.Release(); }
  internal::Sema sema;
};

}  // namespace

void Semaphore::Acquire(int64_t n) {
  internal::CheckPreempt();
  Blocked self(n);
  switch (Enqueue(&self)) {
    case Outcome::kTaken:
      return;
    case Outcome::kNever:
      internal::ParkForever(WaitReason::kSemacquire);
    case Outcome::kQueued:
      self.sema.Acquire(WaitReason::kSemacquire, this);
  }
}

bool Semaphore::TryAcquire(int64_t n) {
  CheckUnits(n);
  internal::RawLockHolder hold(lock_);
  return TakeIfFree(n);
}

void Semaphore::Release(int64_t n) {
  CheckUnits(n);
  lock_.Lock();
  if (used_ < n) {
    lock_.Unlock();
    Panic("semaphore: released more than held");
  }
  used_ -= n;
  Waiter* granted = Grant();
  lock_.Unlock();
  Call(granted);
}

Semaphore::Outcome Semaphore::Enqueue(Waiter* waiter) {
  CheckUnits(waiter->n);
  internal::RawLockHolder hold(lock_);
  if (TakeIfFree(waiter->n)) return Outcome::kTaken;
  if (waiter->n > size_) return Outcome::kNever;
  waiter->prev = tail_;
  (tail_ != nullptr ? tail_->next : head_) = waiter;
  tail_ = waiter;
  waiter->queued = true;
  return Outcome::kQueued;
}

bool Semaphore::Abandon(Waiter* waiter) {
  lock_.Lock();
  if (!waiter->queued) {
    lock_.Unlock();
    return false;
  }
  Unlink(waiter);
  // It may have been all that those behind it waited for.
  Waiter* granted = Grant();
  lock_.Unlock();
  Call(granted);
  return true;
}

bool Semaphore::TakeIfFree(int64_t n) {
  if (head_ != nullptr || size_ - used_ < n) return false;
  used_ += n;
  return true;
}

void Semaphore::Unlink(Waiter* waiter) {
  (waiter->prev != nullptr ? waiter->prev->next : head_) = waiter->next;
  (waiter->next != nullptr ? waiter->next->prev : tail_) = waiter->prev;
  waiter->next = waiter->prev = nullptr;
  waiter->queued = false;
}

Semaphore::Waiter* Semaphore::Grant() {
  Waiter* granted = nullptr;
  Waiter** end = &granted;
  while (head_ != nullptr && size_ - used_ >= head_->n) {
    Waiter* first = head_;
    used_ += first->n;
    Unlink(first);
    *end = first;
    end = &first->next;
  }
  return granted;
}

void Semaphore::Call(Waiter* granted) {
  while (granted != nullptr) {
    Waiter* next = granted->next;  // the waiter is gone once it has been called
    granted->granted(granted);
    granted = next;
  }
}

}  // namespace gyre
