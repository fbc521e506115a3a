// Asks a program's debug server (--debug_http) for its metrics.
#ifndef GYRE_LAB_METRICS_CLIENT_H_
#define GYRE_LAB_METRICS_CLIENT_H_

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace gyre::lab {

// By name with labels, as they stand in the text: "gyre_sched_policy{proc=\"0\",name=\"queue\"}".
using Metrics = std::map<std::string, double>;

// Prometheus' text form; lines that are none are left out.
Metrics ParseMetrics(absl::string_view text);

// The body of http://ADDRESS/PATH. Errors: the address is none; nobody answers within two seconds; the answer is not
// 200.
absl::StatusOr<std::string> Fetch(const std::string& address, const std::string& path);

}  // namespace gyre::lab

#endif  // GYRE_LAB_METRICS_CLIENT_H_
