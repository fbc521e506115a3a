// The kernel's wait-on-address, for the threads engine, RawLock and foreign threads.
#ifndef GYRE_RUNTIME_FUTEX_H_
#define GYRE_RUNTIME_FUTEX_H_

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>

#include "plugins/task.h"

namespace gyre::internal {

// Sleeps while `word` holds `expected`; wakes at `deadline` (CLOCK_MONOTONIC) at the latest, and at times for no reason.
inline void FutexWait(std::atomic<uint32_t>& word, uint32_t expected, Nanos deadline = kNever) {
  timespec until{deadline / 1'000'000'000, deadline % 1'000'000'000};
  // The bitset form takes an absolute time.
  syscall(SYS_futex, &word, FUTEX_WAIT_BITSET_PRIVATE, expected, deadline == kNever ? nullptr : &until, nullptr,
          FUTEX_BITSET_MATCH_ANY);
}

inline void FutexWake(std::atomic<uint32_t>& word, int count) {
  syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, count, nullptr, nullptr, 0);
}

inline Nanos MonotonicClock() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * Nanos{1'000'000'000} + now.tv_nsec;
}

}  // namespace gyre::internal

#endif  // GYRE_RUNTIME_FUTEX_H_
