// A work-stealing deque that grows: the owner pushes and pops at the bottom, thieves take from the top.
// (Chase and Lev, "Dynamic Circular Work-Stealing Deque", SPAA 2005)
//
// One owner at a time calls Push and Pop; any thread may call Steal and size().
//
// Invariants
//  1. Entries [top, bottom) are the queued tasks, oldest at top. `top` only grows. Only the owner writes `bottom`, the
//     entries and `ring_`.
//  2. The entry at `top` leaves by a compare-and-swap of `top`, the owner's included when it is the last one. The owner
//     takes any other from the bottom without one.
//  3. The owner has lowered bottom to b before it reads top; a thief has read top before it reads bottom. Both pairs
//  are
//     in one total order (below), so for the same entry at least one of the two sees the other, and the swap decides.
//  4. A grown ring holds the same entries at the same indices; the old one is kept until the deque ends, for thieves
//  that
//     still read it. All of them together are as large as the last.
//
// Memory orders: Lê, Pop, Cohen and Zappa Nardelli, "Correct and Efficient Work-Stealing for Weak Memory Models", PPoPP
// 2013, with their two full fences replaced by sequentially consistent accesses to `top` and `bottom` (invariant 3). On
// x86 that costs the same, and ThreadSanitizer understands it.
#ifndef GYRE_SCHEDULERS_CHASE_LEV_DEQUE_H_
#define GYRE_SCHEDULERS_CHASE_LEV_DEQUE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "plugins/task.h"

namespace gyre::schedulers {

class ChaseLevDeque {
 public:
  static constexpr int64_t kInitialCapacity = 256;

  ChaseLevDeque() { ring_.store(NewRing(kInitialCapacity), std::memory_order_relaxed); }

  // ---- the owner ----

  void Push(Task* t) {
    const int64_t bottom = bottom_.load(std::memory_order_relaxed);
    // Acquire: a thief that has moved top has read its entry, which may now be overwritten.
    const int64_t top = top_.load(std::memory_order_acquire);
    Ring* ring = ring_.load(std::memory_order_relaxed);
    if (bottom - top >= ring->capacity) [[unlikely]]
      ring = Grow(*ring, top, bottom);
    ring->At(bottom).store(t, std::memory_order_relaxed);
    // Release: who sees the new bottom sees the entry, and what the task's maker wrote.
    bottom_.store(bottom + 1, std::memory_order_release);
  }

  // The newest, or null.
  Task* Pop() {
    const int64_t bottom = bottom_.load(std::memory_order_relaxed) - 1;
    // Relaxed: only a shortcut. Top never falls, so what looks empty to the owner is empty.
    if (top_.load(std::memory_order_relaxed) > bottom) return nullptr;
    Ring* ring = ring_.load(std::memory_order_relaxed);
    bottom_.store(bottom, std::memory_order_seq_cst);  // invariant 3
    int64_t top = top_.load(std::memory_order_seq_cst);
    Task* t = nullptr;
    if (top <= bottom) {
      t = ring->At(bottom).load(std::memory_order_relaxed);
      if (top < bottom) return t;
      // The last one: a thief may be after it too.
      if (!top_.compare_exchange_strong(top, top + 1, std::memory_order_seq_cst, std::memory_order_relaxed))
        t = nullptr;
    }
    // Release: a thief that reads this bottom may take entries below it, as it might have before.
    bottom_.store(bottom + 1, std::memory_order_release);
    return t;
  }

  // ---- any thread ----

  // The oldest. Null only if it was empty at some moment of the call.
  Task* Steal() {
    for (;;) {
      int64_t top = top_.load(std::memory_order_seq_cst);
      if (top >= bottom_.load(std::memory_order_seq_cst)) return nullptr;
      // Acquire: the ring's entries are initialised. Whichever ring it is, it holds the entry at top unless top has
      // moved, and then the swap fails.
      Task* t = ring_.load(std::memory_order_acquire)->At(top).load(std::memory_order_relaxed);
      if (top_.compare_exchange_strong(top, top + 1, std::memory_order_seq_cst, std::memory_order_relaxed)) return t;
    }
  }

  // Exact only for the owner when nobody steals.
  size_t size() const {
    const int64_t top = top_.load(std::memory_order_relaxed);
    const int64_t bottom = bottom_.load(std::memory_order_relaxed);
    return bottom > top ? static_cast<size_t>(bottom - top) : 0;
  }

 private:
  struct Ring {
    explicit Ring(int64_t n) : capacity(n), entries(std::make_unique<std::atomic<Task*>[]>(static_cast<size_t>(n))) {}
    std::atomic<Task*>& At(int64_t index) { return entries[static_cast<size_t>(index & (capacity - 1))]; }
    const int64_t capacity;  // a power of two
    const std::unique_ptr<std::atomic<Task*>[]> entries;
  };

  Ring* NewRing(int64_t capacity) {
    rings_.push_back(std::make_unique<Ring>(capacity));
    return rings_.back().get();
  }

  [[gnu::noinline, gnu::cold]] Ring* Grow(Ring& old, int64_t top, int64_t bottom) {
    Ring* ring = NewRing(2 * old.capacity);
    for (int64_t i = top; i < bottom; ++i) {
      ring->At(i).store(old.At(i).load(std::memory_order_relaxed), std::memory_order_relaxed);
    }
    ring_.store(ring, std::memory_order_release);
    return ring;
  }

  std::atomic<int64_t> bottom_{0};
  std::atomic<Ring*> ring_{nullptr};
  std::vector<std::unique_ptr<Ring>> rings_;  // the owner's own
  alignas(64) std::atomic<int64_t> top_{0};
};

}  // namespace gyre::schedulers

#endif  // GYRE_SCHEDULERS_CHASE_LEV_DEQUE_H_
