// The runtimes that run in this process: from Run until the main goroutine has ended.
#ifndef GYRE_RUNTIME_LIVE_CORES_H_
#define GYRE_RUNTIME_LIVE_CORES_H_

#include "absl/functional/function_ref.h"

namespace gyre::internal {

class Core;

void AddLiveCore(Core* core);
void RemoveLiveCore(Core* core);

// The one that was made first, null if there is none.
Core* SomeLiveCore();

// With the list locked: `visit` must not make or end a runtime.
void ForEachLiveCore(absl::FunctionRef<void(Core*)> visit);

}  // namespace gyre::internal

#endif  // GYRE_RUNTIME_LIVE_CORES_H_
