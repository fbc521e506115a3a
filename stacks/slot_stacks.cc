#include "stacks/slot_stacks.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cerrno>

namespace gyre::stacks {
namespace {

// Class 0 has the default size; class i > 0 has kMinUsable << (i - 1).
constexpr int kPowerClasses = 17;

// How far below its stack a frame may jump and the fault still be called an overflow.
constexpr size_t kLargestJump = size_t{1} << 20;

}  // namespace

absl::Status SlotStacks::StartSlots(int procs, size_t usable, absl::string_view guard, size_t guard_bytes,
                                    absl::Span<const size_t> more) {
  static_assert(kMinUsable << (kPowerClasses - 1) == kMaxUsable);
  static_assert(kPowerClasses + 1 == kFurtherClasses);
  absl::Status status = guard_.Start(guard, os_);
  if (!status.ok()) return status;
  std::vector<SizeClass> classes;
  const auto add = [&](size_t bytes) {
    const size_t pages = (bytes + (guard_.kind() == StackGuard::Kind::kOff ? 0 : RoundUpToPage(guard_bytes))) / kPage;
    classes.push_back({.usable = bytes, .stride = (pages | 1) * kPage});
  };
  usual_ = RoundUpToPage(usable);
  add(usual_);
  for (int i = 0; i < kPowerClasses; ++i) add(kMinUsable << i);
  for (size_t bytes : more) add(bytes);
  return pool_.Start(procs, std::move(classes), os_, *this);
}

int SlotStacks::ClassFor(size_t min) const {
  const size_t usual = pool_.size_class(0).usable;
  if (min > kMaxUsable) return min <= usual ? 0 : -1;
  const size_t bytes = std::bit_ceil(std::max(min, kMinUsable));
  if (min <= usual && bytes >= usual) return 0;
  return 1 + std::countr_zero(bytes / kMinUsable);
}

Stack SlotStacks::Allocate(ProcContext& p, size_t min) {
  if (min == 0) [[likely]]
    return AllocateUsual(p);
  const int size_class = ClassFor(min);
  if (size_class < 0) {
    errno = EINVAL;
    return {};
  }
  const Slot slot = pool_.Take(p, size_class);
  if (!slot) [[unlikely]]
    return {};
  return ToStack(slot);
}

void SlotStacks::Free(ProcContext& p, Stack stack) {
  pool_.Give(p, ToSlot(stack));
}

FaultAction SlotStacks::OnFault(Stack& stack, uintptr_t address) noexcept {
  const uintptr_t low = reinterpret_cast<uintptr_t>(stack.low);
  if (address >= low || low - address > kLargestJump) return FaultAction::kNotMine;
  // A jump over the guard may land in the guard of a neighbour, or below all our stacks. Inside of a neighbour's
  // stack it is some other mistake.
  const Slot hit = pool_.Locate(address);
  return !hit || address < reinterpret_cast<uintptr_t>(ToStack(hit).low) ? FaultAction::kOverflow
                                                                         : FaultAction::kNotMine;
}

bool SlotStacks::Prepare(absl::Span<Slot> slots) {
  if (guard_.kind() == StackGuard::Kind::kOff) return true;
  iovec ranges[StackPool::kMagazineSlots];
  for (size_t i = 0; i < slots.size(); ++i) {
    const SizeClass& shape = pool_.size_class(slots[i].size_class());
    ranges[i] = {.iov_base = slots[i].top() - shape.stride, .iov_len = shape.stride - shape.usable};
  }
  size_t installed = 0;
  return guard_.Install(absl::MakeConstSpan(ranges, slots.size()), installed);
}

bool SlotStacks::Strip(absl::Span<Slot> slots) {
  iovec ranges[StackPool::kMagazineSlots];
  for (size_t i = 0; i < slots.size(); ++i) {
    const Stack stack = ToStack(slots[i]);
    ranges[i] = {.iov_base = stack.low, .iov_len = stack.size()};
  }
  return os_.AdviseMany(absl::MakeConstSpan(ranges, slots.size()), MADV_DONTNEED);
}

void SlotStacks::ForEach(absl::FunctionRef<void(const Stack&)> visit) {
  pool_.ForEach([&](Slot slot) { visit(ToStack(slot)); });
}

uint64_t SlotStacks::ForSome(uint64_t place, size_t most, absl::FunctionRef<void(const Stack&)> visit) {
  return pool_.ForSome(place, most, [&](Slot slot) { visit(ToStack(slot)); });
}

StackStats SlotStacks::Stats() const {
  const StackPool::Counts counts = pool_.counts();
  StackStats stats;
  stats.live = counts.live;
  stats.cached = counts.cached;
  stats.reserved_bytes = counts.reserved_bytes;
  stats.trimmed = counts.trimmed;
  stats.trimmed_bytes = counts.trimmed_bytes;
  return stats;
}

}  // namespace gyre::stacks
