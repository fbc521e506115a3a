// A segment of a goroutine's stack, as the allocator `segmented` (segmented.h) and the assembly in morestack.S see it.
//
//   low                limit                                              Segment        + 64
//   |  slack           |  frames, from the upper end down                  |  this header  |
//
// Code compiled with -fsplit-stack compares its stack pointer with the word at %fs:0x70 when a function begins, and
// calls
// __morestack if it is below. That word is the limit of the segment that the thread runs on; 0 on every other stack, so
// that the comparison never fails there. Below the limit is slack for functions whose frame is smaller than 256 bytes,
// which compare without subtracting it, for the red zone of a leaf function that does not compare at all, and for what
// __morestack itself pushes.
//
// A limit is a multiple of 64, and its lower six bits say the logarithm of the segment's size: that is how __morestack
// finds the header, which stands at the upper end so that it shares a page with the frames.
#ifndef GYRE_STACKS_SEGMENT_H_
#define GYRE_STACKS_SEGMENT_H_

// For morestack.S too.
#define GYRE_SEGMENT_NEXT 0
#define GYRE_SEGMENT_LIMIT 8
#define GYRE_SEGMENT_ROOM 16
#define GYRE_SEGMENT_ENTERED 24
#define GYRE_SEGMENT_SLACK 512
// What code that was not compiled with -fsplit-stack may use without asking.
#define GYRE_SEGMENT_LIBRARY 0x8000
// What the search for the next segment runs on.
#define GYRE_SEGMENT_SCRATCH 8192

#ifndef __ASSEMBLER__

#include <bit>
#include <cstddef>
#include <cstdint>

namespace gyre::stacks {

class SegmentedStacks;

struct alignas(64) Segment {
  static constexpr size_t kSlack = GYRE_SEGMENT_SLACK;
  static constexpr size_t kLibrary = GYRE_SEGMENT_LIBRARY;

  Segment* next;      // entered at this one's edge; stays linked when it is left, so that an edge costs little
  uint64_t limit;     // the word at %fs:0x70 while the goroutine is on it
  uint64_t room;      // bytes between the limit and this header
  uint64_t entered;   // times that the edge to it was crossed
  Segment* previous;  // null for a goroutine's first
  SegmentedStacks* owner;
  void* home;     // a first one's: the chunk that it is part of
  uint64_t slot;  // any other's: its slot in the stack pool

  char* top() { return reinterpret_cast<char*>(this); }
  size_t size() const { return size_t{1} << (limit & 63); }
  char* low() { return top() - size(); }

  // `size` is a power of two.
  void SetSize(size_t size) {
    const uint64_t low = reinterpret_cast<uintptr_t>(this) - size;
    limit = (low + kSlack) | static_cast<uint64_t>(std::countr_zero(size));
    room = size - kSlack;
  }
  static Segment* OfLimit(uint64_t limit) {
    return reinterpret_cast<Segment*>((limit & ~uint64_t{63}) - kSlack + (uint64_t{1} << (limit & 63)));
  }
};
static_assert(sizeof(Segment) == 64);
static_assert(offsetof(Segment, next) == GYRE_SEGMENT_NEXT && offsetof(Segment, limit) == GYRE_SEGMENT_LIMIT &&
              offsetof(Segment, room) == GYRE_SEGMENT_ROOM && offsetof(Segment, entered) == GYRE_SEGMENT_ENTERED);

}  // namespace gyre::stacks

#endif  // __ASSEMBLER__
#endif  // GYRE_STACKS_SEGMENT_H_
