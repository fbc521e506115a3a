// The simulator's calendar: which virtual processor goes on, and when.
//
// Every fiber has at most one event, the moment at which it goes on; moving that moment moves the entry. A 4-ary heap
// with the key in the entry: a comparison touches no fiber.
#ifndef GYRE_RUNTIME_SIMULATION_EVENT_QUEUE_H_
#define GYRE_RUNTIME_SIMULATION_EVENT_QUEUE_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "plugins/task.h"
#include "runtime/simulation/fiber.h"

namespace gyre::internal::simulation {

class EventQueue {
 public:
  bool empty() const { return heap_.empty(); }
  // kNever if there is none.
  Nanos Earliest() const { return heap_.empty() ? kNever : heap_.front().when; }

  // `fiber` goes on at `when`; among those of one moment, in ascending `order`. It must have no event yet.
  void Insert(Fiber* fiber, Nanos when, uint64_t order) {
    heap_.push_back({when, order, fiber});
    SiftUp(heap_.size() - 1);
  }

  void Remove(Fiber* fiber) {
    const size_t i = static_cast<size_t>(fiber->event_index);
    fiber->event_index = -1;
    const Entry last = heap_.back();
    heap_.pop_back();
    if (i == heap_.size()) return;
    Place(i, last);
    SiftUp(i);
    SiftDown(static_cast<size_t>(last.fiber->event_index));
  }

  Nanos When(const Fiber* fiber) const { return heap_[static_cast<size_t>(fiber->event_index)].when; }

  // The earliest; there must be one.
  Fiber* Front() const { return heap_.front().fiber; }

 private:
  struct Entry {
    Nanos when;
    uint64_t order;
    Fiber* fiber;
    bool Before(const Entry& other) const { return when != other.when ? when < other.when : order < other.order; }
  };
  static constexpr size_t kArity = 4;

  void Place(size_t i, const Entry& entry) {
    heap_[i] = entry;
    entry.fiber->event_index = static_cast<int32_t>(i);
  }
  void SiftUp(size_t i) {
    const Entry moving = heap_[i];
    while (i > 0) {
      const size_t parent = (i - 1) / kArity;
      if (!moving.Before(heap_[parent])) break;
      Place(i, heap_[parent]);
      i = parent;
    }
    Place(i, moving);
  }
  void SiftDown(size_t i) {
    const Entry moving = heap_[i];
    for (;;) {
      const size_t first = i * kArity + 1;
      if (first >= heap_.size()) break;
      size_t least = first;
      for (size_t child = first + 1; child < first + kArity && child < heap_.size(); ++child) {
        if (heap_[child].Before(heap_[least])) least = child;
      }
      if (!heap_[least].Before(moving)) break;
      Place(i, heap_[least]);
      i = least;
    }
    Place(i, moving);
  }

  std::vector<Entry> heap_;
};

}  // namespace gyre::internal::simulation

#endif  // GYRE_RUNTIME_SIMULATION_EVENT_QUEUE_H_
