// GYRE_DEBUG=schedtrace=MS,scheddetail=1: every MS milliseconds the monitor prints Go's line about the scheduler to
// standard error, and with scheddetail one for each processor, machine and goroutine.
//
//   SCHED 1000ms: gomaxprocs=2 idleprocs=0 threads=5 spinningthreads=0 idlethreads=1 runqueue=3 [4 0]
//
// runqueue is the queue that all processors share, in brackets are those of each processor: what the scheduling policy
// says of itself (SchedulerPolicy::DumpState). Machines that hold no processor, or sleep with one, are idle threads.
#ifndef GYRE_RUNTIME_TRACE_SCHED_TRACE_H_
#define GYRE_RUNTIME_TRACE_SCHED_TRACE_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "plugins/task.h"

namespace gyre::internal {

struct SchedTrace {
  Nanos every = 0;  // 0: never
  bool detail = false;
  Nanos begin = 0;  // of the runtime
  Nanos next = 0;   // when to print

  // "schedtrace=1000,scheddetail=1". An error says what is valid.
  static absl::StatusOr<SchedTrace> Parse(absl::string_view text);
  static absl::StatusOr<SchedTrace> FromEnvironment();  // an error names the variable
};

}  // namespace gyre::internal

#endif  // GYRE_RUNTIME_TRACE_SCHED_TRACE_H_
