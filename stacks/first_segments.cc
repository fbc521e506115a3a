#include "stacks/first_segments.h"

#include <sys/mman.h>

#include <cerrno>
#include <new>
#include <utility>

#include "absl/strings/str_cat.h"

namespace gyre::stacks {

absl::Status FirstSegments::Start(int procs, SegmentedStacks* owner, OsMemory& os) {
  os_ = &os;
  owner_ = owner;
  procs_ = procs;
  caches_bytes_ = RoundUpToPage(static_cast<size_t>(procs) * sizeof(Cache));
  void* memory = os.Map(caches_bytes_);
  if (memory == nullptr) {
    return absl::ErrnoToStatus(
        errno, absl::StrCat("segmented stacks: cannot map ", caches_bytes_, " bytes for the caches of processors"));
  }
  caches_ = static_cast<Cache*>(memory);
  for (int i = 0; i < procs; ++i) new (&caches_[i]) Cache;
  return absl::OkStatus();
}

FirstSegments::~FirstSegments() {
  for (Span* span = spans_.load(std::memory_order_relaxed); span != nullptr;) {
    Span* next = span->next;
    os_->Unmap(span->start, kChunks * kChunkBytes);
    os_->Unmap(span, RoundUpToPage(sizeof(Span)));
    span = next;
  }
  if (caches_ != nullptr) os_->Unmap(caches_, caches_bytes_);
}

Segment* FirstSegments::Take(ProcId p) {
  if (p < 0) [[unlikely]] {
    PoolMutexLock lock(mutex_);
    Segment* first = TakeShared();
    if (first != nullptr) ++taken_;
    return first;
  }
  Cache& cache = caches_[p];
  if (cache.list == nullptr) [[unlikely]] {
    PoolMutexLock lock(mutex_);
    while (cache.count < kBatch) {
      Segment* first = TakeShared();
      if (first == nullptr) break;
      first->previous = std::exchange(cache.list, first);
      ++cache.count;
    }
    if (cache.list == nullptr) return nullptr;
  }
  Segment* first = cache.list;
  // A cache is linked by `previous`, for `next` may be in use.
  cache.list = std::exchange(first->previous, nullptr);
  --cache.count;
  AddOne(cache.taken);
  return first;
}

void FirstSegments::Give(ProcId p, Segment* first) {
  if (KeepsFor(p)) [[likely]] {
    Cache& cache = caches_[p];
    first->previous = std::exchange(cache.list, first);
    ++cache.count;
    AddOne(cache.given);
    return;
  }
  PoolMutexLock lock(mutex_);
  GiveShared(first);
  if (p >= 0) {
    AddOne(caches_[p].given);
  } else {
    ++given_;
  }
}

Segment* FirstSegments::TakeShared() {
  Chunk* chunk = chunks_;
  if (chunk == nullptr && (chunk = NewChunk()) == nullptr) return nullptr;
  Segment* first = chunk->unused;
  if (first != nullptr) {
    chunk->unused = std::exchange(first->next, nullptr);
    --chunk->unused_count;
  } else {
    const int index = chunk->carved.load(std::memory_order_relaxed);
    first = Block(*chunk, index);
    // Its memory is zero.
    first->SetSize(kBytes);
    first->owner = owner_;
    first->home = chunk;
    chunk->carved.store(index + 1, std::memory_order_relaxed);
    ++carved_;
  }
  if (chunk->unused == nullptr && chunk->carved.load(std::memory_order_relaxed) == kBlocks) {
    chunks_ = chunk->next;
    chunk->listed = false;
  }
  return first;
}

void FirstSegments::GiveShared(Segment* first) {
  auto* chunk = static_cast<Chunk*>(first->home);
  first->next = std::exchange(chunk->unused, first);
  ++chunk->unused_count;
  if (!chunk->listed) {
    chunk->listed = true;
    chunk->next = std::exchange(chunks_, chunk);
  }
}

FirstSegments::Chunk* FirstSegments::NewChunk() {
  Span* span = spans_.load(std::memory_order_relaxed);
  if (span == nullptr || span->used.load(std::memory_order_relaxed) == kChunks) {
    void* metadata = os_->Map(RoundUpToPage(sizeof(Span)));
    if (metadata == nullptr) return nullptr;
    char* start = static_cast<char*>(os_->Map(kChunks * kChunkBytes));
    // A kernel without huge pages answers EINVAL.
    if (start != nullptr && !os_->Advise(start, kChunks * kChunkBytes, MADV_NOHUGEPAGE) && errno != EINVAL) {
      const int error = errno;
      os_->Unmap(start, kChunks * kChunkBytes);
      errno = error;
      start = nullptr;
    }
    if (start == nullptr) {
      const int error = errno;
      os_->Unmap(metadata, RoundUpToPage(sizeof(Span)));
      errno = error;
      return nullptr;
    }
    Span* fresh = new (metadata) Span;
    fresh->start = start;
    fresh->next = span;
    fresh->number = span != nullptr ? span->number + 1 : 0;
    // Release: who finds the span in the list sees its fields.
    spans_.store(fresh, std::memory_order_release);
    span = fresh;
  }
  const int index = span->used.load(std::memory_order_relaxed);
  Chunk* chunk = &span->chunks[index];
  chunk->start = span->start + static_cast<size_t>(index) * kChunkBytes;
  chunk->listed = true;
  chunk->next = std::exchange(chunks_, chunk);
  // Release: who counts the chunk sees where it starts.
  span->used.store(index + 1, std::memory_order_release);
  return chunk;
}

size_t FirstSegments::Trim(size_t keep, size_t most) {
  PoolMutexLock lock(mutex_);
  size_t given_back = 0;
  for (Chunk* chunk = chunks_; chunk != nullptr && given_back < most; chunk = chunk->next) {
    const int carved = chunk->carved.load(std::memory_order_relaxed);
    if (carved == 0 || chunk->unused_count != carved) continue;
    if (kChunkBytes <= keep) {
      keep -= kChunkBytes;
      continue;
    }
    if (!os_->Advise(chunk->start, kChunkBytes, MADV_DONTNEED)) continue;
    chunk->carved.store(0, std::memory_order_relaxed);
    chunk->unused = nullptr;
    chunk->unused_count = 0;
    carved_ -= static_cast<uint64_t>(carved);
    trimmed_ += static_cast<uint64_t>(carved);
    given_back += kChunkBytes;
  }
  return given_back;
}

// A place is the number of a span plus one, and the blocks of it that have been visited. Newer spans come first.
uint64_t FirstSegments::ForSome(uint64_t place, size_t most, absl::FunctionRef<void(Segment*)> visit) const {
  constexpr int kBits = 16;
  size_t visited = 0;
  uint64_t done = place & ((uint64_t{1} << kBits) - 1);
  // Acquire, here and below: pairs with the publication of a span and of a chunk.
  for (Span* span = spans_.load(std::memory_order_acquire); span != nullptr; span = span->next) {
    if (place != 0 && span->number >= place >> kBits) continue;
    const uint64_t blocks = static_cast<uint64_t>(span->used.load(std::memory_order_acquire)) * kBlocks;
    for (; done < blocks; ++done) {
      if (visited++ == most) return (uint64_t{span->number} + 1) << kBits | done;
      const Chunk& chunk = span->chunks[done / kBlocks];
      const int index = static_cast<int>(done % kBlocks);
      if (index < chunk.carved.load(std::memory_order_relaxed)) visit(Block(chunk, index));
    }
    done = 0;
  }
  return 0;
}

FirstSegments::Counts FirstSegments::counts() const {
  Counts counts;
  uint64_t taken = 0, given = 0;
  for (int i = 0; i < procs_; ++i) {
    given += caches_[i].given.load(std::memory_order_relaxed);
    taken += caches_[i].taken.load(std::memory_order_relaxed);
  }
  PoolMutexLock lock(mutex_);
  given += given_;
  taken += taken_;
  counts.live = taken > given ? taken - given : 0;  // the counters are not read at one moment
  counts.cached = carved_ > counts.live ? carved_ - counts.live : 0;
  counts.trimmed = trimmed_;
  if (const Span* span = spans_.load(std::memory_order_acquire); span != nullptr) {
    counts.reserved_bytes = (uint64_t{span->number} + 1) * kChunks * kChunkBytes;
  }
  return counts;
}

}  // namespace gyre::stacks
