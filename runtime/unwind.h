// How a goroutine's function ends: by return, by Goexit, or by an exception that nobody caught.
#ifndef GYRE_RUNTIME_UNWIND_H_
#define GYRE_RUNTIME_UNWIND_H_

#include "runtime/goroutine.h"

namespace gyre::internal {

// Runs the goroutine's closure and ends the goroutine. Called by its bottom frame.
[[noreturn]] void RunToEnd(G* self);

}  // namespace gyre::internal

#endif  // GYRE_RUNTIME_UNWIND_H_
