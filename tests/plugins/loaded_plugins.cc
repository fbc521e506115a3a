// A shared object with plug-ins: a scheduler and a wrapper. Built a second time as if against another version of the
// plug-in interface.
#include "tests/plugins/fake_plugins.h"

GYRE_REGISTER_SCHEDULER("loaded", gyre::FakeScheduler, "from a shared object", gyre::FakeScheduler::Limit(),
                        gyre::ChoiceOption("steal", {"half", "one"}, "half", "not used"));
GYRE_REGISTER_SCHEDULER_WRAPPER("loaded-around", gyre::FakeWrapper, "holds another", gyre::FakeWrapper::Depth());
