// Semaphore::Acquire with a context.
//
//   gyre::Error err = memory.Acquire(ctx, size);
//   if (err != nullptr) return err;                  // ctx ended first; nothing is taken
//   ...
//   memory.Release(size);
//
// It stands here and not beside Semaphore because sync/ knows no contexts.
#ifndef GYRE_CONTEXT_SEMAPHORE_H_
#define GYRE_CONTEXT_SEMAPHORE_H_

#include <cstdint>

#include "context/context.h"
#include "context/error.h"
#include "sync/semaphore.h"

namespace gyre {

// What Semaphore::Acquire(ctx, n) calls. Fails, with the context's error, also where there are units, if ctx has ended.
Error AcquireUntilDone(const context::Context& ctx, Semaphore& semaphore, int64_t n);

}  // namespace gyre

#endif  // GYRE_CONTEXT_SEMAPHORE_H_
