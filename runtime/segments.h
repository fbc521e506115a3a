// Goroutines on stacks that consist of segments (StackTraits::needs_switch_hooks): how they begin and end. The first
// segment has little room, so whatever does not ask for more itself runs on a larger one.
#ifndef GYRE_RUNTIME_SEGMENTS_H_
#define GYRE_RUNTIME_SEGMENTS_H_

#include "runtime/goroutine.h"

namespace gyre::internal {

// Runs the goroutine's closure and ends the goroutine. Called by its bottom frame, which has not left its no-preemption
// region.
[[noreturn]] void RunOnSegments(G* self);

// An exception that nobody catches has no handler at the bottom of such a stack, for there would be no room for it: it
// is reported where it is thrown, by std::terminate's handler.
void InstallTerminateHandler();

}  // namespace gyre::internal

#endif  // GYRE_RUNTIME_SEGMENTS_H_
