// The calls that stack allocators make to the operating system, behind one object, so that a test can make each of them
// fail. An allocator owns its own; nothing here is shared between runtimes.
//
// All functions may be called by any thread at once. Advise and Protect are also async-signal-safe. Those that return
// false or null leave the reason in errno.
#ifndef GYRE_STACKS_OS_MEMORY_H_
#define GYRE_STACKS_OS_MEMORY_H_

#include <sys/uio.h>

#include <atomic>
#include <cstddef>

#include "absl/types/span.h"

namespace gyre::stacks {

// Newer than Debian 12's headers: Linux 6.13 can make pages fault without splitting the mapping that they are in.
inline constexpr int kGuardInstall = 102;
inline constexpr int kGuardRemove = 103;

class OsMemory {
 public:
  virtual ~OsMemory() = default;

  // Reserves zeroed, readable and writable address space. It costs no memory until it is touched.
  virtual void* Map(size_t bytes) noexcept;
  virtual void Unmap(void* start, size_t bytes) noexcept;
  virtual bool Advise(void* start, size_t bytes, int advice) noexcept;
  virtual bool Protect(void* start, size_t bytes, int protection) noexcept;

  // The same advice for many ranges, in one system call where the kernel can. On failure some may have been advised.
  bool AdviseMany(absl::Span<const iovec> ranges, int advice) noexcept;

  // Bytes of the range that are in memory. 0 if the kernel does not say.
  virtual size_t Resident(const void* start, size_t bytes) noexcept;

  // After this returns true, every other thread of the process has executed a full memory barrier since it was called.
  virtual bool BarrierOnAllThreads() noexcept;

  // How many mappings a process may have; a cautious guess if the kernel does not say.
  virtual size_t MappingLimit() noexcept;

 protected:
  // One system call for all the ranges; false with errno if the kernel cannot.
  virtual bool AdviseVector(absl::Span<const iovec> ranges, int advice) noexcept;

 private:
  static bool OnValgrind() noexcept;
  std::atomic<bool> no_vector_{OnValgrind()};  // the kernel refused AdviseVector once, or Valgrind does not know it
  std::atomic<bool> barrier_ready_{false};  // this process has registered for it
};

}  // namespace gyre::stacks

#endif  // GYRE_STACKS_OS_MEMORY_H_
