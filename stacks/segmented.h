// `segmented`: linked segments, as Go had them before 1.4 and GCC makes them with -fsplit-stack. A goroutine begins
// with 2 KiB; a function that does not fit calls __morestack (morestack.S), which runs it on the next segment and comes
// back to this one when it returns. It is there to be measured against the others: a loop at the edge of a segment pays
// for two switches of segments at each call, the "hot split" that made Go give segments up.
//
// Only code compiled with -fsplit-stack asks for room (copts = SPLIT_STACK_COPTS, tools/split_stack.bzl). Any other
// code that it calls, the runtime's and libraries', runs where there are 32 KiB left: the linker sees to that, if it is
// gold, by making functions of the first kind that call functions of the second call __morestack_non_split. A goroutine
// whose first function is of the second kind begins on a large segment. Start finds out whether compiler and linker did
// their part, and says so if not.
//
// The first segment comes from FirstSegments, or is a slot of the stack pool where more was asked for. All others are
// slots of the pool: 64 KiB (`segment`) or what a frame needs, twice the size of the one before up to 1 MiB, with a
// guard below, committed as they are touched. A goroutine keeps its next segment linked when it returns from it, so
// that an edge costs little; the monitor takes it away while the goroutine is parked, and a processor keeps the
// segments of goroutines that ended, one behind each first one.
//
// In the same program code compiled with -fsplit-stack runs on the other allocators' stacks too. The limit word is 0
// there: no comparison fails.
//
// Limits: a signal handler without SA_ONSTACK would run on a goroutine's 2 KiB (as with Go's own stacks; gyre's
// handlers have it). Sanitizers and Valgrind do not know about segments: Start refuses.
//
// Invariants
//  1. The segments of a goroutine are linked both ways from its first, whose header is at Stack::top. `next` beyond the
//  one that
//     it runs on are spare.
//  2. They are changed by the goroutine itself (Extend), or by the monitor while it is parked and claimed (Shrink), or
//  by whoever
//     frees its stack: never two at once.
//  3. Extend runs with all signals blocked: a goroutine that was preempted with the pool's lock held would block those
//     who must not be preempted.
#ifndef GYRE_STACKS_SEGMENTED_H_
#define GYRE_STACKS_SEGMENTED_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "stacks/first_segments.h"
#include "stacks/segment.h"
#include "stacks/slot_stacks.h"

namespace gyre::stacks {

class SegmentedStacks final : public SlotStacks {
 public:
  explicit SegmentedStacks(OsMemory* os = nullptr) : SlotStacks(os) {}

  absl::Status Start(int procs, const PluginOptions& options) override;
  Stack Allocate(ProcContext& p, size_t min) override;
  void Free(ProcContext& p, Stack stack) override;
  FaultAction OnFault(Stack& stack, uintptr_t address) noexcept override;
  bool Holds(const Stack& stack, uintptr_t address) const noexcept override;
  size_t LimitAt(const Stack& stack, uintptr_t address) const noexcept override;
  bool MayBegin(void (*run)(void*)) const override;
  void CallWithRoom(void (*f)(void*), void* argument) override;
  size_t Shrink(Stack& stack, uintptr_t sp) override;
  size_t Trim(size_t keep, size_t most) override;
  void ForEach(absl::FunctionRef<void(const Stack&)> visit) override;
  uint64_t ForSome(uint64_t place, size_t most, absl::FunctionRef<void(const Stack&)> visit) override;
  StackStats Stats() const override;
  StackTraits traits() const override;

  // For __morestack: the goroutine on segment `from` needs another with room for `need` bytes. Null with errno: ENOMEM,
  // or EOVERFLOW at the limit.
  Segment* Extend(Segment* from, size_t need);

 private:
  static constexpr size_t kSmallestSegment = 64 << 10;
  static constexpr size_t kLargestUnasked = 1 << 20;  // to which segments double
  static constexpr size_t kLargestSegment = size_t{512} << 20;
  static constexpr int kClasses = 14;  // from the one size to the other

  static Segment* First(const Stack& stack) { return reinterpret_cast<Segment*>(stack.top); }
  static Stack ToFirstStack(Segment* first) {
    return {.low = first->low(), .top = first->top(), .cookie = first->limit};
  }
  // A slot's header, and the pool's idea of the same stack.
  static Segment* HeaderOf(Slot slot) { return reinterpret_cast<Segment*>(slot.top() - sizeof(Segment)); }
  static Stack SlotStack(const Segment* segment) {
    const Slot slot(segment->slot);
    return {.low = slot.top() - const_cast<Segment*>(segment)->size(), .top = slot.top(), .cookie = slot.bits()};
  }
  Segment* MakeSegment(Slot slot, size_t size);
  static int ClassOf(size_t size);
  // Gives all segments behind `last` back to the pool, and counts their crossings.
  void Cut(ProcContext& p, Segment* last);

  FirstSegments firsts_;
  size_t segment_ = 0;
  size_t limit_ = 0;
  // Relaxed, all: counts for people to read.
  std::atomic<uint64_t> large_firsts_{0};
  std::atomic<uint64_t> grown_{0};
  std::atomic<uint64_t> shrunk_{0};
  std::atomic<uint64_t> shrunk_bytes_{0};
  std::atomic<uint64_t> crossings_{0};
};

}  // namespace gyre::stacks

#endif  // GYRE_STACKS_SEGMENTED_H_
