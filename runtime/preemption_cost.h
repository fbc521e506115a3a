// What one preemption takes on this machine.
#ifndef GYRE_RUNTIME_PREEMPTION_COST_H_
#define GYRE_RUNTIME_PREEMPTION_COST_H_

#include "plugins/preemption.h"

namespace gyre::internal {

// Nanoseconds. Measured at the first call for each: some milliseconds. The least of many tries, for what others do to this
// machine meanwhile is not the preemption's.
Nanos CostOfPreemption(PreemptionMeans means);

}  // namespace gyre::internal

#endif  // GYRE_RUNTIME_PREEMPTION_COST_H_
