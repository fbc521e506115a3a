// Following a chain of frame pointers (gyre is built with -fno-omit-frame-pointer): the walk of signal handlers and of
// profiles, which must not take a lock or allocate.
#ifndef GYRE_RUNTIME_FRAME_WALK_H_
#define GYRE_RUNTIME_FRAME_WALK_H_

#include <cstdint>

namespace gyre::internal {

// A piece of memory that may be read, [low, high).
struct StackRange {
  uintptr_t low = 0;
  uintptr_t high = 0;
  bool Holds(uintptr_t address, uintptr_t bytes) const {
    return address >= low && address < high && high - address >= bytes;
  }
};

// Appends the return addresses above the frame at `frame` to frames[count..max), innermost first; returns the new
// count. Every frame lies above the one before it, within `range`; the walk ends where one does not. Async-signal-safe.
inline int WalkFrames(uintptr_t frame, StackRange range, void** frames, int count, int max) {
  while (count < max && frame % 8 == 0 && range.Holds(frame, 16)) {
    const auto* words = reinterpret_cast<const uintptr_t*>(frame);
    if (words[1] == 0) break;
    frames[count++] = reinterpret_cast<void*>(words[1]);
    range.low = frame + 8;
    frame = words[0];
  }
  return count;
}

}  // namespace gyre::internal

#endif  // GYRE_RUNTIME_FRAME_WALK_H_
