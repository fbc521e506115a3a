// A shared object that several threads load at once.
#include "tests/plugins/fake_plugins.h"

GYRE_REGISTER_SCHEDULER("raced-for", gyre::FakeScheduler, "by whichever thread comes first",
                        gyre::FakeScheduler::Limit());
