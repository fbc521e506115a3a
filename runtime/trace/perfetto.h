// A trace as JSON in Chrome's trace-event format, which Perfetto (ui.perfetto.dev) and chrome://tracing open.
//
// There is a track for each processor, with the goroutines that it ran, and one for each goroutine, with its states:
// running, runnable, and what it waited for. An arrow goes from who woke a goroutine (or made it) to where that began
// to run. Tasks and regions are slices of their own, logs are instants on their goroutine's track, and two counters say
// how many goroutines run and how many could.
#ifndef GYRE_RUNTIME_TRACE_PERFETTO_H_
#define GYRE_RUNTIME_TRACE_PERFETTO_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "runtime/trace/reader.h"

namespace gyre::trace {

// `trace` has been checked (CheckTrace).
std::string ToPerfettoJson(const Trace& trace);

// Reads, checks and converts.
absl::StatusOr<std::string> PerfettoJsonOf(absl::string_view bytes);

}  // namespace gyre::trace

#endif  // GYRE_RUNTIME_TRACE_PERFETTO_H_
