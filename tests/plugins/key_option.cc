// A shared object whose scheduler has an option that the configuration would take for its own.
#include "tests/plugins/fake_plugins.h"

GYRE_REGISTER_SCHEDULER("greedy", gyre::FakeScheduler, "", gyre::FakeScheduler::Limit(),
                        gyre::IntOption("procs", 1, 1, 9, "not allowed"));
