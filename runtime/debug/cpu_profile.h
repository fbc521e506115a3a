// The CPU profiler: a timer on each thread's CPU clock (timer_create with SIGEV_THREAD_ID), whose signal's handler
// walks the frame pointers of whatever runs there, a goroutine's stack mostly, and puts what it found into a ring. A
// thread of the profiler's own empties the ring and gives timers to threads that are new. One profile at a time.
#ifndef GYRE_RUNTIME_DEBUG_CPU_PROFILE_H_
#define GYRE_RUNTIME_DEBUG_CPU_PROFILE_H_

#include <string>

#include "absl/status/status.h"

namespace gyre::internal {

absl::Status StartCpuProfile(int hz);
std::string StopCpuProfile();

}  // namespace gyre::internal

#endif  // GYRE_RUNTIME_DEBUG_CPU_PROFILE_H_
