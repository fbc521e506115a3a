// A shared object with a scheduler that could be registered and another whose name is taken. Its data has a symbol of
// the kind that is unique in a process, because of which the loader cannot unload it again.
#include "tests/plugins/fake_plugins.h"

inline int& Visits() {
  static int visits = 0;
  return visits;
}

class VisitingScheduler : public gyre::FakeScheduler {
 public:
  VisitingScheduler() { ++Visits(); }
};

GYRE_REGISTER_SCHEDULER("not-taken", VisitingScheduler, "a name of its own", gyre::FakeScheduler::Limit());
GYRE_REGISTER_SCHEDULER("present", VisitingScheduler, "the test has one of that name", gyre::FakeScheduler::Limit());
