// A shared object that calls a function which is nowhere.
#include "tests/plugins/fake_plugins.h"

void FunctionThatIsNowhere();

class UnresolvedScheduler : public gyre::FakeScheduler {
 public:
  UnresolvedScheduler() { FunctionThatIsNowhere(); }
};

GYRE_REGISTER_SCHEDULER("unresolved", UnresolvedScheduler, "", gyre::FakeScheduler::Limit());
