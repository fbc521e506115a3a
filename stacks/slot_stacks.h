// What the allocators have in common whose stacks are slots of the stack pool: size classes, guards, the answer to a
// fault below a stack. `fixed` is this with its options; `contiguous` adds growing and shrinking.
//
//   low - guard       low                                    top
//   |  guard           |  usable bytes, touched from the top  |
//
// A slot's length is an odd number of pages, so that the tops of neighbouring stacks do not fall into the same few
// sets of the processor's address translation caches (it makes touching 100,000 stacks in turn a quarter faster).
#ifndef GYRE_STACKS_SLOT_STACKS_H_
#define GYRE_STACKS_SLOT_STACKS_H_

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "plugins/stack.h"
#include "stacks/os_memory.h"
#include "stacks/stack_guard.h"
#include "stacks/stack_pool.h"

namespace gyre::stacks {

class SlotStacks : public StackAllocator, private SlotKeeper {
 public:
  // `os` outlives the allocator; null: the operating system itself.
  explicit SlotStacks(OsMemory* os) : os_(os != nullptr ? *os : own_os_) {}

  Stack Allocate(ProcContext& p, size_t min) override;
  void Free(ProcContext& p, Stack stack) override;
  FaultAction OnFault(Stack& stack, uintptr_t address) noexcept override;
  size_t Trim(size_t keep, size_t most) override { return pool_.Trim(keep, most); }
  void ForEach(absl::FunctionRef<void(const Stack&)> visit) override;
  uint64_t ForSome(uint64_t place, size_t most, absl::FunctionRef<void(const Stack&)> visit) override;
  StackStats Stats() const override;

  // What guards the stacks, in words.
  std::string Describe() const { return guard_.Describe(); }

 protected:
  static constexpr size_t kMinUsable = 16 << 10;
  static constexpr size_t kMaxUsable = size_t{1} << 30;

  // `usable`: of a stack for which nobody asked more or less. `guard_bytes` is rounded up.
  // `more`: the usable sizes of further classes, from kFurtherClasses on.
  absl::Status StartSlots(int procs, size_t usable, absl::string_view guard, size_t guard_bytes,
                          absl::Span<const size_t> more = {});
  static constexpr int kFurtherClasses = 18;

  Slot TakeSlot(ProcContext& p, int size_class) { return pool_.Take(p, size_class); }
  void GiveSlot(ProcContext& p, Slot slot) { pool_.Give(p, slot); }

  Stack ToStack(Slot slot) const {
    return {.low = slot.top() - pool_.size_class(slot.size_class()).usable, .top = slot.top(), .cookie = slot.bits()};
  }
  static Slot ToSlot(const Stack& stack) { return Slot(stack.cookie); }

  // Allocate(p, 0), inline: what nearly every spawn asks for.
  Stack AllocateUsual(ProcContext& p) {
    const Slot slot = pool_.Take(p, 0);
    if (!slot) [[unlikely]]
      return {};
    return {.low = slot.top() - usual_, .top = slot.top(), .cookie = slot.bits()};
  }

  // Fresh or stripped slots get their guards; see SlotKeeper.
  bool Prepare(absl::Span<Slot> slots) override;
  bool Strip(absl::Span<Slot> slots) override;

  OsMemory& os() { return os_; }
  StackGuard& guard() { return guard_; }
  const StackGuard& guard() const { return guard_; }
  const StackPool& pool() const { return pool_; }

 private:
  // The class of a request for `min` bytes; -1 if there is none so large.
  int ClassFor(size_t min) const;

  size_t usual_ = 0;  // usable bytes of class 0
  OsMemory own_os_;
  OsMemory& os_;
  StackGuard guard_;
  StackPool pool_;
};

}  // namespace gyre::stacks

#endif  // GYRE_STACKS_SLOT_STACKS_H_
