#include "sync/rwmutex.h"

#include "runtime/panic.h"
#include "runtime/park.h"

namespace gyre {

void RWMutex::RLockSlow() {
  // Counted already: the writer will give us a token.
  reader_sema_.Acquire(WaitReason::kRWMutexRLock, this);
}

void RWMutex::RUnlockSlow(int32_t before) {
  // 0 readers, without and with a writer.
  if (before == 0 || before == -kMaxReaders) Fatal("sync: RUnlock of unlocked RWMutex");
  // A writer waits. Acquire and release: the last reader to leave passes on what all of them did.
  if (draining_.fetch_sub(1, std::memory_order_acq_rel) == 1) writer_sema_.Release();
}

void RWMutex::Lock() ABSL_NO_THREAD_SAFETY_ANALYSIS {
  writer_.Lock();
  // From here on readers wait. Acquire: those who have left, by this same word, left before what this writer does.
  const int32_t inside = readers_.fetch_sub(kMaxReaders, std::memory_order_acquire);
  if (inside == 0) return;
  internal::CheckPreempt();
  if (draining_.fetch_add(inside, std::memory_order_acq_rel) + inside != 0) {
    writer_sema_.Acquire(WaitReason::kRWMutexLock, this);
  }
}

bool RWMutex::TryLock() ABSL_NO_THREAD_SAFETY_ANALYSIS {
  if (!writer_.TryLock()) return false;
  int32_t expected = 0;
  if (!readers_.compare_exchange_strong(expected, -kMaxReaders, std::memory_order_acquire, std::memory_order_relaxed)) {
    writer_.Unlock();
    return false;
  }
  return true;
}

void RWMutex::Unlock() ABSL_NO_THREAD_SAFETY_ANALYSIS {
  // Release: readers who come now see what this writer did.
  const int32_t waiting = readers_.fetch_add(kMaxReaders, std::memory_order_release) + kMaxReaders;
  if (waiting >= kMaxReaders) Fatal("sync: Unlock of unlocked RWMutex");
  if (waiting > 0) reader_sema_.Release(static_cast<uint32_t>(waiting));
  writer_.Unlock();
}

}  // namespace gyre
