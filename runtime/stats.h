// What a runtime has done so far.
#ifndef GYRE_RUNTIME_STATS_H_
#define GYRE_RUNTIME_STATS_H_

#include <cstdint>

#include "plugins/scheduler.h"
#include "plugins/stack.h"

namespace gyre {

struct RuntimeStats {
  uint64_t spawned = 0;      // goroutines made
  uint64_t exited = 0;
  uint64_t switches = 0;     // times a goroutine was given a processor
  uint64_t parks = 0;        // times a goroutine began to wait
  uint64_t readies = 0;      // times one was made runnable again
  uint64_t wakeups = 0;      // times a sleeping processor was woken for work
  uint64_t preemptions = 0;  // slices that ended while their goroutine computed
  uint64_t preempted_in_place = 0;  // goroutines that kept their thread when theirs did (klt)
  uint64_t preempted_by_call = 0;   // goroutines that were made to call the scheduler (signal)
  uint64_t retakes = 0;      // processors taken from blocking calls that lasted
  uint64_t monitor_looks = 0;
  uint64_t events = 0;       // of the simulator: goroutines dispatched, processors woken, deadlines, slices ended
  uint64_t trace_hash = 0;   // over those events, with their times, processors and goroutines
  PolicyStats policy;
  StackStats stacks;
};

}  // namespace gyre

#endif  // GYRE_RUNTIME_STATS_H_
