// A place to wait for, or announce, that something has changed; as Go's sync.Cond.
//
//   gyre::Mutex mu;
//   gyre::Cond changed(&mu);                  // or of an RWMutex, or of its RLocker()
//
//   mu.Lock();                                mu.Lock();
//   while (!ready) changed.Wait();            ready = true;
//   ... ready, and mu is held ...             changed.Signal();     // with mu held or not
//   mu.Unlock();                              mu.Unlock();
//
// Signal wakes the one that has waited longest, Broadcast all who wait now; nothing is remembered for those who come
// later. Wait wakes for no other reason than these two, but others may have had the lock in between: hence the loop.
#ifndef GYRE_SYNC_COND_H_
#define GYRE_SYNC_COND_H_

#include <atomic>

#include "absl/base/thread_annotations.h"
#include "runtime/park.h"
#include "runtime/raw_lock.h"

namespace gyre {

// A lock of whatever type that has Lock and Unlock, by reference (Go's interface sync.Locker).
class Locker {
 public:
  template <typename L>
  explicit Locker(L* lock)
      : lock_(lock),
        do_lock_([](void* it) ABSL_NO_THREAD_SAFETY_ANALYSIS { static_cast<L*>(it)->Lock(); }),
        do_unlock_([](void* it) ABSL_NO_THREAD_SAFETY_ANALYSIS { static_cast<L*>(it)->Unlock(); }) {}

  void Lock() { do_lock_(lock_); }
  void Unlock() { do_unlock_(lock_); }
  void lock() { Lock(); }
  void unlock() { Unlock(); }

 private:
  void* lock_;
  void (*do_lock_)(void*);
  void (*do_unlock_)(void*);
};

// Invariants, under lock_
//  1. A node is in the queue from the beginning of Wait until a Signal or Broadcast takes it out. It is on the waiter's
//     stack, and is not touched after its goroutine has been readied, or, if that was not parked yet, after lock_ was
//     let go.
//  2. A goroutine goes into the queue before it unlocks L, so that a change made under L is never missed.
class Cond {
 public:
  template <typename AnyLock>
  explicit Cond(AnyLock* lock) : L(lock) {}
  // Copies do not compile; using one that was made as raw bytes panics.
  Cond(const Cond&) = delete;
  Cond& operator=(const Cond&) = delete;

  // Unlocks L, waits for Signal or Broadcast, locks L. The caller holds L.
  void Wait();
  void Signal();
  void Broadcast();

  gyre::Locker L;

 private:
  struct Waiter {
    internal::G* g;
    Waiter* next;
    bool parked;  // it needs a Ready; else `notified` will do
    bool notified;
  };

  void CheckCopy() const;

  const Cond* const self_ = this;
  internal::RawLock lock_;
  std::atomic<Waiter*> head_{nullptr};  // written under lock_
  Waiter* tail_ ABSL_GUARDED_BY(lock_) = nullptr;
};

}  // namespace gyre

#endif  // GYRE_SYNC_COND_H_
