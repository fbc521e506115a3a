// The plain schedule: a goroutine runs until it blocks, yields or ends, and then the one that has been runnable for
// longest. There is one such run.
#include "plugins/registry.h"
#include "plugins/strategies/follow.h"

namespace gyre {
namespace {

class Fifo final : public strategies::Follow {};

}  // namespace
}  // namespace gyre

GYRE_REGISTER_STRATEGY("fifo", gyre::Fifo,
                       "the plain schedule: no preemption, in the order in which they became runnable");
