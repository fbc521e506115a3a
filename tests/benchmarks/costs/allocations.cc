#include "tests/benchmarks/costs/allocations.h"

#include <atomic>
#include <cerrno>
#include <cstddef>

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define GYRE_COUNTS_ALLOCATIONS 1
#else
#define GYRE_COUNTS_ALLOCATIONS 0
#endif

namespace {
std::atomic<uint64_t> allocations{0};
}  // namespace

namespace gyre::costs {

uint64_t Allocations() {
  return allocations.load(std::memory_order_relaxed);
}
bool CountsAllocations() {
  return GYRE_COUNTS_ALLOCATIONS != 0;
}

}  // namespace gyre::costs

#if GYRE_COUNTS_ALLOCATIONS
// What is behind glibc's malloc; free is glibc's own.
extern "C" {
void* __libc_malloc(size_t size);
void* __libc_calloc(size_t count, size_t size);
void* __libc_realloc(void* old, size_t size);
void* __libc_memalign(size_t align, size_t size);

void* malloc(size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  return __libc_malloc(size);
}
void* calloc(size_t count, size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  return __libc_calloc(count, size);
}
void* realloc(void* old, size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  return __libc_realloc(old, size);
}
void* aligned_alloc(size_t align, size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  return __libc_memalign(align, size);
}
int posix_memalign(void** out, size_t align, size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  *out = __libc_memalign(align, size);
  return *out == nullptr ? ENOMEM : 0;
}
}  // extern "C"
#endif
