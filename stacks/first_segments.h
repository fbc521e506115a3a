// The first segments of goroutines under `segmented`: blocks of 2 KiB and a header, packed without regard to pages, so
// that a goroutine that needs no more takes no more.
//
// Each processor keeps a few, without a lock, last in first out. Behind that are chunks of 62 blocks under one lock: a
// chunk all of whose blocks are unused can give its memory back. Chunks lie in spans of address space, 32 in each, that
// are kept until the end.
//
// A block's length is an odd multiple of 64 bytes, so that the control blocks in it, which stand at the same place in
// each, do not fall into the same few sets of the processor's caches.
//
// Who may call what: Take and Give: any thread; no two calls for the same processor overlap; those for kNoProc do. All
// else: any thread, at any time.
#ifndef GYRE_STACKS_FIRST_SEGMENTS_H_
#define GYRE_STACKS_FIRST_SEGMENTS_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "plugins/proc_context.h"
#include "stacks/os_memory.h"
#include "stacks/segment.h"
#include "stacks/stack_pool.h"

namespace gyre::stacks {

class FirstSegments {
 public:
  static constexpr size_t kBytes = 2048;

  FirstSegments() = default;
  ~FirstSegments();
  FirstSegments(const FirstSegments&) = delete;
  FirstSegments& operator=(const FirstSegments&) = delete;

  // Once, before anything else. `os` outlives the object.
  absl::Status Start(int procs, SegmentedStacks* owner, OsMemory& os);

  // Null with errno if the operating system gives no more. One that a processor kept may have a next segment.
  Segment* Take(ProcId p);
  // `first` may have one next segment if there is room in the processor's cache (KeepsFor), else none.
  void Give(ProcId p, Segment* first);
  bool KeepsFor(ProcId p) const { return p >= 0 && caches_[p].count < kKept; }

  // As StackAllocator::Trim.
  size_t Trim(size_t keep, size_t most);

  // As StackAllocator::ForSome, with a place of its own.
  uint64_t ForSome(uint64_t place, size_t most, absl::FunctionRef<void(Segment*)> visit) const;

  struct Counts {
    uint64_t live = 0;
    uint64_t cached = 0;
    uint64_t reserved_bytes = 0;
    uint64_t trimmed = 0;
  };
  Counts counts() const;

 private:
  static constexpr size_t kStride = kBytes + sizeof(Segment);
  static constexpr int kBlocks = 62;  // of a chunk
  static constexpr size_t kChunkBytes = RoundUpToPage(kBlocks * kStride);
  static constexpr int kChunks = 32;      // of a span
  static constexpr uint32_t kKept = 64;   // blocks that a processor keeps
  static constexpr uint32_t kBatch = 32;  // that it takes or gives at a time

  struct Chunk {
    Chunk* next = nullptr;  // of those that have blocks to give
    char* start = nullptr;
    Segment* unused = nullptr;  // linked by `next`
    int unused_count = 0;
    std::atomic<int> carved{0};  // blocks; written under the lock
    bool listed = false;
  };
  struct Span {
    Span* next = nullptr;
    char* start = nullptr;
    uint32_t number = 0;       // of the spans before it
    std::atomic<int> used{0};  // chunks
    Chunk chunks[kChunks];
  };
  struct alignas(64) Cache {
    Segment* list = nullptr;
    uint32_t count = 0;
    std::atomic<uint64_t> taken{0};  // } written by the owner only, read by anyone
    std::atomic<uint64_t> given{0};  // }
  };

  static Segment* Block(const Chunk& chunk, int index) {
    return reinterpret_cast<Segment*>(chunk.start + static_cast<size_t>(index) * kStride + kBytes);
  }
  static void AddOne(std::atomic<uint64_t>& counter) {
    counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
  Segment* TakeShared() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void GiveShared(Segment* first) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Chunk* NewChunk() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  OsMemory* os_ = nullptr;
  SegmentedStacks* owner_ = nullptr;
  int procs_ = 0;
  Cache* caches_ = nullptr;
  size_t caches_bytes_ = 0;
  std::atomic<Span*> spans_{nullptr};  // the list only grows
  mutable PoolMutex mutex_;
  Chunk* chunks_ ABSL_GUARDED_BY(mutex_) = nullptr;
  uint64_t taken_ ABSL_GUARDED_BY(mutex_) = 0;  // by threads without a processor
  uint64_t given_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t carved_ ABSL_GUARDED_BY(mutex_) = 0;  // blocks
  uint64_t trimmed_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace gyre::stacks

#endif  // GYRE_STACKS_FIRST_SEGMENTS_H_
