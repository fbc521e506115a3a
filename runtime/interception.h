// Whether blocking C functions park goroutines (--intercept=on): the switch between the runtime and
// //runtime/intercept, which replaces those functions in programs that are linked with it.
#ifndef GYRE_RUNTIME_INTERCEPTION_H_
#define GYRE_RUNTIME_INTERCEPTION_H_

#include <atomic>

namespace gyre::internal {

// How many runtimes that run want it. All that the functions look at where nobody does.
extern std::atomic<int> interceptions;

// Set before main begins, where the functions are linked in.
extern bool interception_linked;

// Whether the calling thread runs a goroutine, with a processor, of a runtime that wants it.
bool InterceptHere();

}  // namespace gyre::internal

#endif  // GYRE_RUNTIME_INTERCEPTION_H_
