#ifndef GYRE_RUNTIME_UNWIND_H_
#define GYRE_RUNTIME_UNWIND_H_

namespace gyre::internal {

// In the handler of a goroutine's bottom frame, which catches everything: goes on with what is no exception, namely
// Goexit's unwinding, and ends the process because of what is.
[[noreturn]] void EndedByThrowing();

}  // namespace gyre::internal

#endif  // GYRE_RUNTIME_UNWIND_H_
