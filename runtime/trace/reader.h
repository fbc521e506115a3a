// Reads a trace in the Go format v1, ours or Go's (1.11 to 1.19).
//
// The text may be anything: what is not a whole trace gives an error that says where and why, after time and memory in
// proportion to its length. That the events make sense together is the checker's business (checker.h).
#ifndef GYRE_RUNTIME_TRACE_READER_H_
#define GYRE_RUNTIME_TRACE_READER_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "runtime/trace/events.h"

namespace gyre::trace {

struct Event {
  EventType type = EventType::kNone;
  int32_t processor = -1;  // where it happened; -1: on none
  uint64_t goroutine = 0;  // whose event it is; 0: a scheduler's
  uint64_t ticks = 0;      // as in the file; nanoseconds since the first event, once the trace is checked
  uint64_t arguments[3] = {0, 0, 0};
  uint64_t stack = 0;  // 0: none
  uint32_t text = 0;   // kUserLog: its place in Trace::messages
  size_t offset = 0;   // in the file
};

struct Frame {
  uint64_t counter = 0;   // one for each place in the code
  uint64_t function = 0;  // } strings
  uint64_t file = 0;      // }
  uint64_t line = 0;
};

struct Trace {
  uint64_t ticks_per_second = 0;
  std::vector<Event> events;  // of each processor in order; of all of them, once the trace is checked
  std::unordered_map<uint64_t, std::string> strings;
  std::unordered_map<uint64_t, std::vector<Frame>> stacks;  // innermost first
  std::vector<std::string> messages;

  // "" for an id that the file does not explain.
  const std::string& String(uint64_t id) const;
  // The function of the innermost frame, "" where there is none.
  const std::string& Function(uint64_t stack) const;
};

absl::StatusOr<Trace> ReadTrace(absl::string_view bytes);

}  // namespace gyre::trace

#endif  // GYRE_RUNTIME_TRACE_READER_H_
