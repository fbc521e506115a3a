// What the leak finder found, for profiles (leak_check.h has it as text).
#ifndef GYRE_RUNTIME_DEBUG_LEAK_RECORDS_H_
#define GYRE_RUNTIME_DEBUG_LEAK_RECORDS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/debug/snapshot.h"

namespace gyre::internal {

struct LeakRecord {
  GoroutineRecord goroutine;
  bool certain;
  std::string why;
};

// By goroutine. On a thread's own stack, not a goroutine's.
absl::StatusOr<std::vector<LeakRecord>> FindLeakRecords(bool with_suspects);

}  // namespace gyre::internal

#endif  // GYRE_RUNTIME_DEBUG_LEAK_RECORDS_H_
