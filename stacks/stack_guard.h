// Guards: pages below a stack that fault, made in the way that the kernel offers.
//
//   madvise   MADV_GUARD_INSTALL (Linux 6.13): a mark in the page table. It splits no mapping, so any number can be
//             had.
//   mprotect  PROT_NONE: each guard splits a mapping in three, and the kernel limits a process's mappings (65,530
//             by default), so there is a budget; when it is used up, further stacks have no guard, and `unguarded`
//             says how many.
//   off       none.
//
// Install may be called by any thread at once. Remove and Reinstall are async-signal-safe.
#ifndef GYRE_STACKS_STACK_GUARD_H_
#define GYRE_STACKS_STACK_GUARD_H_

#include <sys/uio.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "stacks/os_memory.h"

namespace gyre::stacks {

class StackGuard {
 public:
  enum class Kind : uint8_t { kOff, kMadvise, kMprotect };

  // `wanted`: auto, madvise, mprotect or off.
  absl::Status Start(absl::string_view wanted, OsMemory& os);

  Kind kind() const { return kind_; }

  // Guards the ranges, the first `installed` of them where it returns true: fewer than all only when the budget is used
  // up. False with errno: the operating system refused. Memory in the ranges is given back.
  bool Install(absl::Span<const iovec> ranges, size_t& installed);

  // Makes part of a guarded range usable, or a part that was removed guarded again, which gives its memory back. False
  // with errno on failure.
  bool Remove(char* start, size_t bytes) noexcept;
  bool Reinstall(char* start, size_t bytes) noexcept;

  uint64_t unguarded() const { return unguarded_.load(std::memory_order_relaxed); }
  std::string Describe() const;

 private:
  OsMemory* os_ = nullptr;
  Kind kind_ = Kind::kOff;
  std::atomic<int64_t> budget_{0};  // guards that mprotect may still make
  std::atomic<uint64_t> unguarded_{0};
};

}  // namespace gyre::stacks

#endif  // GYRE_STACKS_STACK_GUARD_H_
