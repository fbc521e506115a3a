// gyre::DumpState: what all goroutines do, and how often they have done what, as text.
#ifndef GYRE_RUNTIME_DUMP_STATE_H_
#define GYRE_RUNTIME_DUMP_STATE_H_

#include <string>

namespace gyre {

// How many goroutines are in each state, how often each change of state has happened, and every goroutine as a panic, a
// deadlock or SIGQUIT prints it. Of the calling goroutine's runtime; on a foreign thread, of all. The program runs on
// meanwhile: what is said of goroutines that run is approximate.
std::string DumpState();

namespace internal {

// SIGQUIT (Ctrl-\) prints that and ends the process with exit code 2, as in Go. The handler only asks; the monitor does
// it, so it works whatever the threads hold. A second SIGQUIT ends the process as the system does. For gyre::Main.
class Core;
void DumpOnQuitSignal();
// The runtime whose monitor is woken for it; null: there is none.
void SetQuitRuntime(Core* core);
// The monitor's: does not return if SIGQUIT has come.
void DieIfQuit();

}  // namespace internal
}  // namespace gyre

#endif  // GYRE_RUNTIME_DUMP_STATE_H_
