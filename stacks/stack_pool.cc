#include "stacks/stack_pool.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <utility>

#include "absl/strings/str_cat.h"

namespace gyre::stacks {
namespace {

constexpr int kMaxBatchesPerSpan = 64;
constexpr size_t kMaxBatchBytes = size_t{4} << 30;  // a batch of very large slots has fewer of them
constexpr size_t kMaxSpanBytes = size_t{4} << 30;   // unless one batch takes more

}  // namespace

void StackPool::Push(Magazine*& list, Magazine* magazine) {
  magazine->next = list;
  list = magazine;
}

StackPool::Magazine* StackPool::Pop(Magazine*& list) {
  Magazine* magazine = list;
  if (magazine != nullptr) list = magazine->next;
  return magazine;
}

// How tools/gyre-gdb.py finds all stacks, in a core file too: the pools that there are, and where their parts lie.
struct PoolLayout {
  static PoolMutex& Mutex() {
    static PoolMutex* mutex = new PoolMutex;  // never destroyed: a runtime may outlive main
    return *mutex;
  }
  static void Add(StackPool* pool) {
    PoolMutexLock hold(Mutex());
    pool->next_pool_ = first;
    first = pool;
  }
  static void Remove(StackPool* pool) {
    PoolMutexLock hold(Mutex());
    for (StackPool** at = &first; *at != nullptr; at = &(*at)->next_pool_) {
      if (*at == pool) {
        *at = pool->next_pool_;
        return;
      }
    }
  }

  static inline StackPool* first = nullptr;
  static const uint64_t kTable[];
};

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Winvalid-offsetof"
// In the order in which the script has them.
const uint64_t PoolLayout::kTable[] = {
    1,  // the table's version
    reinterpret_cast<uint64_t>(&PoolLayout::first),
    offsetof(StackPool, next_pool_),
    offsetof(StackPool, spans_),
    offsetof(StackPool, classes_),
    sizeof(SizeClass),
    offsetof(SizeClass, stride),
    offsetof(StackPool, depots_),
    sizeof(StackPool::Depot),
    offsetof(StackPool::Depot, batch),
    offsetof(StackPool::Span, next),
    offsetof(StackPool::Span, start),
    offsetof(StackPool::Span, size_class),
    offsetof(StackPool::Span, carved),
};
#pragma GCC diagnostic pop

extern "C" [[gnu::used]] const uint64_t* const gyre_gdb_pool_layout = PoolLayout::kTable;

absl::Status StackPool::Start(int procs, std::vector<SizeClass> classes, OsMemory& os, SlotKeeper& keeper) {
  os_ = &os;
  keeper_ = &keeper;
  classes_ = std::move(classes);
  procs_ = procs;
  const size_t count = classes_.size();
  for (size_t i = 0; i < count; ++i) {
    depots_[i].batch = static_cast<int>(std::clamp<size_t>(kMaxBatchBytes / classes_[i].stride, 1, kMagazineSlots));
  }
  // A magazine of zero bytes is an empty one, so those of classes that a processor never uses are never touched.
  const size_t caches_bytes = RoundUpToPage(static_cast<size_t>(procs) * sizeof(ProcCache));
  proc_memory_bytes_ = caches_bytes + RoundUpToPage(static_cast<size_t>(procs) * count * 2 * sizeof(Magazine));
  proc_memory_ = os_->Map(proc_memory_bytes_);
  if (proc_memory_ == nullptr) {
    return absl::ErrnoToStatus(errno, absl::StrCat("stack pool: cannot map ", proc_memory_bytes_,
                                                   " bytes for the caches of ", procs, " processors"));
  }
  caches_ = static_cast<ProcCache*>(proc_memory_);
  auto* magazine = reinterpret_cast<Magazine*>(static_cast<char*>(proc_memory_) + caches_bytes);
  for (int i = 0; i < procs; ++i) {
    ProcCache* cache = new (&caches_[i]) ProcCache;
    for (size_t c = 0; c < count; ++c) cache->pairs[c] = {magazine++, magazine++};
  }
  PoolLayout::Add(this);
  return absl::OkStatus();
}

StackPool::~StackPool() {
  PoolLayout::Remove(this);
  for (Span* span = spans_.load(std::memory_order_relaxed); span != nullptr;) {
    Span* next = span->next;
    os_->Unmap(span->start, span->bytes);
    os_->Unmap(span, span->metadata_bytes);
    span = next;
  }
  if (proc_memory_ != nullptr) os_->Unmap(proc_memory_, proc_memory_bytes_);
}

StackPool::Magazine* StackPool::TakeFullOrPartial(Depot& depot) {
  if (Magazine* magazine = Pop(depot.warm); magazine != nullptr) return magazine;
  if (depot.partial != nullptr) return std::exchange(depot.partial, nullptr);
  return Pop(depot.cold);
}

// The loaded magazine is empty.
Slot StackPool::Refill(ProcCache& cache, int size_class) {
  MagazinePair& pair = cache.pairs[size_class];
  if (pair.previous->count > 0) {
    std::swap(pair.loaded, pair.previous);
    return pair.loaded->slots[--pair.loaded->count];
  }
  Depot& depot = depots_[size_class];
  {
    PoolMutexLock lock(depot.mutex);
    if (Magazine* magazine = TakeFullOrPartial(depot); magazine != nullptr) {
      Push(depot.empty, std::exchange(pair.loaded, magazine));
      return magazine->slots[--magazine->count];
    }
  }
  Magazine* magazine = Carve(size_class);
  if (magazine == nullptr) return Slot();
  PoolMutexLock lock(depot.mutex);
  Push(depot.empty, std::exchange(pair.loaded, magazine));
  return magazine->slots[--magazine->count];
}

// The loaded magazine is full.
void StackPool::Spill(ProcCache& cache, Slot slot) {
  const int size_class = slot.size_class();
  MagazinePair& pair = cache.pairs[size_class];
  Depot& depot = depots_[size_class];
  if (pair.previous->count < static_cast<uint32_t>(depot.batch)) {
    std::swap(pair.loaded, pair.previous);
  } else {
    PoolMutexLock lock(depot.mutex);
    Magazine* roomy = Pop(depot.empty);
    if (roomy == nullptr) roomy = std::exchange(depot.partial, nullptr);  // one of the two exists: invariant 3
    pair.previous->resident_pages = kUnknown;
    Push(depot.warm, pair.previous);
    pair.previous = std::exchange(pair.loaded, roomy);
  }
  pair.loaded->slots[pair.loaded->count++] = slot;
}

Slot StackPool::TakeShared(int size_class) {
  Depot& depot = depots_[size_class];
  Magazine* carved = nullptr;
  depot.mutex.Lock();
  if (depot.partial == nullptr) {
    depot.partial = TakeFullOrPartial(depot);
    if (depot.partial == nullptr) {
      depot.mutex.Unlock();
      carved = Carve(size_class);
      if (carved == nullptr) return Slot();
      depot.mutex.Lock();
      if (depot.partial == nullptr) {
        depot.partial = carved;
      } else {
        Push(depot.cold, carved);  // another thread brought one meanwhile
      }
    }
  }
  const Slot slot = depot.partial->slots[--depot.partial->count];
  if (depot.partial->count == 0) Push(depot.empty, std::exchange(depot.partial, nullptr));
  ++depot.taken;
  depot.mutex.Unlock();
  return slot;
}

void StackPool::GiveOne(Depot& depot, Slot slot) {
  if (depot.partial == nullptr) depot.partial = Pop(depot.empty);  // there is one: invariant 3
  Magazine& partial = *depot.partial;
  partial.slots[partial.count++] = slot;
  if (partial.count == static_cast<uint32_t>(depot.batch)) {
    partial.resident_pages = kUnknown;
    Push(depot.warm, std::exchange(depot.partial, nullptr));
  }
}

void StackPool::GiveShared(Slot slot) {
  Depot& depot = depots_[slot.size_class()];
  PoolMutexLock lock(depot.mutex);
  GiveOne(depot, slot);
  ++depot.given;
}

// A full magazine of fresh slots, prepared outside of the lock; null with errno.
StackPool::Magazine* StackPool::Carve(int size_class) {
  Depot& depot = depots_[size_class];
  Magazine* magazine;
  {
    PoolMutexLock lock(depot.mutex);
    magazine = Pop(depot.raw);
    if (magazine == nullptr) magazine = CarveUnprepared(depot, size_class);
    if (magazine == nullptr) return nullptr;
  }
  const bool prepared = keeper_->Prepare(absl::MakeSpan(magazine->slots, magazine->count));
  const int error = errno;
  PoolMutexLock lock(depot.mutex);
  if (!prepared) {
    Push(depot.raw, magazine);
    errno = error;
    return nullptr;
  }
  depot.carved += magazine->count;
  return magazine;
}

StackPool::Magazine* StackPool::CarveUnprepared(Depot& depot, int size_class) {
  const SizeClass& shape = classes_[static_cast<size_t>(size_class)];
  const size_t batch_bytes = static_cast<size_t>(depot.batch) * shape.stride;
  if (depot.span == nullptr || depot.span->carved.load(std::memory_order_relaxed) == depot.span->batches) {
    // Each span is twice as large as the one before it, so that small programs stay small and a million stacks need few
    // mappings.
    const int most = static_cast<int>(std::clamp<size_t>(kMaxSpanBytes / batch_bytes, 1, kMaxBatchesPerSpan));
    const int wanted = depot.span == nullptr ? 1 : std::min(depot.span->batches * 2, most);
    Span* span = NewSpan(size_class, wanted);
    if (span == nullptr && wanted > 1) span = NewSpan(size_class, 1);
    if (span == nullptr) return nullptr;
    depot.span = span;
  }
  Span& span = *depot.span;
  const int batch = span.carved.load(std::memory_order_relaxed);
  Magazine& magazine = span.magazines()[batch];
  magazine.count = static_cast<uint32_t>(depot.batch);
  magazine.resident_pages = kUnknown;
  char* top = span.start + static_cast<size_t>(batch) * batch_bytes;
  // Addresses are handed out from the last element down, so the lowest slot goes out first.
  for (int i = depot.batch - 1; i >= 0; --i) magazine.slots[i] = Slot(top += shape.stride, size_class, 0);
  span.carved.store(batch + 1, std::memory_order_relaxed);
  return &magazine;
}

StackPool::Span* StackPool::NewSpan(int size_class, int batches) {
  const size_t bytes = classes_[static_cast<size_t>(size_class)].stride *
                       static_cast<size_t>(depots_[size_class].batch) * static_cast<size_t>(batches);
  const size_t metadata_bytes = RoundUpToPage(Span::kMagazinesAt + static_cast<size_t>(batches) * sizeof(Magazine));
  void* metadata = os_->Map(metadata_bytes);
  if (metadata == nullptr) return nullptr;
  char* start = static_cast<char*>(os_->Map(bytes));
  // A huge page would make the first touch of one stack cost two megabytes. A kernel that has none answers EINVAL.
  if (start != nullptr && !os_->Advise(start, bytes, MADV_NOHUGEPAGE) && errno != EINVAL) {
    const int error = errno;
    os_->Unmap(start, bytes);
    errno = error;
    start = nullptr;
  }
  if (start == nullptr) {
    const int error = errno;
    os_->Unmap(metadata, metadata_bytes);
    errno = error;
    return nullptr;
  }
  Span* span = new (metadata) Span{.next = nullptr,
                                   .start = start,
                                   .bytes = bytes,
                                   .metadata_bytes = metadata_bytes,
                                   .size_class = size_class,
                                   .batches = batches,
                                   .number = 0,
                                   .carved = 0};
  span->next = spans_.load(std::memory_order_acquire);
  // Release: who finds the span in the list sees its fields; acquire: the one before it is read here. Depots of several
  // classes may push at once.
  do {
    span->number = span->next != nullptr ? span->next->number + 1 : 0;
  } while (!spans_.compare_exchange_weak(span->next, span, std::memory_order_acq_rel, std::memory_order_acquire));
  reserved_bytes_.fetch_add(bytes, std::memory_order_relaxed);
  return span;
}

bool StackPool::TrimMagazine(Magazine& magazine, size_t& keep, size_t& given_back) {
  const absl::Span<Slot> slots = absl::MakeSpan(magazine.slots, magazine.count);
  if (magazine.resident_pages == kUnknown) {
    size_t bytes = 0;
    for (Slot slot : slots) {
      const size_t usable = size_class(slot.size_class()).usable;
      bytes += os_->Resident(slot.top() - usable, usable);
    }
    magazine.resident_pages = static_cast<uint32_t>(bytes / kPage);
  }
  const size_t resident = magazine.resident_pages * kPage;
  if (resident <= keep) {
    keep -= resident;
    return resident == 0;
  }
  if (!keeper_->Strip(slots)) return false;
  magazine.resident_pages = 0;
  given_back += resident;
  trimmed_.fetch_add(slots.size(), std::memory_order_relaxed);
  return true;
}

size_t StackPool::TrimClass(int size_class, size_t& keep, size_t most) {
  Depot& depot = depots_[size_class];
  size_t given_back = 0;
  Magazine* warm;
  {
    PoolMutexLock lock(depot.mutex);
    warm = std::exchange(depot.warm, nullptr);
    // The partial one cannot be taken away, for it may be all the room there is; one magazine is little work.
    if (depot.partial != nullptr) {
      depot.partial->resident_pages = kUnknown;
      TrimMagazine(*depot.partial, keep, given_back);
    }
  }
  Magazine* kept = nullptr;
  Magazine* stripped = nullptr;
  Magazine* last_kept = nullptr;
  Magazine* last_stripped = nullptr;
  while (given_back < most) {
    Magazine* magazine = Pop(warm);
    if (magazine == nullptr) break;
    const bool cold = TrimMagazine(*magazine, keep, given_back);
    Magazine*& last = cold ? last_stripped : last_kept;
    if (last == nullptr) last = magazine;
    Push(cold ? stripped : kept, magazine);
  }
  Magazine* last_left = warm;  // not looked at
  while (last_left != nullptr && last_left->next != nullptr) last_left = last_left->next;
  PoolMutexLock lock(depot.mutex);
  if (kept != nullptr) last_kept->next = std::exchange(depot.warm, kept);
  if (last_left != nullptr) last_left->next = std::exchange(depot.warm, warm);
  if (stripped != nullptr) last_stripped->next = std::exchange(depot.cold, stripped);
  return given_back;
}

void StackPool::FlushIdleProcessors() {
  // Relaxed: the barrier below orders these before the loads of `busy`, and it is what makes every owner that
  // enters from now on see the claim.
  for (int i = 0; i < procs_; ++i) caches_[i].claimed.store(1, std::memory_order_relaxed);
  const bool safe = os_->BarrierOnAllThreads();
  for (int i = 0; i < procs_; ++i) {
    ProcCache& cache = caches_[i];
    // Acquire: pairs with Leave.
    if (safe && cache.busy.load(std::memory_order_acquire) == 0) {
      for (size_t c = 0; c < classes_.size(); ++c) {
        MagazinePair& pair = cache.pairs[c];
        if (pair.loaded->count + pair.previous->count == 0) continue;
        Depot& depot = depots_[c];
        PoolMutexLock lock(depot.mutex);
        for (Magazine* magazine : {pair.previous, pair.loaded}) {
          for (uint32_t s = 0; s < magazine->count; ++s) GiveOne(depot, magazine->slots[s]);
          magazine->count = 0;
        }
      }
    }
    // Release: the owner's next Enter sees what happened here.
    cache.claimed.store(0, std::memory_order_release);
  }
}

size_t StackPool::Trim(size_t keep, size_t most) {
  PoolMutexLock lock(trim_mutex_);
  FlushIdleProcessors();
  size_t given_back = 0;
  for (size_t c = 0; c < classes_.size() && given_back < most; ++c) {
    given_back += TrimClass(static_cast<int>(c), keep, most - given_back);
  }
  trimmed_bytes_.fetch_add(given_back, std::memory_order_relaxed);
  return given_back;
}

// A place is the number of a span plus one, and the slots of it that have been visited. Newer spans come first.
uint64_t StackPool::ForSome(uint64_t place, size_t most, absl::FunctionRef<void(Slot)> visit) const {
  constexpr int kSlotBits = 32;
  size_t visited = 0;
  uint64_t done = place & ((uint64_t{1} << kSlotBits) - 1);
  // Acquire: pairs with the push of a span.
  for (Span* span = spans_.load(std::memory_order_acquire); span != nullptr; span = span->next) {
    if (place != 0 && span->number >= place >> kSlotBits) continue;
    const size_t stride = size_class(span->size_class).stride;
    // Relaxed: only the count matters; a slot's memory was mapped before the span was published.
    const auto slots = static_cast<uint64_t>(span->carved.load(std::memory_order_relaxed)) *
                       static_cast<uint64_t>(depots_[span->size_class].batch);
    for (; done < slots; ++done) {
      if (visited++ == most) return (uint64_t{span->number} + 1) << kSlotBits | done;
      visit(Slot(span->start + (done + 1) * stride, span->size_class, 0));
    }
    done = 0;
  }
  return 0;
}

Slot StackPool::Locate(uintptr_t address) const {
  // Acquire: pairs with the push of a span.
  for (Span* span = spans_.load(std::memory_order_acquire); span != nullptr; span = span->next) {
    const uintptr_t offset = address - reinterpret_cast<uintptr_t>(span->start);
    if (offset >= span->bytes) continue;
    const size_t stride = size_class(span->size_class).stride;
    return Slot(span->start + (offset / stride + 1) * stride, span->size_class, 0);
  }
  return Slot();
}

StackPool::Counts StackPool::counts() const {
  Counts counts;
  uint64_t taken = 0, given = 0, carved = 0;
  for (int i = 0; i < procs_; ++i) {
    given += caches_[i].given.load(std::memory_order_relaxed);
    taken += caches_[i].taken.load(std::memory_order_relaxed);
  }
  for (size_t c = 0; c < classes_.size(); ++c) {
    const Depot& depot = depots_[c];
    PoolMutexLock lock(depot.mutex);
    given += depot.given;
    taken += depot.taken;
    carved += depot.carved;
  }
  counts.live = taken > given ? taken - given : 0;  // the counters are not read at one moment
  counts.cached = carved > counts.live ? carved - counts.live : 0;
  counts.trimmed = trimmed_.load(std::memory_order_relaxed);
  counts.trimmed_bytes = trimmed_bytes_.load(std::memory_order_relaxed);
  counts.reserved_bytes = reserved_bytes_.load(std::memory_order_relaxed);
  return counts;
}

}  // namespace gyre::stacks
