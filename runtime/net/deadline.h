// From the wall clock, on which callers name their deadlines, to the monotonic one, on which they are kept.
#ifndef GYRE_RUNTIME_NET_DEADLINE_H_
#define GYRE_RUNTIME_NET_DEADLINE_H_

#include "absl/time/time.h"
#include "plugins/task.h"
#include "runtime/go.h"

namespace gyre::net::internal {

// absl::InfiniteFuture() is kNever; the infinite past, and what overflows, the beginning of time.
inline Nanos OnMonotonicClock(absl::Time deadline) {
  if (deadline == absl::InfiniteFuture()) return kNever;
  Nanos when;
  const Nanos left = absl::ToInt64Nanoseconds(deadline - Now());  // saturates
  if (__builtin_add_overflow(NowNanos(), left, &when)) return left > 0 ? kNever : 0;
  return when < 0 ? 0 : when;
}

}  // namespace gyre::net::internal

#endif  // GYRE_RUNTIME_NET_DEADLINE_H_
