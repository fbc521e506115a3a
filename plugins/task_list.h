// A first-in first-out list of tasks, linked through the tasks themselves: no allocation, O(1) everything.
// Not synchronised: a policy guards it with its own lock or keeps it private to a processor.
#ifndef GYRE_PLUGINS_TASK_LIST_H_
#define GYRE_PLUGINS_TASK_LIST_H_

#include <cstddef>

#include "plugins/task.h"

namespace gyre {

class TaskList {
 public:
  bool empty() const { return head_ == nullptr; }
  size_t size() const { return size_; }
  Task* front() const { return head_; }

  void PushBack(Task* t) {
    t->next = nullptr;
    t->prev = tail_;
    (tail_ != nullptr ? tail_->next : head_) = t;
    tail_ = t;
    ++size_;
  }

  void PushFront(Task* t) {
    t->prev = nullptr;
    t->next = head_;
    (head_ != nullptr ? head_->prev : tail_) = t;
    head_ = t;
    ++size_;
  }

  // Moves all of `other` to the end.
  void Append(TaskList* other) {
    if (other->empty()) return;
    other->head_->prev = tail_;
    (tail_ != nullptr ? tail_->next : head_) = other->head_;
    tail_ = other->tail_;
    size_ += other->size_;
    *other = TaskList();
  }

  // Null when empty.
  Task* PopFront() {
    Task* t = head_;
    if (t != nullptr) Remove(t);
    return t;
  }

  Task* PopBack() {
    Task* t = tail_;
    if (t != nullptr) Remove(t);
    return t;
  }

  // `t` must be on this list.
  void Remove(Task* t) {
    (t->prev != nullptr ? t->prev->next : head_) = t->next;
    (t->next != nullptr ? t->next->prev : tail_) = t->prev;
    t->next = t->prev = nullptr;
    --size_;
  }

 private:
  Task* head_ = nullptr;
  Task* tail_ = nullptr;
  size_t size_ = 0;
};

}  // namespace gyre

#endif  // GYRE_PLUGINS_TASK_LIST_H_
