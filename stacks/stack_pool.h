// The stack pool: slots of address space in size classes, handed out and taken back in a few nanoseconds.
//
// Three levels, each the refuge of the one above it:
//   - a cache on each processor, two magazines of slots per size class, used without a lock, last in first out, so that
//     the stack that is warm in the processor's cache goes out first;
//   - the depot of a size class, which exchanges whole magazines with the processors under a short lock;
//   - the operating system: spans of reserved address space, carved into slots a magazine at a time.
// This is the magazine layer of Bonwick and Adams ("Magazines and Vmem", 2001). A stack that is freed on another
// processor than it came from fills that processor's magazines, and full magazines flow back through the depot, so no
// processor hoards more than two of them per class.
//
// What a slot's pages are made to do (guards, growth) is its keeper's business: the pool only moves slots.
//
// Who may call what
//  1. Take and Give: any thread; no two calls with the same ProcContext overlap. Those with id kNoProc, which go
//     straight to the depot, do.
//  2. Trim, ForEach, ForSome and counts: any thread, at any time.
//  3. The keeper's functions are called by Take and Trim, Strip perhaps under a lock of the pool: they must not
//     call back.
//
// Invariants
//  1. Each slot is in exactly one place: handed out, in a processor's magazine, in a magazine of the depot, or in
//     transit between the last two under one thread's control.
//  2. A processor holds exactly two magazines of each class, at every moment when it is not inside Take or Give.
//  3. A class has as many magazines outside of the processors as it takes to hold all its slots. So whoever gives
//     back a slot finds room in the depot, without allocating: if there is a slot in its hand, the depot's
//     magazines cannot all be full.
//  4. A processor's cache is touched by its owner between Enter and Leave only, or by Trim while `claimed` is set and
//     `busy` was seen clear after a barrier on all threads.
#ifndef GYRE_STACKS_STACK_POOL_H_
#define GYRE_STACKS_STACK_POOL_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/types/span.h"
#include "plugins/proc_context.h"
#include "stacks/os_memory.h"

namespace gyre::stacks {

inline constexpr size_t kPage = 4096;

constexpr size_t RoundUpToPage(size_t bytes) {
  return (bytes + kPage - 1) & ~(kPage - 1);
}

// A slot, packed into one word: the address past its top, its size class, and a level from 0 to 31 that belongs to the
// keeper and that the pool keeps while the slot is cached. All zero: no slot.
class Slot {
 public:
  Slot() = default;
  explicit Slot(uint64_t bits) : bits_(bits) {}
  Slot(char* top, int size_class, int level)
      : bits_(reinterpret_cast<uintptr_t>(top) | static_cast<uint64_t>(level << 5 | size_class)) {}

  explicit operator bool() const { return bits_ != 0; }
  uint64_t bits() const { return bits_; }
  char* top() const { return reinterpret_cast<char*>(bits_ & ~uint64_t{kPage - 1}); }
  int size_class() const { return static_cast<int>(bits_ & 31); }
  int level() const { return static_cast<int>(bits_ >> 5 & 31); }

 private:
  uint64_t bits_ = 0;
};

// std::mutex with annotations: the pool's locks are held for a few dozen instructions.
class ABSL_LOCKABLE PoolMutex {
 public:
  void Lock() ABSL_EXCLUSIVE_LOCK_FUNCTION() { mutex_.lock(); }
  void Unlock() ABSL_UNLOCK_FUNCTION() { mutex_.unlock(); }

 private:
  std::mutex mutex_;
};

class ABSL_SCOPED_LOCKABLE PoolMutexLock {
 public:
  explicit PoolMutexLock(PoolMutex& mutex) ABSL_EXCLUSIVE_LOCK_FUNCTION(mutex) : mutex_(mutex) { mutex_.Lock(); }
  ~PoolMutexLock() ABSL_UNLOCK_FUNCTION() { mutex_.Unlock(); }
  PoolMutexLock(const PoolMutexLock&) = delete;
  PoolMutexLock& operator=(const PoolMutexLock&) = delete;

 private:
  PoolMutex& mutex_;
};

// Slots of one size class lie `stride` apart; the upper `usable` bytes of each are the stack.
struct SizeClass {
  size_t usable;
  size_t stride;
};

class SlotKeeper {
 public:
  virtual ~SlotKeeper() = default;

  // Makes slots that were never used ready to be handed out; their memory is zero and may all be touched. May set their
  // levels. On failure returns false with errno; the same slots may come again.
  virtual bool Prepare(absl::Span<Slot> slots) = 0;

  // Gives the memory of unused slots back to the operating system; may set their levels. On failure returns false.
  virtual bool Strip(absl::Span<Slot> slots) = 0;
};

class StackPool {
 public:
  static constexpr int kMaxClasses = 32;
  static constexpr int kMagazineSlots = 62;

  StackPool() = default;
  ~StackPool();
  StackPool(const StackPool&) = delete;
  StackPool& operator=(const StackPool&) = delete;

  // Once, before anything else. Processors are numbered from 0 to procs - 1. `os` and `keeper` outlive the pool.
  absl::Status Start(int procs, std::vector<SizeClass> classes, OsMemory& os, SlotKeeper& keeper);

  // An empty slot with errno if the operating system gives no more.
  Slot Take(ProcContext& p, int size_class);
  void Give(ProcContext& p, Slot slot);

  // Leaves at most `keep` bytes resident in unused slots, where it gets at them: what processors cache that are in
  // Take or Give right now stays. Stops after about `most` bytes. Returns the bytes given back.
  size_t Trim(size_t keep, size_t most = SIZE_MAX);

  // Every slot that was ever handed out, and perhaps a few that will be.
  void ForEach(absl::FunctionRef<void(Slot)> visit) const { ForSome(0, SIZE_MAX, visit); }
  // The next `most` of them, see StackAllocator::ForSome.
  uint64_t ForSome(uint64_t place, size_t most, absl::FunctionRef<void(Slot)> visit) const;

  // Async-signal-safe.
  const SizeClass& size_class(int index) const { return classes_[static_cast<size_t>(index)]; }
  // The slot that the address lies in, its guard included, at level 0; none if it is not the pool's.
  Slot Locate(uintptr_t address) const;

  struct Counts {
    uint64_t live = 0;
    uint64_t cached = 0;
    uint64_t trimmed = 0;
    uint64_t trimmed_bytes = 0;
    uint64_t reserved_bytes = 0;
  };
  Counts counts() const;

 private:
  // Holds up to the class's batch of slots; full or empty whenever it is on one of the depot's lists.
  struct Magazine {
    Magazine* next;
    uint32_t count;
    uint32_t resident_pages;  // of all its slots, when Trim last looked; kUnknown otherwise
    Slot slots[kMagazineSlots];
  };
  static_assert(sizeof(Magazine) == 512);
  static constexpr uint32_t kUnknown = ~uint32_t{0};

  struct MagazinePair {
    Magazine* loaded;
    Magazine* previous;
  };

  // The part of a processor. `busy` and `claimed` are the two sides of Dekker's handshake; the owner's side has no
  // fence because Trim, which is rare, runs a barrier on all threads on its behalf.
  struct alignas(64) ProcCache {
    bool Enter() {
      busy.store(1, std::memory_order_relaxed);
      std::atomic_signal_fence(std::memory_order_seq_cst);  // keeps the compiler from reordering; see above
      // Acquire: what Trim did to the cache before it cleared the claim is visible.
      if (claimed.load(std::memory_order_acquire) == 0) [[likely]]
        return true;
      Leave();
      return false;
    }
    // Release: Trim, once it sees this, sees the cache as the owner left it.
    void Leave() { busy.store(0, std::memory_order_release); }

    std::atomic<uint32_t> busy{0};
    std::atomic<uint32_t> claimed{0};
    std::atomic<uint64_t> taken{0};  // } written by the owner only, read by anyone
    std::atomic<uint64_t> given{0};  // }
    MagazinePair pairs[kMaxClasses];
  };

  // A reserved piece of address space. Spans are never unmapped before the pool dies, and their list only grows.
  struct Span {
    Span* next;
    char* start;
    size_t bytes;
    size_t metadata_bytes;  // of this object and its magazines
    int size_class;
    int batches;
    uint32_t number;          // of the spans that were pushed before
    std::atomic<int> carved;  // batches; written under the depot's lock
    Magazine* magazines() { return reinterpret_cast<Magazine*>(reinterpret_cast<char*>(this) + kMagazinesAt); }
    static constexpr size_t kMagazinesAt = 512;
  };

  struct alignas(64) Depot {
    mutable PoolMutex mutex;
    Magazine* warm ABSL_GUARDED_BY(mutex) = nullptr;  // full, perhaps with memory
    Magazine* cold ABSL_GUARDED_BY(mutex) = nullptr;  // full, without memory
    Magazine* raw ABSL_GUARDED_BY(mutex) = nullptr;   // full, not prepared: the keeper failed
    Magazine* empty ABSL_GUARDED_BY(mutex) = nullptr;
    Magazine* partial ABSL_GUARDED_BY(mutex) = nullptr;  // neither full nor empty; takes and gives single slots
    Span* span ABSL_GUARDED_BY(mutex) = nullptr;         // the one being carved
    uint64_t taken ABSL_GUARDED_BY(mutex) = 0;           // by threads without a processor
    uint64_t given ABSL_GUARDED_BY(mutex) = 0;
    uint64_t carved ABSL_GUARDED_BY(mutex) = 0;  // slots
    int batch = 0;                               // slots per magazine; constant after Start
  };

  // For a counter that one thread writes and any reads.
  static void AddOne(std::atomic<uint64_t>& counter) {
    counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
  static void Push(Magazine*& list, Magazine* magazine);
  static Magazine* Pop(Magazine*& list);

  Slot Refill(ProcCache& cache, int size_class);
  void Spill(ProcCache& cache, Slot slot);
  Slot TakeShared(int size_class);
  void GiveShared(Slot slot);
  void GiveOne(Depot& depot, Slot slot) ABSL_EXCLUSIVE_LOCKS_REQUIRED(depot.mutex);
  Magazine* TakeFullOrPartial(Depot& depot) ABSL_EXCLUSIVE_LOCKS_REQUIRED(depot.mutex);
  Magazine* Carve(int size_class);
  Magazine* CarveUnprepared(Depot& depot, int size_class) ABSL_EXCLUSIVE_LOCKS_REQUIRED(depot.mutex);
  Span* NewSpan(int size_class, int batches);

  void FlushIdleProcessors() ABSL_EXCLUSIVE_LOCKS_REQUIRED(trim_mutex_);
  size_t TrimClass(int size_class, size_t& keep, size_t most) ABSL_EXCLUSIVE_LOCKS_REQUIRED(trim_mutex_);
  // Measures the magazine, and strips it if it does not fit in `keep`. Returns whether it is without memory now.
  bool TrimMagazine(Magazine& magazine, size_t& keep, size_t& given_back) ABSL_EXCLUSIVE_LOCKS_REQUIRED(trim_mutex_);

  OsMemory* os_ = nullptr;
  SlotKeeper* keeper_ = nullptr;
  std::vector<SizeClass> classes_;
  int procs_ = 0;
  void* proc_memory_ = nullptr;  // the caches and their first magazines
  size_t proc_memory_bytes_ = 0;
  ProcCache* caches_ = nullptr;
  Depot depots_[kMaxClasses];

  std::atomic<Span*> spans_{nullptr};
  std::atomic<uint64_t> reserved_bytes_{0};
  std::atomic<uint64_t> trimmed_{0};
  std::atomic<uint64_t> trimmed_bytes_{0};
  PoolMutex trim_mutex_;  // one Trim at a time; taken before any depot's

  // All pools that have been started, for debuggers (gyre_gdb_pool_layout in stack_pool.cc).
  friend struct PoolLayout;
  StackPool* next_pool_ = nullptr;
};

inline Slot StackPool::Take(ProcContext& p, int size_class) {
  if (p.id >= 0) [[likely]] {
    ProcCache& cache = caches_[p.id];
    if (cache.Enter()) [[likely]] {
      Magazine* loaded = cache.pairs[size_class].loaded;
      const Slot slot = loaded->count > 0 ? loaded->slots[--loaded->count] : Refill(cache, size_class);
      if (slot) [[likely]]
        AddOne(cache.taken);
      cache.Leave();
      return slot;
    }
  }
  return TakeShared(size_class);
}

inline void StackPool::Give(ProcContext& p, Slot slot) {
  if (p.id >= 0) [[likely]] {
    ProcCache& cache = caches_[p.id];
    if (cache.Enter()) [[likely]] {
      Magazine* loaded = cache.pairs[slot.size_class()].loaded;
      if (loaded->count < static_cast<uint32_t>(depots_[slot.size_class()].batch)) [[likely]] {
        loaded->slots[loaded->count++] = slot;
      } else {
        Spill(cache, slot);
      }
      AddOne(cache.given);
      cache.Leave();
      return;
    }
  }
  GiveShared(slot);
}

}  // namespace gyre::stacks

#endif  // GYRE_STACKS_STACK_POOL_H_
