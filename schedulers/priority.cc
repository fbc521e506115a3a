// Strict priorities: the runnable goroutine of the highest priority runs first; equals run in the order in which they
// became runnable.
//
// A goroutine that yields or whose slice ended goes behind its equals, as POSIX's SCHED_RR has it, and before all of
// lower priority: one that spins on Yield and waits for a lower one waits for ever if there is no other processor.
#include <cstdint>

#include "plugins/registry.h"
#include "schedulers/ranked_policy.h"

namespace gyre {
namespace {

struct ByPriority {
  static int64_t Queued(const Task& t, EnqueueReason) { return -int64_t{t.priority}; }
  static int64_t Running(const Task& t) { return -int64_t{t.priority}; }
};

class PriorityPolicy final : public schedulers::RankedPolicy<ByPriority> {};

}  // namespace
}  // namespace gyre

GYRE_REGISTER_SCHEDULER("priority", gyre::PriorityPolicy, "strict priorities, FIFO among equals",
                        gyre::BoolOption("preempt", true,
                                         "a goroutine that becomes runnable preempts one of lower priority"),
                        gyre::IntOption("rescue", 16, 0, 1 << 20,
                                        "a preempted goroutine that was passed over for so many picks runs for a "
                                        "moment, as it may hold a lock; 0: never"));
