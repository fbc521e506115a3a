// A priority queue of tasks, linked through the tasks themselves: a pairing heap (Fredman, Sedgewick, Sleator, Tarjan,
// 1986). Push is O(1), Pop O(log n) amortised; neither allocates.
//
// Not synchronised. `Before(a, b)` says that `a` leaves first; it must be a strict order on the tasks in the heap, and
// what it reads must not change while they are in it. Give it a sequence number as the last key, and equals leave in
// the order in which they came.
#ifndef GYRE_SCHEDULERS_TASK_HEAP_H_
#define GYRE_SCHEDULERS_TASK_HEAP_H_

#include <cstddef>
#include <utility>

#include "plugins/task.h"

namespace gyre::schedulers {

template <typename Before>
class TaskHeap {
 public:
  bool empty() const { return root_ == nullptr; }
  size_t size() const { return size_; }
  // Null when empty.
  Task* top() const { return root_; }

  void Push(Task* t) {
    t->prev = t->next = nullptr;
    root_ = root_ == nullptr ? t : Meld(root_, t);
    ++size_;
  }

  // Null when empty.
  Task* Pop() {
    Task* t = root_;
    if (t == nullptr) return nullptr;
    root_ = MeldAll(t->prev);
    t->prev = t->next = nullptr;
    --size_;
    return t;
  }

 private:
  // A node's `prev` is its first child, `next` its next sibling.
  static Task* Meld(Task* a, Task* b) {
    if (Before()(*b, *a)) std::swap(a, b);
    b->next = a->prev;
    a->prev = b;
    return a;
  }

  // Melds siblings in pairs from the left, then the pairs from the right: that gives the bound.
  static Task* MeldAll(Task* first) {
    Task* pairs = nullptr;  // linked through next, the last pair first
    while (first != nullptr) {
      Task* a = first;
      Task* b = a->next;
      first = b == nullptr ? nullptr : b->next;
      a->next = nullptr;
      if (b != nullptr) {
        b->next = nullptr;
        a = Meld(a, b);
      }
      a->next = pairs;
      pairs = a;
    }
    Task* all = nullptr;
    while (pairs != nullptr) {
      Task* rest = pairs->next;
      pairs->next = nullptr;
      all = all == nullptr ? pairs : Meld(all, pairs);
      pairs = rest;
    }
    return all;
  }

  Task* root_ = nullptr;
  size_t size_ = 0;
};

}  // namespace gyre::schedulers

#endif  // GYRE_SCHEDULERS_TASK_HEAP_H_
