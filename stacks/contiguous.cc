#include "stacks/contiguous.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>

#include "plugins/registry.h"

namespace gyre::stacks {
namespace {

// What a goroutine for which a size was asked may touch from the start, at most: whoever makes it writes its
// closure there, and may be a thread on which a fault would not be understood.
constexpr size_t kOpenAtOnce = 64 << 10;

constexpr size_t kRedZone = 128;

Stack WithLevel(const Stack& stack, Slot slot, int level) {
  return {.low = stack.low, .top = stack.top, .cookie = Slot(slot.top(), slot.size_class(), level).bits()};
}

}  // namespace

absl::Status ContiguousStacks::Start(int procs, const PluginOptions& options) {
  const std::string& guard = options.Choice("guard");
  doubling_ = options.Choice("grow") == "double";
  if (doubling_ && guard == "off") {
    return absl::InvalidArgumentError(
        "stack allocator contiguous: grow=double needs a guard to notice growth by, so guard=off does not go with it; "
        "use guard=auto, or grow=lazy");
  }
  return StartSlots(procs, static_cast<size_t>(options.Bytes("limit")), guard,
                    static_cast<size_t>(options.Bytes("guard_size")));
}

char* ContiguousStacks::WatchedLow(const Stack& stack) const {
  // A PROT_NONE range takes no page tables, however long.
  if (guard().kind() == StackGuard::Kind::kMprotect) return stack.low;
  return stack.size() > kWatched ? stack.top - kWatched : stack.low;
}

char* ContiguousStacks::OpenLow(const Stack& stack) const {
  const int level = ToSlot(stack).level();
  return level >= kWhole ? stack.low : stack.top - (kPage << level);
}

int ContiguousStacks::LevelFor(const Stack& stack, size_t bytes) const {
  const size_t watched = static_cast<size_t>(stack.top - WatchedLow(stack));
  for (int level = 0; kPage << level < watched; ++level) {
    if (kPage << level >= bytes) return level;
  }
  return kWhole;
}

bool ContiguousStacks::Open(Stack& stack, int level) noexcept {
  const Stack opened = WithLevel(stack, ToSlot(stack), level);
  char* from = std::max(OpenLow(opened), WatchedLow(stack));
  if (!guard().Remove(from, static_cast<size_t>(OpenLow(stack) - from))) return false;
  stack = opened;
  return true;
}

bool ContiguousStacks::Close(Stack& stack, int level) {
  char* from = std::max(OpenLow(stack), WatchedLow(stack));
  // Even if it fails half-way the lower level is right: what lies above it holds nothing, and is opened again at a
  // fault.
  stack = WithLevel(stack, ToSlot(stack), level);
  return guard().Reinstall(from, static_cast<size_t>(OpenLow(stack) - from));
}

Stack ContiguousStacks::Allocate(ProcContext& p, size_t min) {
  if (min == 0) [[likely]]
    return AllocateUsual(p);
  if (!doubling_ || min <= kPage) return SlotStacks::Allocate(p, min);
  Stack stack = SlotStacks::Allocate(p, min);
  if (!stack) return {};
  const int level = LevelFor(stack, std::min(min, kOpenAtOnce));
  if (ToSlot(stack).level() < level && !Open(stack, level)) {
    const int error = errno;
    Free(p, stack);
    errno = error;
    return {};
  }
  return stack;
}

FaultAction ContiguousStacks::OnFault(Stack& stack, uintptr_t address) noexcept {
  if (doubling_) {
    if (address >= reinterpret_cast<uintptr_t>(stack.low) && address < reinterpret_cast<uintptr_t>(OpenLow(stack))) {
      const size_t needed = reinterpret_cast<uintptr_t>(stack.top) - address;
      if (!Open(stack, LevelFor(stack, needed))) return FaultAction::kNoMemory;
      grown_.fetch_add(1, std::memory_order_relaxed);
      return FaultAction::kRetry;
    }
    // A large closure, written into the stack of a goroutine in the making. Opening a page there early does no harm.
    if (Slot other = pool().Locate(address); other && other.top() != stack.top) {
      char* page = reinterpret_cast<char*>(address & ~uintptr_t{kPage - 1});
      if (page >= ToStack(other).low) return guard().Remove(page, kPage) ? FaultAction::kRetry : FaultAction::kNoMemory;
    }
  }
  return SlotStacks::OnFault(stack, address);
}

size_t ContiguousStacks::Shrink(Stack& stack, uintptr_t sp) {
  char* in_use = reinterpret_cast<char*>((sp - kRedZone) & ~uintptr_t{kPage - 1});
  if (in_use <= stack.low || in_use >= stack.top) return 0;
  const size_t used = static_cast<size_t>(stack.top - in_use);
  if (used * 4 >= stack.size()) return 0;  // without asking the kernel
  const size_t unused = os().Resident(stack.low, static_cast<size_t>(in_use - stack.low));
  if (unused == 0 || used * 4 >= used + unused) return 0;
  if (!os().Advise(stack.low, static_cast<size_t>(in_use - stack.low), MADV_DONTNEED)) return 0;
  const int level = ToSlot(stack).level();
  if (doubling_ && level != kUnguarded && level > LevelFor(stack, used)) Close(stack, LevelFor(stack, used));
  shrunk_.fetch_add(1, std::memory_order_relaxed);
  shrunk_bytes_.fetch_add(unused, std::memory_order_relaxed);
  return unused;
}

StackStats ContiguousStacks::Stats() const {
  StackStats stats = SlotStacks::Stats();
  stats.grown = grown_.load(std::memory_order_relaxed);
  stats.shrunk = shrunk_.load(std::memory_order_relaxed);
  stats.shrunk_bytes = shrunk_bytes_.load(std::memory_order_relaxed);
  return stats;
}

bool ContiguousStacks::Prepare(absl::Span<Slot> slots) {
  if (!doubling_) return SlotStacks::Prepare(slots);
  iovec ranges[2 * StackPool::kMagazineSlots];
  size_t count = 0;
  for (Slot slot : slots) {
    const Stack stack = ToStack(slot);
    char* start = stack.top - pool().size_class(slot.size_class()).stride;
    char* watched = WatchedLow(stack);
    if (watched != stack.low) {
      ranges[count++] = {.iov_base = start, .iov_len = static_cast<size_t>(stack.low - start)};
      start = watched;
    }
    ranges[count++] = {.iov_base = start, .iov_len = static_cast<size_t>(stack.top - kPage - start)};
  }
  size_t installed = 0;
  if (!guard().Install(absl::MakeConstSpan(ranges, count), installed)) return false;
  // Fewer than all only with mprotect, which has one range per slot.
  for (size_t i = installed; i < slots.size(); ++i) slots[i] = Slot(slots[i].top(), slots[i].size_class(), kUnguarded);
  return true;
}

bool ContiguousStacks::Strip(absl::Span<Slot> slots) {
  if (!SlotStacks::Strip(slots)) return false;
  if (!doubling_) return true;
  bool closed = true;
  for (Slot& slot : slots) {
    if (slot.level() == 0 || slot.level() == kUnguarded) continue;
    Stack stack = ToStack(slot);
    closed = Close(stack, 0) && closed;
    slot = ToSlot(stack);
  }
  return closed;
}

GYRE_REGISTER_STACK("contiguous", ContiguousStacks, "a reserved slot for each goroutine, committed as it is used",
                    BytesOption("limit", "256K", 16 << 10, 1 << 30, "bytes that a stack may grow to"),
                    ChoiceOption("grow", {"lazy", "double"}, "lazy",
                                 "page by page at the first touch, or twofold at a guard, which is counted"),
                    ChoiceOption("guard", {"auto", "madvise", "mprotect", "off"}, "auto",
                                 "what makes the pages below a stack fault"),
                    BytesOption("guard_size", "16K", 4096, 1 << 20, "bytes of the guard, rounded up to whole pages"));

}  // namespace gyre::stacks
