// Sequences of words that are written once and then named by a number: stacks (return addresses) and strings.
//
// Any thread with preemption off, at once. Finding what is there takes no lock; adding takes one.
//
// Invariants
//  1. An entry is complete before it is published in its bucket (release), and never changes or goes afterwards.
//  2. A bucket's chain grows at its head, under the lock; who read an older head misses new entries only, and looks
//  again
//     under the lock before it adds.
#ifndef GYRE_RUNTIME_TRACE_INTERN_H_
#define GYRE_RUNTIME_TRACE_INTERN_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "absl/functional/function_ref.h"
#include "runtime/raw_lock.h"
#include "runtime/trace/memory.h"

namespace gyre::internal {

class InternTable {
 public:
  InternTable() : buckets_(static_cast<std::atomic<Entry*>*>(MapMemory(kBuckets * sizeof(std::atomic<Entry*>)))) {}
  ~InternTable() { UnmapMemory(buckets_, kBuckets * sizeof(std::atomic<Entry*>)); }

  static constexpr size_t kMaxBytes = 4096;

  // The number of `bytes` bytes at `data` that are of `kind`, which is part of what they are: from 1. 0: there is no
  // memory. At most kMaxBytes bytes.
  uint32_t Intern(uint32_t kind, const void* data, size_t bytes) {
    if (buckets_ == nullptr) [[unlikely]]
      return 0;
    const uint64_t hash = Hash(kind, data, bytes);
    std::atomic<Entry*>& bucket = buckets_[hash >> (64 - kBucketBits)];
    Entry* const seen = bucket.load(std::memory_order_acquire);
    if (const Entry* e = Find(seen, nullptr, hash, kind, data, bytes)) return e->number;
    RawLockHolder hold(lock_);
    Entry* const head = bucket.load(std::memory_order_relaxed);
    if (const Entry* e = Find(head, seen, hash, kind, data, bytes)) return e->number;
    auto* e = static_cast<Entry*>(arena_.Allocate(sizeof(Entry) + bytes));
    if (e == nullptr) return 0;
    e->next = head;
    e->hash = hash;
    e->kind = kind;
    e->number = ++count_;
    e->bytes = static_cast<uint32_t>(bytes);
    std::memcpy(e + 1, data, bytes);
    bucket.store(e, std::memory_order_release);
    return e->number;
  }

  // When nobody adds any more.
  void ForEach(absl::FunctionRef<void(uint32_t number, uint32_t kind, const void* data, size_t bytes)> visit) const {
    if (buckets_ == nullptr) return;
    for (size_t i = 0; i < kBuckets; ++i) {
      for (const Entry* e = buckets_[i].load(std::memory_order_acquire); e != nullptr; e = e->next) {
        visit(e->number, e->kind, e + 1, e->bytes);
      }
    }
  }

 private:
  struct alignas(8) Entry {
    Entry* next;
    uint64_t hash;
    uint32_t kind;
    uint32_t number;
    uint32_t bytes;
  };
  static constexpr int kBucketBits = 13;
  static constexpr size_t kBuckets = size_t{1} << kBucketBits;

  // Multiply and fold, eight bytes at a time; what is hashed is not an enemy's.
  static uint64_t Hash(uint32_t kind, const void* data, size_t bytes) {
    constexpr uint64_t kFactor = 0x9e3779b97f4a7c15;
    const char* at = static_cast<const char*>(data);
    uint64_t hash = (bytes ^ (uint64_t{kind} << 32)) * kFactor;
    for (; bytes >= 8; at += 8, bytes -= 8) {
      uint64_t word;
      std::memcpy(&word, at, 8);
      hash = (hash ^ word) * kFactor;
      hash ^= hash >> 32;
    }
    uint64_t word = 0;
    std::memcpy(&word, at, bytes);
    hash = (hash ^ word) * kFactor;
    return hash ^ (hash >> 29);
  }

  static const Entry* Find(const Entry* from, const Entry* until, uint64_t hash, uint32_t kind, const void* data,
                           size_t bytes) {
    for (const Entry* e = from; e != until; e = e->next) {
      if (e->hash == hash && e->kind == kind && e->bytes == bytes && std::memcmp(e + 1, data, bytes) == 0) return e;
    }
    return nullptr;
  }

  std::atomic<Entry*>* const buckets_;
  RawLock lock_;
  MapArena arena_ ABSL_GUARDED_BY(lock_);
  uint32_t count_ ABSL_GUARDED_BY(lock_) = 0;
};

}  // namespace gyre::internal

#endif  // GYRE_RUNTIME_TRACE_INTERN_H_
