// Says whether a trace is a possible story, and puts its events in one order.
//
// Each processor's events are in order in the file; those of different processors are not. A goroutine's events carry
// numbers that say in which order they happened, wherever that was. Events are merged so that each follows from those
// before, the earliest first (the rules are those of Go's reader), and on the way these are checked:
//
//  1. Every event is legal in its goroutine's state: one that is made did not exist, one that starts was runnable, one
//  that
//     blocks, yields or ends was running, one that is readied was waiting. So each park is ended by exactly one ready.
//  2. A goroutine runs on one processor at a time, and a processor runs one goroutine at a time, and only while it is
//     started. What happens on a processor is done by the goroutine that runs there, or by its scheduler.
//  3. Times do not go backwards: a wake-up is not after what it has woken.
//  4. Regions nest in a goroutine; a task begins once, and ends after that.
#ifndef GYRE_RUNTIME_TRACE_CHECKER_H_
#define GYRE_RUNTIME_TRACE_CHECKER_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "runtime/trace/reader.h"

namespace gyre::trace {

struct Summary {
  uint64_t events = 0;
  uint64_t goroutines = 0;  // that there were
  uint64_t ended = 0;
  uint64_t starts = 0;          // times one began to run
  uint64_t parks = 0;           // times one began to wait
  uint64_t readies = 0;         // waits that were ended
  uint64_t waiting_at_end = 0;  // parks without a ready: goroutines that still wait
  uint64_t processors = 0;      // that ran something
  uint64_t nanoseconds = 0;     // from the first event to the last
};

// Orders trace->events, and makes their times nanoseconds since the first. An error says which event is impossible and
// why; the trace is then to be thrown away.
absl::StatusOr<Summary> CheckTrace(Trace* trace);

// Reads and checks.
absl::StatusOr<Summary> CheckTraceBytes(absl::string_view bytes);

}  // namespace gyre::trace

#endif  // GYRE_RUNTIME_TRACE_CHECKER_H_
