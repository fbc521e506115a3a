// A shared object that takes a name from itself.
#include "tests/plugins/fake_plugins.h"

GYRE_REGISTER_SCHEDULER("twin", gyre::FakeScheduler, "the first", gyre::FakeScheduler::Limit());
GYRE_REGISTER_SCHEDULER("twin", gyre::FakeScheduler, "the second", gyre::FakeScheduler::Limit());
