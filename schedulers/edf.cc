// Earliest deadline first (Liu and Layland, 1973): deadlines come from a goroutine's context or its GoOptions. Those
// without one run after all that have one, in the order in which they became runnable, as do equals.
//
// A goroutine that yields expects others to run, and may wait for one that has no deadline: until it is picked again it
// waits among those without a deadline. One that is preempted keeps its deadline.
#include <cstdint>

#include "plugins/registry.h"
#include "schedulers/ranked_policy.h"

namespace gyre {
namespace {

struct ByDeadline {
  static int64_t Queued(const Task& t, EnqueueReason why) {
    return why == EnqueueReason::kYielded ? kNever : t.deadline;
  }
  static int64_t Running(const Task& t) { return t.deadline; }
};

class EdfPolicy final : public schedulers::RankedPolicy<ByDeadline> {};

}  // namespace
}  // namespace gyre

GYRE_REGISTER_SCHEDULER("edf", gyre::EdfPolicy, "earliest deadline first, those without a deadline last",
                        gyre::BoolOption("preempt", true,
                                         "a goroutine that becomes runnable preempts one of later deadline"),
                        gyre::IntOption("rescue", 16, 0, 1 << 20,
                                        "a preempted goroutine that was passed over for so many picks runs for a "
                                        "moment, as it may hold a lock; 0: never"));
