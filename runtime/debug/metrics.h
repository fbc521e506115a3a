// The runtimes' counts in Prometheus' text form, with the names that Go's client gives to those of runtime/metrics
// ("/sched/goroutines:goroutines" is gyre_sched_goroutines_goroutines here), and counts of gyre's own.
#ifndef GYRE_RUNTIME_DEBUG_METRICS_H_
#define GYRE_RUNTIME_DEBUG_METRICS_H_

#include <string>

namespace gyre::internal {

// Of all runtimes in the process, added up. Nothing is stopped for it.
std::string MetricsText();

}  // namespace gyre::internal

#endif  // GYRE_RUNTIME_DEBUG_METRICS_H_
