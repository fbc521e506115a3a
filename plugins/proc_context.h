// Time, randomness and identity, as a plug-in gets them: through this argument and from nowhere else. That is what lets
// one plug-in object run on real threads and, unchanged and repeatably, in the simulator.
#ifndef GYRE_PLUGINS_PROC_CONTEXT_H_
#define GYRE_PLUGINS_PROC_CONTEXT_H_

#include <cstdint>

#include "plugins/task.h"

namespace gyre {

// One per processor, real or virtual, and one per foreign thread (whose `id` is kNoProc). Used by one thread at a time.
struct ProcContext {
  ProcId id = kNoProc;
  uint32_t tick = 0;  // counts the picks on this processor; wraps
  Nanos now = 0;      // the time of this call, where PolicyTraits::wants_times; else of some earlier moment
  uint64_t state = 0x9e3779b97f4a7c15;

  // 64 uniform bits. (The generator is Marsaglia's xorshift64 with Vigna's multiplication, 2014.)
  uint64_t Random() {
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 0x2545f4914f6cdd1d;
  }

  // Uniform in [0, n); n must not be 0. (Lemire's multiplication, 2019; the bias is below n / 2^32.)
  uint32_t Below(uint32_t n) { return static_cast<uint32_t>(((Random() >> 32) * n) >> 32); }
};

}  // namespace gyre

#endif  // GYRE_PLUGINS_PROC_CONTEXT_H_
