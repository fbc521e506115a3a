#include "stacks/segmented.h"

#include <signal.h>
#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <string>

#include "absl/strings/str_cat.h"
#include "plugins/registry.h"
#include "stacks/split_probe.h"

// What __morestack runs the search for the next segment on: for the thread alone, and its signal handlers have a stack
// of their own.
extern "C"
    __attribute__((tls_model("initial-exec"))) thread_local char gyre_segment_scratch alignas(64)[GYRE_SEGMENT_SCRATCH];
thread_local char gyre_segment_scratch alignas(64)[GYRE_SEGMENT_SCRATCH] = {};

namespace gyre::stacks {
namespace {

constexpr size_t kRedZone = 128;

// Two pages without access, in which __morestack faults when there is no next segment: overflow, and no memory. Mapped
// once and kept: it tells what happened, whoever's signal handler gets to see it.
char* Poison() {
  static char* pages = [] {
    void* start = mmap(nullptr, 2 * kPage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return start == MAP_FAILED ? nullptr : static_cast<char*>(start);
  }();
  return pages;
}

#if defined(__x86_64__)
uint64_t LimitWord() {
  uint64_t limit;
  asm volatile("movq %%fs:0x70, %0" : "=r"(limit));
  return limit;
}
#else
uint64_t LimitWord() {
  return 0;
}
#endif

// For what has no processor at hand: the pool's shared part.
ProcContext& NoProcessor() {
  static ProcContext none;
  return none;
}

}  // namespace

extern "C" Segment* gyre_next_segment(uint64_t limit, size_t need) {
  const int error = errno;
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  Segment* from = Segment::OfLimit(limit);
  Segment* next = from->owner->Extend(from, need);
  const int why = errno;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  errno = error;
  if (next != nullptr) return next;
  // No segment has an odd address.
  return reinterpret_cast<Segment*>(Poison() + (why == EOVERFLOW ? 0 : kPage) + 1);
}

absl::Status SegmentedStacks::Start(int procs, const PluginOptions& options) {
  if (const std::string why = WhyNotSplit(); !why.empty()) {
    return absl::FailedPreconditionError(absl::StrCat("stack allocator segmented: ", why));
  }
  if (Poison() == nullptr) return absl::ErrnoToStatus(errno, "segmented stacks: cannot map two pages");
  segment_ = std::bit_ceil(static_cast<size_t>(options.Bytes("segment")));
  limit_ = static_cast<size_t>(options.Bytes("limit"));
  if (absl::Status status = firsts_.Start(procs, this, os()); !status.ok()) return status;
  size_t more[kClasses];
  static_assert(kSmallestSegment << (kClasses - 1) == kLargestSegment);
  for (int i = 0; i < kClasses; ++i) more[i] = kSmallestSegment << i;
  return StartSlots(procs, kMinUsable, options.Choice("guard"), 4 * kPage, more);
}

int SegmentedStacks::ClassOf(size_t size) {
  return kFurtherClasses + std::countr_zero(size / kSmallestSegment);
}

Segment* SegmentedStacks::MakeSegment(Slot slot, size_t size) {
  Segment* segment = HeaderOf(slot);
  segment->next = nullptr;
  segment->SetSize(size);
  segment->entered = 0;
  segment->previous = nullptr;
  segment->owner = this;
  segment->home = nullptr;
  segment->slot = slot.bits();
  return segment;
}

Stack SegmentedStacks::Allocate(ProcContext& p, size_t min) {
  if (min <= FirstSegments::kBytes - Segment::kSlack) [[likely]] {
    Segment* first = firsts_.Take(p.id);
    return first != nullptr ? ToFirstStack(first) : Stack{};
  }
  const Stack stack = SlotStacks::Allocate(p, min + sizeof(Segment));
  if (!stack) return {};
  large_firsts_.fetch_add(1, std::memory_order_relaxed);
  Stack first = ToFirstStack(MakeSegment(ToSlot(stack), stack.size()));
  first.low += sizeof(Segment);  // a segment's size counts its header, see SetSize: that many bytes are in the guard
  return first;
}

void SegmentedStacks::Cut(ProcContext& p, Segment* last) {
  uint64_t crossings = 0;
  for (Segment* segment = std::exchange(last->next, nullptr); segment != nullptr;) {
    Segment* next = segment->next;
    if (segment->entered > 1) crossings += segment->entered - 1;
    GiveSlot(p, Slot(segment->slot));
    segment = next;
  }
  if (crossings != 0) crossings_.fetch_add(crossings, std::memory_order_relaxed);
}

void SegmentedStacks::Free(ProcContext& p, Stack stack) {
  Segment* first = First(stack);
  if (first->home == nullptr) [[unlikely]] {
    Cut(p, first);
    large_firsts_.fetch_sub(1, std::memory_order_relaxed);
    GiveSlot(p, Slot(first->slot));
    return;
  }
  if (Segment* second = first->next; second != nullptr) {
    if (firsts_.KeepsFor(p.id) && second->size() == segment_) [[likely]] {
      Cut(p, second);
      if (second->entered > 1) crossings_.fetch_add(second->entered - 1, std::memory_order_relaxed);
      second->entered = 0;
    } else {
      Cut(p, first);
    }
  }
  firsts_.Give(p.id, first);
}

Segment* SegmentedStacks::Extend(Segment* from, size_t need) {
  Cut(NoProcessor(), from);  // too small
  size_t used = 0;
  for (Segment* segment = from; segment != nullptr; segment = segment->previous) used += segment->size();
  const size_t least = std::bit_ceil(need + Segment::kSlack + sizeof(Segment));
  size_t size = std::max({least, segment_, std::min(2 * from->size(), kLargestUnasked)});
  if (used + size > limit_) size = std::max(least, kSmallestSegment);
  if (used + size > limit_ || size > kLargestSegment) {
    errno = EOVERFLOW;
    return nullptr;
  }
  const Slot slot = TakeSlot(NoProcessor(), ClassOf(size));
  if (!slot) return nullptr;
  Segment* segment = MakeSegment(slot, size);
  segment->previous = from;
  from->next = segment;
  grown_.fetch_add(1, std::memory_order_relaxed);
  return segment;
}

FaultAction SegmentedStacks::OnFault(Stack& stack, uintptr_t address) noexcept {
  const uintptr_t poison = reinterpret_cast<uintptr_t>(Poison());
  if (address - poison < kPage) return FaultAction::kOverflow;
  if (address - poison < 2 * kPage) return FaultAction::kNoMemory;
  // Library code used up a segment.
  for (Segment* segment = First(stack); segment != nullptr; segment = segment->next) {
    if (segment->slot == 0) continue;
    Stack slot = SlotStack(segment);
    if (FaultAction action = SlotStacks::OnFault(slot, address); action != FaultAction::kNotMine) return action;
  }
  return FaultAction::kNotMine;
}

size_t SegmentedStacks::LimitAt(const Stack& stack, uintptr_t address) const noexcept {
  if (address - reinterpret_cast<uintptr_t>(Poison()) < 2 * kPage) return limit_;
  size_t nearest = stack.size();
  uintptr_t distance = UINTPTR_MAX;
  for (Segment* segment = First(stack); segment != nullptr; segment = segment->next) {
    const uintptr_t above = reinterpret_cast<uintptr_t>(segment->top()) - address;  // huge if it lies below
    if (above < distance) {
      distance = above;
      nearest = segment->size();
    }
  }
  return nearest;
}

bool SegmentedStacks::Holds(const Stack& stack, uintptr_t address) const noexcept {
  for (Segment* segment = First(stack); segment != nullptr; segment = segment->next) {
    if (address >= reinterpret_cast<uintptr_t>(segment->low()) &&
        address < reinterpret_cast<uintptr_t>(segment->top())) {
      return true;
    }
  }
  return false;
}

bool SegmentedStacks::MayBegin(void (*run)(void*)) const {
  return PrologueOf(reinterpret_cast<const void*>(run)) != Prologue::kOrdinary;
}

void SegmentedStacks::CallWithRoom(void (*f)(void*), void* argument) {
  gyre_call_with_room(f, argument);
}

size_t SegmentedStacks::Shrink(Stack& stack, uintptr_t sp) {
  Segment* current = First(stack);
  while (current != nullptr &&
         (sp < reinterpret_cast<uintptr_t>(current->low()) || sp >= reinterpret_cast<uintptr_t>(current->top()))) {
    current = current->next;
  }
  if (current == nullptr) return 0;
  size_t given_back = 0;
  for (Segment* segment = current->next; segment != nullptr;) {
    Segment* next = segment->next;
    const Stack slot = SlotStack(segment);
    const size_t resident = os().Resident(slot.low, slot.size());
    // All but the page with the header, which Cut needs.
    char* last_page = slot.top - kPage;
    if (os().Advise(slot.low, static_cast<size_t>(last_page - slot.low), MADV_DONTNEED)) {
      given_back += std::max(resident, kPage) - kPage;
    }
    segment = next;
  }
  if (current->next != nullptr) Cut(NoProcessor(), current);
  if (current->slot != 0) {
    const Stack slot = SlotStack(current);
    char* in_use = reinterpret_cast<char*>((sp - kRedZone) & ~uintptr_t{kPage - 1});
    if (in_use > slot.low) {
      const size_t used = static_cast<size_t>(slot.top - in_use);
      const size_t unused = os().Resident(slot.low, static_cast<size_t>(in_use - slot.low));
      if (used * 4 < used + unused && os().Advise(slot.low, static_cast<size_t>(in_use - slot.low), MADV_DONTNEED)) {
        given_back += unused;
      }
    }
  }
  if (given_back != 0) {
    shrunk_.fetch_add(1, std::memory_order_relaxed);
    shrunk_bytes_.fetch_add(given_back, std::memory_order_relaxed);
  }
  return given_back;
}

size_t SegmentedStacks::Trim(size_t keep, size_t most) {
  const size_t given_back = firsts_.Trim(keep / 2, most);
  return given_back < most ? given_back + SlotStacks::Trim(keep / 2, most - given_back) : given_back;
}

void SegmentedStacks::ForEach(absl::FunctionRef<void(const Stack&)> visit) {
  ForSome(0, SIZE_MAX, visit);
}

uint64_t SegmentedStacks::ForSome(uint64_t place, size_t most, absl::FunctionRef<void(const Stack&)> visit) {
  constexpr uint64_t kSmall = uint64_t{1} << 63;  // the slots are done
  if (place < kSmall) {
    place = SlotStacks::ForSome(place, most, [&](const Stack& stack) {
      const Slot slot = ToSlot(stack);
      if (slot.size_class() >= kFurtherClasses) return;
      // Not what its header says: it may never have been used.
      visit({.low = stack.low, .top = HeaderOf(slot)->top(), .cookie = stack.cookie});
    });
    if (place != 0) return place;
    if (most != SIZE_MAX) return kSmall;
  }
  place = firsts_.ForSome(place & ~kSmall, most, [&](Segment* first) { visit(ToFirstStack(first)); });
  return place == 0 ? 0 : place | kSmall;
}

StackStats SegmentedStacks::Stats() const {
  StackStats stats = SlotStacks::Stats();
  const FirstSegments::Counts firsts = firsts_.counts();
  stats.live = firsts.live + large_firsts_.load(std::memory_order_relaxed);
  stats.cached += firsts.cached;
  stats.trimmed += firsts.trimmed;
  stats.reserved_bytes += firsts.reserved_bytes;
  stats.grown = grown_.load(std::memory_order_relaxed);
  stats.shrunk = shrunk_.load(std::memory_order_relaxed);
  stats.shrunk_bytes = shrunk_bytes_.load(std::memory_order_relaxed);
  stats.hot_splits = crossings_.load(std::memory_order_relaxed);
  // The caller's own are not counted before it ends.
  if (const uint64_t limit = LimitWord(); limit != 0) {
    Segment* segment = Segment::OfLimit(limit);
    while (segment->previous != nullptr) segment = segment->previous;
    for (; segment != nullptr; segment = segment->next)
      stats.hot_splits += segment->entered > 1 ? segment->entered - 1 : 0;
  }
  return stats;
}

StackTraits SegmentedStacks::traits() const {
  return {.needs_switch_hooks = true, .can_signal_on_stack = false, .small_closure = 256};
}

GYRE_REGISTER_STACK("segmented", SegmentedStacks, "linked segments from 2 KiB on, for code compiled with -fsplit-stack",
                    BytesOption("segment", "64K", 64 << 10, 1 << 20, "bytes of all segments but the first, at least"),
                    BytesOption("limit", "64M", 64 << 10, 1 << 30,
                                "bytes that a goroutine's segments have together, at most"),
                    ChoiceOption("guard", {"auto", "madvise", "mprotect", "off"}, "auto",
                                 "what makes the pages below a segment fault"));

}  // namespace gyre::stacks
