// Memory for what is recorded: from the kernel in large pieces and never from malloc, for an event may be written
// inside the signal handler that preempts a goroutine in the middle of malloc.
#ifndef GYRE_RUNTIME_TRACE_MEMORY_H_
#define GYRE_RUNTIME_TRACE_MEMORY_H_

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>

namespace gyre::internal {

// `bytes` zeros, or null where the kernel has no more.
inline void* MapMemory(size_t bytes) {
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return memory == MAP_FAILED ? nullptr : memory;
}

inline void UnmapMemory(void* memory, size_t bytes) {
  if (memory != nullptr) munmap(memory, bytes);
}

// Small pieces that live until the arena ends. One thread at a time.
class MapArena {
 public:
  MapArena() = default;
  ~MapArena() {
    while (last_ != nullptr) {
      Block* before = last_->before;
      UnmapMemory(last_, kBlock);
      last_ = before;
    }
  }
  MapArena(const MapArena&) = delete;
  MapArena& operator=(const MapArena&) = delete;

  // Aligned to 8 bytes; at most kLargest bytes. Null: no memory.
  static constexpr size_t kLargest = 64 * 1024;
  void* Allocate(size_t bytes) {
    bytes = (bytes + 7) & ~size_t{7};
    if (last_ == nullptr || used_ + bytes > kBlock) {
      Block* block = static_cast<Block*>(MapMemory(kBlock));
      if (block == nullptr) return nullptr;
      block->before = last_;
      last_ = block;
      used_ = sizeof(Block);
    }
    void* piece = reinterpret_cast<uint8_t*>(last_) + used_;
    used_ += bytes;
    return piece;
  }

 private:
  struct alignas(8) Block {
    Block* before;
  };
  static constexpr size_t kBlock = 256 * 1024;
  Block* last_ = nullptr;
  size_t used_ = 0;
};

}  // namespace gyre::internal

#endif  // GYRE_RUNTIME_TRACE_MEMORY_H_
