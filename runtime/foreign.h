// Threads that are not gyre's: each gets a stand-in goroutine at its first use of a channel or a lock, so that the layers
// above need not tell the two apart. Such a thread blocks in the kernel where a goroutine would park.
#ifndef GYRE_RUNTIME_FOREIGN_H_
#define GYRE_RUNTIME_FOREIGN_H_

#include "plugins/proc_context.h"
#include "runtime/goroutine.h"

namespace gyre::internal {

// The calling foreign thread's stand-in. Lives as long as the thread.
G* ForeignStandIn();
ProcContext& ForeignContext();

void ParkForeignThread(G* stand_in);
void WakeForeignThread(G* stand_in);
void YieldForeignThread();
void SleepForeignThread(Nanos duration);
Nanos ForeignNow();

}  // namespace gyre::internal

#endif  // GYRE_RUNTIME_FOREIGN_H_
