// What `lab top` shows: two readings of a program's metrics as text.
#ifndef GYRE_LAB_TOP_VIEW_H_
#define GYRE_LAB_TOP_VIEW_H_

#include <string>

#include "lab/metrics_client.h"

namespace gyre::lab {

// `before` was read `seconds` earlier; empty: this is the first reading, and there are no rates.
std::string TopView(const std::string& title, const Metrics& before, const Metrics& now, double seconds);

// The time within which the share `quantile` of goroutines that ran between the readings came to run, in nanoseconds:
// the upper end of the bucket that it falls into. Negative: nobody did, or times are not kept.
double LatencyQuantile(const Metrics& before, const Metrics& now, double quantile);

}  // namespace gyre::lab

#endif  // GYRE_LAB_TOP_VIEW_H_
