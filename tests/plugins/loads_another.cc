// A shared object that loads another while it is being loaded, and shows in its help text what came of that.
#include "tests/plugins/fake_plugins.h"

GYRE_REGISTER_SCHEDULER("nested", gyre::FakeScheduler,
                        std::string(gyre::LoadPluginLibrary("tests/plugins/no_plugin.so").message()),
                        gyre::FakeScheduler::Limit());
