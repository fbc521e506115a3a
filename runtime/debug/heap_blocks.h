// The blocks of malloc's heap, as glibc lays them out: chunks side by side, each with its size in front. For the leak
// finder, which must know what a pointer into the heap keeps alive.
//
// Everything here runs while the world is stopped, perhaps in the middle of a malloc. A block that is in use had its
// size written before its user got it, and keeps it; a walk that does not come out exactly at the end of its region has
// met a size that was being changed, and is given up: the region then counts as one piece that keeps all alive.
//
// It knows glibc's malloc (2.26 to 2.4x, 64 bits) and finds out whether that is what it sees. Under a sanitizer's
// malloc, or another one, there are no blocks.
#ifndef GYRE_RUNTIME_DEBUG_HEAP_BLOCKS_H_
#define GYRE_RUNTIME_DEBUG_HEAP_BLOCKS_H_

#include <cstddef>
#include <cstdint>

#include "runtime/debug/page_vector.h"

namespace gyre::internal {

struct HeapBlock {
  uintptr_t chunk = 0;  // the header; what the user has begins 16 bytes later
  uintptr_t next = 0;   // the next chunk; what the user has ends 8 bytes later
  bool free = false;
  bool reached = false;

  uintptr_t start() const { return chunk + 16; }
  uintptr_t end() const { return next + 8; }
};

class HeapBlocks {
 public:
  HeapBlocks() : blocks_(kMostBlocks) {}

  // Regions are to be added by ascending addresses. `main`: the kernel's [heap]. Returns where the heap that begins at
  // `low` ends, at most `high`, or 0 if none is there.
  uintptr_t AddMain(uintptr_t low, uintptr_t high);
  uintptr_t AddArena(uintptr_t low, uintptr_t high);
  static constexpr uintptr_t kArenaAlignment = uintptr_t{64} << 20;

  // The block that a pointer to `address` keeps; null if none, or if that is free. *is_header: it is the address of a
  // chunk's header, as malloc's own lists of free chunks hold them.
  HeapBlock* Find(uintptr_t address, bool* is_header);

  // Whether the block is the table of a thread's cache of free chunks: what it points to is free.
  static bool IsThreadCache(const HeapBlock& block);

  bool empty() const { return blocks_.empty(); }
  StackRange Memory() const { return blocks_.Range(); }

 private:
  static constexpr size_t kMostBlocks = size_t{1} << 25;

  // Adds the chunks from `first` to `end`, or nothing and returns false.
  bool Walk(uintptr_t first, uintptr_t end);

  PageVector<HeapBlock> blocks_;
};

}  // namespace gyre::internal

#endif  // GYRE_RUNTIME_DEBUG_HEAP_BLOCKS_H_
