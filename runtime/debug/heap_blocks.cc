#include "runtime/debug/heap_blocks.h"

#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>

namespace gyre::internal {

namespace {

uintptr_t WordAt(uintptr_t address) {
  return *reinterpret_cast<const uintptr_t*>(address);
}

constexpr uintptr_t kFlags = 7;  // in the low bits of a size
constexpr uintptr_t kPreviousInUse = 1;
constexpr uintptr_t kSmallestChunk = 32;

}  // namespace

bool HeapBlocks::Walk(uintptr_t first, uintptr_t end) {
  const size_t before = blocks_.size();
  for (uintptr_t chunk = first; chunk + 16 <= end;) {
    const uintptr_t size = WordAt(chunk + 8) & ~kFlags;
    // A heap that was left for a new one ends with two small chunks that are nobody's.
    if ((size == 0 || size == 16) && chunk + 64 >= end && chunk != first) return true;
    if (size < kSmallestChunk || size % 16 != 0 || size > end - chunk || blocks_.full()) break;
    const uintptr_t next = chunk + size;
    if (next == end) return true;  // the last chunk is what is still to be given out
    if (next + 16 > end) break;
    blocks_.Push({chunk, next, (WordAt(next + 8) & kPreviousInUse) == 0, false});
    chunk = next;
  }
  while (blocks_.size() > before) blocks_.Pop();
  return false;
}

uintptr_t HeapBlocks::AddMain(uintptr_t low, uintptr_t high) {
  // Aligned to 16 bytes, wherever the kernel has begun the heap.
  return Walk((low + 15) & ~uintptr_t{15}, high) ? high : 0;
}

uintptr_t HeapBlocks::AddArena(uintptr_t low, uintptr_t high) {
  // glibc's heap_info: the arena, the heap before this one, its size, how much of it may be written.
  if (high - low < 4096) return 0;
  // Read through the kernel: what lies at this address may be anything, a guard page too.
  uintptr_t head[4];
  iovec here{head, sizeof(head)}, there{reinterpret_cast<void*>(low), sizeof(head)};
  if (process_vm_readv(getpid(), &here, 1, &there, 1, 0) != sizeof(head)) return 0;
  const uintptr_t arena = head[0], previous = head[1], size = head[2], writable = head[3];
  if (arena == 0 || arena % 8 != 0 || previous % kArenaAlignment != 0 || size == 0 || size % 4096 != 0 ||
      size > writable || writable > high - low) {
    return 0;
  }
  // How long the headers are depends on glibc's version. A walk that begins at a wrong place does not come out at the
  // end.
  constexpr uintptr_t kLongestHeaders = 4096;
  for (uintptr_t first = low + 32; first < low + kLongestHeaders; first += 16) {
    if (Walk(first, low + size)) return low + writable;
  }
  return 0;
}

HeapBlock* HeapBlocks::Find(uintptr_t address, bool* is_header) {
  *is_header = false;
  HeapBlock* after = std::upper_bound(blocks_.begin(), blocks_.end(), address,
                                      [](uintptr_t at, const HeapBlock& block) { return at < block.chunk; });
  if (after == blocks_.begin()) return nullptr;
  HeapBlock* block = after - 1;
  *is_header = address == block->chunk;
  if (address < block->chunk + 8) {
    // The last word of the block before.
    if (block == blocks_.begin() || (block - 1)->next != block->chunk) return nullptr;
    --block;
  } else if (address < block->start()) {
    return nullptr;
  }
  return block->free || address >= block->end() ? nullptr : block;
}

bool HeapBlocks::IsThreadCache(const HeapBlock& block) {
  // glibc's tcache_perthread_struct: for 64 sizes, how many chunks there are, and the first of them.
  constexpr int kSizes = 64;
  constexpr uintptr_t kBytes = kSizes * (2 + 8) + 16;
  if (block.next - block.chunk != kBytes) return false;
  const auto* counts = reinterpret_cast<const uint16_t*>(block.start());
  const auto* first = reinterpret_cast<const uintptr_t*>(block.start() + kSizes * 2);
  for (int i = 0; i < kSizes; ++i) {
    if ((counts[i] != 0) != (first[i] != 0)) return false;
  }
  return true;
}

}  // namespace gyre::internal
