// `contiguous`, the default: a slot of reserved address space for each goroutine, which takes memory as it is used
// and gives it back, and whose addresses never change. That is how C++, where nobody can find and rewrite the
// pointers into a stack, gets what Go gets by copying.
//
// Two ways to grow, option `grow`:
//   lazy     The kernel commits a page when it is first touched. Nothing here runs, so nothing is counted.
//   double   The stack begins with one page above a guard. Touching the guard moves it down, so that the size
//            doubles, and counts. What that costs is about 3 us a doubling, and 1.6 us more for a fresh slot, over
//            lazy's first touches. And it has a catch that lazy has not: a system call that is told to write into
//            the part of a stack that is still guarded fails with EFAULT instead of growing it. Code compiled with
//            -fstack-clash-protection touches its frames before it calls the kernel; a library that was not, and
//            has a large buffer in a frame, may not.
//
// Both shrink alike: when a parked goroutine uses less than a quarter of what its stack has, the rest is given back.
//
// The size of a stack under `double` is 4 KiB << level, the level being kept in its Slot. Past kWatched bytes one
// more step opens the whole of it, for watching on would need page tables of 2 MiB per stack of 1 GiB.
#ifndef GYRE_STACKS_CONTIGUOUS_H_
#define GYRE_STACKS_CONTIGUOUS_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "stacks/slot_stacks.h"

namespace gyre::stacks {

class ContiguousStacks final : public SlotStacks {
 public:
  explicit ContiguousStacks(OsMemory* os = nullptr) : SlotStacks(os) {}

  absl::Status Start(int procs, const PluginOptions& options) override;
  Stack Allocate(ProcContext& p, size_t min) override;
  FaultAction OnFault(Stack& stack, uintptr_t address) noexcept override;
  size_t Shrink(Stack& stack, uintptr_t sp) override;
  StackStats Stats() const override;

 private:
  static constexpr size_t kWatched = size_t{1} << 20;
  static constexpr int kWhole = 30;      // all of it may be touched
  static constexpr int kUnguarded = 31;  // the same, for good: there was no guard left for it

  bool Prepare(absl::Span<Slot> slots) override;
  bool Strip(absl::Span<Slot> slots) override;

  // The lowest address that a guard above the bottom one may cover.
  char* WatchedLow(const Stack& stack) const;
  // The lowest address that may be touched.
  char* OpenLow(const Stack& stack) const;
  // The level at which `bytes` below the top may be touched.
  int LevelFor(const Stack& stack, size_t bytes) const;
  // Raises the stack to a higher level. False with errno.
  bool Open(Stack& stack, int level) noexcept;
  // Guards again what lies above `level`.
  bool Close(Stack& stack, int level);

  bool doubling_ = false;
  // Relaxed, all: counts for people to read.
  std::atomic<uint64_t> grown_{0};
  std::atomic<uint64_t> shrunk_{0};
  std::atomic<uint64_t> shrunk_bytes_{0};
};

}  // namespace gyre::stacks

#endif  // GYRE_STACKS_CONTIGUOUS_H_
