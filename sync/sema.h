// A counting semaphore with a queue: what Mutex, RWMutex and WaitGroup block on (Go's runtime semaphores).
//
// A release gives its token to the goroutine at the head of the queue, or keeps it for the next one to come. So a woken
// goroutine has its token already, and the order of the queue is the order of waking. A waiter's node is on its stack.
//
// Anyone may call anything here: goroutines, foreign threads, timer callbacks (Release). No CheckPreempt: that is the
// callers' matter.
//
// Invariants, under lock_
//  1. tokens_ > 0 only while the queue is empty.
//  2. A node is in the queue from the moment its goroutine prepared to park until a Release takes it out; who took it
//     out readies the goroutine once, after the lock has been let go, and before that reads what it needs of the node.
//  3. Once a goroutine has been readied, or has found a token, the Release that it owes this to touches the semaphore
//  no
//     more (except that it may wake a kernel thread by the lock's address, without reading there). So the woken one may
//     free the semaphore, if it knows that no one else is about to use it.
#ifndef GYRE_SYNC_SEMA_H_
#define GYRE_SYNC_SEMA_H_

#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "runtime/park.h"
#include "runtime/raw_lock.h"
#include "runtime/wait_reason.h"

namespace gyre::internal {

class Sema {
 public:
  constexpr Sema() = default;
  explicit constexpr Sema(uint32_t tokens) : tokens_(tokens) {}
  Sema(const Sema&) = delete;
  Sema& operator=(const Sema&) = delete;

  // kFirst is for a waiter that was woken, came too late and waits again: it keeps its turn.
  enum class Place { kLast, kFirst };

  // Takes a token, waiting for it if need be. `reason` and `object` are for dumps.
  void Acquire(WaitReason reason, const void* object, Place place = Place::kLast);

  // Adds n tokens.
  void Release(uint32_t n = 1);

  // Adds one token; if that has woken a goroutine, lets it run before the caller goes on. For a lock that passes
  // directly from hand to hand: all others would only queue up behind one that owns it and does not run.
  void HandOff();

 private:
  struct Waiter {
    G* g;
    Waiter* next;
    Nanos since;  // when it began to wait, for the mutex profile; 0: not to be counted
  };
  static void CountForProfile(const Waiter* woken);

  // Up to n of the queue's first, as a list; the rest of n becomes tokens.
  Waiter* Take(uint32_t n) ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_);

  RawLock lock_;
  uint32_t tokens_ ABSL_GUARDED_BY(lock_) = 0;
  Waiter* head_ ABSL_GUARDED_BY(lock_) = nullptr;
  Waiter* tail_ ABSL_GUARDED_BY(lock_) = nullptr;
};

}  // namespace gyre::internal

#endif  // GYRE_SYNC_SEMA_H_
