// A processor's run queue: Go's 256-slot lock-free ring.
//
// The owner, one thread at a time, pushes at the tail. Anybody takes from the head: the owner one task, a full ring's
// owner the older half, a thief one or half of what there is.
//
// Invariants
//  1. Slots [head, tail) hold the queued tasks, oldest first. Both indices only grow and are never reduced modulo the
//     capacity: at 64 bits they do not come round, so a head that compares equal has not moved.
//  2. Only the owner writes `tail` and the slots. A slot is written only while it lies outside [head, tail).
//  3. Tasks leave only by a compare-and-swap of `head`: who moves it from h to h + n owns what slots [h, h + n) held.
//     A reader reads the slots before it tries, and forgets them if it fails. A slot may be overwritten under a
//     reader's eyes only after head has moved, and then that reader's attempt fails.
//
// Memory orders
//  - Push stores tail with release; a thief loads it with acquire: it sees the slot, and what the task's maker wrote.
//  - Who moves head does so with release, and who writes a slot has loaded head with acquire: the readers' loads of the
//    slot come before that store.
//  - A thief loads head (acquire) before tail (acquire), so a tail that it sees is at least as new as the head.
//  - The owner reads its own tail and slots, which it alone writes, relaxed.
#ifndef GYRE_SCHEDULERS_RUN_QUEUE_H_
#define GYRE_SCHEDULERS_RUN_QUEUE_H_

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "plugins/task.h"

namespace gyre::schedulers {

class RunQueue {
 public:
  static constexpr uint32_t kCapacity = 256;

  // ---- the owner ----

  // False if it is full.
  bool Push(Task* t) {
    const uint64_t tail = tail_.load(std::memory_order_relaxed);
    if (tail - head_.load(std::memory_order_acquire) >= kCapacity) [[unlikely]]
      return false;
    Slot(tail).store(t, std::memory_order_relaxed);
    tail_.store(tail + 1, std::memory_order_release);
    return true;
  }

  // The oldest, or null.
  Task* Pop() {
    const uint64_t tail = tail_.load(std::memory_order_relaxed);
    uint64_t head = head_.load(std::memory_order_relaxed);
    while (head != tail) {
      Task* t = Slot(head).load(std::memory_order_relaxed);
      if (head_.compare_exchange_weak(head, head + 1, std::memory_order_release, std::memory_order_relaxed))
          [[likely]] {
        return t;
      }
    }
    return nullptr;
  }

  // Pop, where no other thread can be taking: saves the read-modify-write.
  Task* PopAlone() {
    const uint64_t tail = tail_.load(std::memory_order_relaxed);
    const uint64_t head = head_.load(std::memory_order_relaxed);
    if (head == tail) return nullptr;
    Task* t = Slot(head).load(std::memory_order_relaxed);
    head_.store(head + 1, std::memory_order_release);
    return t;
  }

  // Of a full ring, takes the older half and returns true. False if it is not full any more, or a thief came between.
  // `out` has room for kCapacity / 2.
  bool TakeOlderHalf(Task** out) {
    uint64_t head = head_.load(std::memory_order_relaxed);
    if (tail_.load(std::memory_order_relaxed) - head != kCapacity) return false;
    for (uint32_t i = 0; i < kCapacity / 2; ++i) out[i] = Slot(head + i).load(std::memory_order_relaxed);
    return head_.compare_exchange_strong(head, head + kCapacity / 2, std::memory_order_release,
                                         std::memory_order_relaxed);
  }

  // The calling owner of this queue steals from `victim`: one task, or k - k/2 of the k that are there (fewer if they
  // do not fit here). Returns the oldest and pushes the others here; null if the victim had none. `*moved` counts all
  // of them.
  Task* StealFrom(RunQueue& victim, bool half, uint32_t* moved) {
    const uint64_t tail = tail_.load(std::memory_order_relaxed);
    // Acquire, as in Push: slots are about to be overwritten.
    const uint64_t room = kCapacity - (tail - head_.load(std::memory_order_acquire));
    uint64_t head = victim.head_.load(std::memory_order_acquire);
    for (;;) {
      const uint64_t available = victim.tail_.load(std::memory_order_acquire) - head;
      if (available == 0) return nullptr;
      if (available > kCapacity) {  // head is older than tail by more than a ring
        head = victim.head_.load(std::memory_order_acquire);
        continue;
      }
      const uint64_t n = half ? std::min(available - available / 2, room + 1) : 1;
      Task* first = victim.Slot(head).load(std::memory_order_relaxed);
      for (uint64_t i = 1; i < n; ++i) {
        // Outside [head, tail) of this queue until the store of tail below: whoever reads it meanwhile forgets it.
        Slot(tail + i - 1).store(victim.Slot(head + i).load(std::memory_order_relaxed), std::memory_order_relaxed);
      }
      // Release: see above. Acquire on failure, since the new value is used as the first load was.
      if (!victim.head_.compare_exchange_strong(head, head + n, std::memory_order_release, std::memory_order_acquire)) {
        continue;
      }
      if (n > 1) tail_.store(tail + n - 1, std::memory_order_release);
      *moved = static_cast<uint32_t>(n);
      return first;
    }
  }

  // ---- any thread; exact only for the owner when nobody steals ----

  bool empty() const { return size() == 0; }
  uint32_t size() const {
    const uint64_t head = head_.load(std::memory_order_acquire);
    const uint64_t tail = tail_.load(std::memory_order_acquire);
    return tail - head > kCapacity ? kCapacity : static_cast<uint32_t>(tail - head);
  }
  // Changes whenever a task leaves.
  uint64_t head() const { return head_.load(std::memory_order_relaxed); }

 private:
  std::atomic<Task*>& Slot(uint64_t index) { return slots_[index % kCapacity]; }

  std::atomic<uint64_t> head_{0};
  std::atomic<uint64_t> tail_{0};
  std::atomic<Task*> slots_[kCapacity] = {};
};

}  // namespace gyre::schedulers

#endif  // GYRE_SCHEDULERS_RUN_QUEUE_H_
