// A weighted semaphore, as golang.org/x/sync/semaphore: bounds how much of something is in use at a time.
//
//   gyre::Semaphore memory(64 << 20);
//   memory.Acquire(size);
//   ...
//   memory.Release(size);
//
// `memory.Acquire(ctx, size)`, which gives up when a context ends and returns its error, needs context/semaphore.h.
//
// First come, first served: a small request behind a large one waits, so that the large one gets its turn. One that
// asks for more than there is in all never gets it, and holds up nobody. A negative number of units is a panic.
#ifndef GYRE_SYNC_SEMAPHORE_H_
#define GYRE_SYNC_SEMAPHORE_H_

#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "runtime/park.h"
#include "runtime/raw_lock.h"

namespace gyre {

// Invariants, under lock_
//  1. 0 <= used_ <= size_, and the first in the queue does not fit.
//  2. A waiter is in the queue until it is granted what it asked for (counted in used_ by then) or gives up. Who grants
//     calls its function once, after lock_ has been let go, and touches it no more.
class Semaphore {
 public:
  explicit Semaphore(int64_t size) : size_(size) {}
  Semaphore(const Semaphore&) = delete;
  Semaphore& operator=(const Semaphore&) = delete;

  // Waits until there are n units, and takes them.
  void Acquire(int64_t n);

  // False, at once, if there are not, or others wait.
  bool TryAcquire(int64_t n);

  // Gives n units back. Panics if fewer are taken.
  void Release(int64_t n);

  // As Acquire, until the context ends: its error, and nothing is taken. A null error: taken.
  template <typename Context>
  auto Acquire(const Context& ctx, int64_t n) {
    return AcquireUntilDone(ctx, *this, n);  // context/semaphore.h
  }

  // For waiting in other ways than Acquire: a request in the queue. `granted` is called when it has been met.
  struct Waiter {
    int64_t n;
    void (*granted)(Waiter* self);
    Waiter* next = nullptr;
    Waiter* prev = nullptr;
    bool queued = false;  // guarded by the semaphore's lock
  };

  enum class Outcome { kTaken, kQueued, kNever };  // kNever: more than there is in all; not queued
  Outcome Enqueue(Waiter* waiter);

  // Takes a queued request back. False: it has been granted, and `granted` was or will be called.
  bool Abandon(Waiter* waiter);

 private:
  bool TakeIfFree(int64_t n) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  void Unlink(Waiter* waiter) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  // Takes those off the queue that fit now, in order: a list for Call.
  Waiter* Grant() ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);
  static void Call(Waiter* granted);

  const int64_t size_;
  internal::RawLock lock_;
  int64_t used_ ABSL_GUARDED_BY(lock_) = 0;
  Waiter* head_ ABSL_GUARDED_BY(lock_) = nullptr;
  Waiter* tail_ ABSL_GUARDED_BY(lock_) = nullptr;
};

}  // namespace gyre

#endif  // GYRE_SYNC_SEMAPHORE_H_
