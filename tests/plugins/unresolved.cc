// A shared object that calls a function of gyre's which is nowhere.
#include "tests/plugins/fake_plugins.h"

namespace gyre {
void FunctionThatIsNowhere();
}  // namespace gyre

class UnresolvedScheduler : public gyre::FakeScheduler {
 public:
  UnresolvedScheduler() { gyre::FunctionThatIsNowhere(); }
};

GYRE_REGISTER_SCHEDULER("unresolved", UnresolvedScheduler, "", gyre::FakeScheduler::Limit());
