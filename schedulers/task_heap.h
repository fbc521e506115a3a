// A priority queue of tasks, linked through the tasks themselves: a pairing heap (Fredman, Sedgewick, Sleator, Tarjan,
// 1986). Push is O(1), Pop O(log n) amortised; neither allocates.
//
// Not synchronised. `Order` says
//   static bool Before(Task& a, Task& b)   whether `a` leaves first: a strict order on the tasks in the heap, and what
//   it
//                                          reads must not change while they are in it. With a sequence number as the
//                                          last key, equals leave in the order in which they came.
//   static Task*& Child(Task& t)           a pointer in the policy's bytes of `t` that is the heap's to use.
#ifndef GYRE_SCHEDULERS_TASK_HEAP_H_
#define GYRE_SCHEDULERS_TASK_HEAP_H_

#include <cstddef>
#include <utility>

#include "plugins/task.h"

namespace gyre::schedulers {

template <typename Order>
class TaskHeap {
 public:
  bool empty() const { return root_ == nullptr; }
  size_t size() const { return size_; }
  // Null when empty.
  Task* top() const { return root_; }

  void Push(Task* t) {
    t->prev = t->next = Order::Child(*t) = nullptr;
    root_ = root_ == nullptr ? t : Meld(root_, t);
    ++size_;
  }

  // Null when empty.
  Task* Pop() {
    Task* t = root_;
    if (t != nullptr) Remove(t);
    return t;
  }

  // `t` must be in this heap.
  void Remove(Task* t) {
    Task* children = MeldAll(Order::Child(*t));
    if (t == root_) {
      root_ = children;
    } else {
      Cut(t);
      if (children != nullptr) root_ = Meld(root_, children);
    }
    t->prev = t->next = Order::Child(*t) = nullptr;
    --size_;
  }

 private:
  // A node's `next` is its next sibling; its `prev` is its previous one, or for a first child its parent.

  // Both are roots. So is the result.
  static Task* Meld(Task* a, Task* b) {
    if (Order::Before(*b, *a)) std::swap(a, b);
    Task*& child = Order::Child(*a);
    b->next = child;
    if (child != nullptr) child->prev = b;
    b->prev = a;
    child = b;
    return a;
  }

  // Takes `t`, which is no root, from among its siblings.
  static void Cut(Task* t) {
    Task*& first = Order::Child(*t->prev);
    (first == t ? first : t->prev->next) = t->next;
    if (t->next != nullptr) t->next->prev = t->prev;
  }

  // Melds siblings in pairs from the left, then the pairs from the right: that gives the bound.
  static Task* MeldAll(Task* first) {
    Task* pairs = nullptr;  // linked through next, the last pair first
    while (first != nullptr) {
      Task* a = first;
      Task* b = a->next;
      first = b == nullptr ? nullptr : b->next;
      a->prev = a->next = nullptr;
      if (b != nullptr) {
        b->prev = b->next = nullptr;
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
