// A lock that many readers or one writer hold, as Go's sync.RWMutex.
//
//   gyre::RWMutex mu;
//   { gyre::ReaderLock lock(&mu); ... }      // or std::shared_lock lock(mu)
//   { gyre::WriterLock lock(&mu); ... }      // or std::unique_lock lock(mu)
//
// A writer that waits keeps new readers out, and readers that came while a writer held the lock go before the next
// writer: so neither starves the other. For that reason a goroutine must not take a read lock twice: a writer may have
// come in between. A read lock cannot become a write lock. Locks have no owner: another goroutine may let go. Letting
// go of what is not held is a fatal error. Taking a read lock and letting it go are one atomic instruction each where
// no writer is about.
//
// It may be destroyed once each call to it has returned (a Mutex asks for less).
//
// Invariants
//  1. readers_ is the number of readers that hold the lock or wait for it; less kMaxReaders while a writer holds the
//  lock
//     or waits for readers to leave. The writer that subtracted it holds writer_.
//  2. draining_, while a writer waits: the readers that it still waits for. The one that counts it to 0 wakes the
//  writer.
//     It goes below 0 while readers that the writer has yet to add have left already.
//  3. A reader that finds readers_ negative on its way in waits at reader_sema_, for the token that the writer gives to
//     each of those as it leaves.
#ifndef GYRE_SYNC_RWMUTEX_H_
#define GYRE_SYNC_RWMUTEX_H_

#include <atomic>
#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "sync/mutex.h"
#include "sync/sema.h"

namespace gyre {

// The read side of an RWMutex in the shape of an ordinary lock: RWMutex::RLocker() gives it.
class ReadLocker {
 public:
  ReadLocker(const ReadLocker&) = delete;
  ReadLocker& operator=(const ReadLocker&) = delete;
  void Lock();
  void Unlock();
  void lock() { Lock(); }
  void unlock() { Unlock(); }

 private:
  friend class RWMutex;
  constexpr ReadLocker() = default;
};

class ABSL_LOCKABLE RWMutex : private ReadLocker {
 public:
  constexpr RWMutex() = default;

  void RLock() ABSL_SHARED_LOCK_FUNCTION() {
    internal::ExplorePoint();
    // Acquire: what the last writer did is visible.
    if (readers_.fetch_add(1, std::memory_order_acquire) < 0) [[unlikely]]
      RLockSlow();
  }

  // Never waits.
  bool TryRLock() ABSL_SHARED_TRYLOCK_FUNCTION(true) {
    internal::ExplorePoint();
    int32_t readers = readers_.load(std::memory_order_relaxed);
    while (readers >= 0) {
      if (readers_.compare_exchange_weak(readers, readers + 1, std::memory_order_acquire, std::memory_order_relaxed)) {
        return true;
      }
    }
    return false;
  }

  void RUnlock() ABSL_UNLOCK_FUNCTION() {
    // Release: what this reader read, it read before the next writer writes.
    const int32_t before = readers_.fetch_sub(1, std::memory_order_release);
    if (before <= 0) [[unlikely]]
      RUnlockSlow(before);
  }

  void Lock() ABSL_EXCLUSIVE_LOCK_FUNCTION();
  bool TryLock() ABSL_EXCLUSIVE_TRYLOCK_FUNCTION(true);
  void Unlock() ABSL_UNLOCK_FUNCTION();

  // Its Lock and Unlock are this lock's RLock and RUnlock: for Cond, or std::lock_guard. Lives as long as this.
  ReadLocker* RLocker() { return this; }

  // The standard's names.
  void lock() ABSL_EXCLUSIVE_LOCK_FUNCTION() { Lock(); }
  bool try_lock() ABSL_EXCLUSIVE_TRYLOCK_FUNCTION(true) { return TryLock(); }
  void unlock() ABSL_UNLOCK_FUNCTION() { Unlock(); }
  void lock_shared() ABSL_SHARED_LOCK_FUNCTION() { RLock(); }
  bool try_lock_shared() ABSL_SHARED_TRYLOCK_FUNCTION(true) { return TryRLock(); }
  void unlock_shared() ABSL_UNLOCK_FUNCTION() { RUnlock(); }

 private:
  friend class ReadLocker;
  static constexpr int32_t kMaxReaders = 1 << 30;

  void RLockSlow();
  void RUnlockSlow(int32_t before);

  std::atomic<int32_t> readers_{0};
  std::atomic<int32_t> draining_{0};
  internal::Sema reader_sema_;
  internal::Sema writer_sema_;
  Mutex writer_;  // held by the writer that has the lock, or waits for readers to leave
};

inline void ReadLocker::Lock() ABSL_NO_THREAD_SAFETY_ANALYSIS {
  static_cast<RWMutex*>(this)->RLock();
}
inline void ReadLocker::Unlock() ABSL_NO_THREAD_SAFETY_ANALYSIS {
  static_cast<RWMutex*>(this)->RUnlock();
}

// Hold an RWMutex for a scope.
class ABSL_SCOPED_LOCKABLE ReaderLock {
 public:
  explicit ReaderLock(RWMutex* mu) ABSL_SHARED_LOCK_FUNCTION(mu) : mu_(mu) { mu_->RLock(); }
  ~ReaderLock() ABSL_UNLOCK_FUNCTION() { mu_->RUnlock(); }
  ReaderLock(const ReaderLock&) = delete;
  ReaderLock& operator=(const ReaderLock&) = delete;

 private:
  RWMutex* const mu_;
};

class ABSL_SCOPED_LOCKABLE WriterLock {
 public:
  explicit WriterLock(RWMutex* mu) ABSL_EXCLUSIVE_LOCK_FUNCTION(mu) : mu_(mu) { mu_->Lock(); }
  ~WriterLock() ABSL_UNLOCK_FUNCTION() { mu_->Unlock(); }
  WriterLock(const WriterLock&) = delete;
  WriterLock& operator=(const WriterLock&) = delete;

 private:
  RWMutex* const mu_;
};

}  // namespace gyre

#endif  // GYRE_SYNC_RWMUTEX_H_
