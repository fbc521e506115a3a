#include "stacks/os_memory.h"

#include <fcntl.h>
#include <linux/membarrier.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#else
#define RUNNING_ON_VALGRIND 0
#endif

namespace gyre::stacks {
namespace {

// "This process" to the system calls that want a pidfd, since Linux 6.15. Older kernels answer EBADF.
constexpr int kPidfdSelf = -10001;

}  // namespace

bool OsMemory::OnValgrind() noexcept { return RUNNING_ON_VALGRIND != 0; }

void* OsMemory::Map(size_t bytes) noexcept {
  void* start = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return start == MAP_FAILED ? nullptr : start;
}

void OsMemory::Unmap(void* start, size_t bytes) noexcept { munmap(start, bytes); }

bool OsMemory::Advise(void* start, size_t bytes, int advice) noexcept { return madvise(start, bytes, advice) == 0; }

bool OsMemory::Protect(void* start, size_t bytes, int protection) noexcept {
  return mprotect(start, bytes, protection) == 0;
}

bool OsMemory::AdviseVector(absl::Span<const iovec> ranges, int advice) noexcept {
  size_t wanted = 0;
  for (const iovec& range : ranges) wanted += range.iov_len;
  const long done = syscall(SYS_process_madvise, kPidfdSelf, ranges.data(), ranges.size(), advice, 0);
  return done >= 0 && static_cast<size_t>(done) == wanted;
}

bool OsMemory::AdviseMany(absl::Span<const iovec> ranges, int advice) noexcept {
  if (ranges.size() > 1 && !no_vector_.load(std::memory_order_relaxed)) {
    if (AdviseVector(ranges, advice)) return true;
    // Relaxed: a hint, which each thread may find out for itself.
    if (errno == EBADF || errno == ENOSYS || errno == EPERM || errno == EINVAL) {
      no_vector_.store(true, std::memory_order_relaxed);
    }
  }
  // Advice may be given twice, so it does not matter how far the vector got.
  for (const iovec& range : ranges) {
    if (!Advise(range.iov_base, range.iov_len, advice)) return false;
  }
  return true;
}

size_t OsMemory::Resident(const void* start, size_t bytes) noexcept {
  constexpr size_t kPage = 4096;
  constexpr size_t kPagesAtOnce = 4096;
  unsigned char in_core[kPagesAtOnce];
  char* at = static_cast<char*>(const_cast<void*>(start));
  size_t resident = 0;
  for (size_t left = bytes / kPage; left > 0;) {
    const size_t pages = std::min(left, kPagesAtOnce);
    if (mincore(at, pages * kPage, in_core) != 0) return resident;
    for (size_t i = 0; i < pages; ++i) resident += (in_core[i] & 1) * kPage;
    at += pages * kPage;
    left -= pages;
  }
  return resident;
}

bool OsMemory::BarrierOnAllThreads() noexcept {
  // Relaxed: registering twice does no harm, and the system call itself orders what follows it.
  if (!barrier_ready_.load(std::memory_order_relaxed)) {
    if (syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) != 0) return false;
    barrier_ready_.store(true, std::memory_order_relaxed);
  }
  return syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0;
}

size_t OsMemory::MappingLimit() noexcept {
  constexpr size_t kCautious = 65530;  // Linux's default
  const int file = open("/proc/sys/vm/max_map_count", O_RDONLY | O_CLOEXEC);
  if (file < 0) return kCautious;
  char text[32] = {};
  const ssize_t length = read(file, text, sizeof text - 1);
  close(file);
  const long limit = length > 0 ? std::atol(text) : 0;
  return limit > 0 ? static_cast<size_t>(limit) : kCautious;
}

}  // namespace gyre::stacks
