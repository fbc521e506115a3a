// A first-in first-out queue of tasks that any thread may use: a list under a spin lock, whose size is read without it.
//
// Any thread may call anything.
//  1. `size_` equals the list's size whenever the lock is free.
//  2. A task whose Push has returned before a full fence is seen by size() after another thread's later full fence, so
//  a
//     processor that finds size() == 0 after its fence may sleep (scheduler.h's protocol).
#ifndef GYRE_SCHEDULERS_SHARED_QUEUE_H_
#define GYRE_SCHEDULERS_SHARED_QUEUE_H_

#include <atomic>
#include <cstddef>

#include "absl/base/thread_annotations.h"
#include "plugins/task.h"
#include "plugins/task_list.h"
#include "schedulers/spin_lock.h"

namespace gyre::schedulers {

class SharedQueue {
 public:
  void Push(Task* t) {
    SpinLockHolder hold(lock_);
    list_.PushBack(t);
    Publish();
  }

  // Moves all of `tasks` to the end.
  void Append(TaskList* tasks) {
    SpinLockHolder hold(lock_);
    list_.Append(tasks);
    Publish();
  }

  // The oldest, or null.
  Task* Pop() {
    if (size() == 0) return nullptr;
    SpinLockHolder hold(lock_);
    Task* t = list_.PopFront();
    Publish();
    return t;
  }

  // Takes the oldest task, and for each further one up to `count(size)` in all calls `take(task)`, oldest first, while
  // the queue is locked: another thread sees a task here or where `take` put it, never in neither place. Looks even
  // when size() is 0, and so waits for a Take that is under way.
  template <typename Count, typename Sink>
  Task* Take(Count count, Sink take) {
    SpinLockHolder hold(lock_);
    size_t n = list_.empty() ? 0 : count(list_.size());
    Task* first = list_.PopFront();
    while (n > 1 && !list_.empty()) {
      take(list_.PopFront());
      --n;
    }
    Publish();
    return first;
  }

  // Relaxed: a hint, except between the fences of invariant 2.
  size_t size() const { return size_.load(std::memory_order_relaxed); }

 private:
  void Publish() ABSL_EXCLUSIVE_LOCKS_REQUIRED(lock_) { size_.store(list_.size(), std::memory_order_relaxed); }

  SpinLock lock_;
  std::atomic<size_t> size_{0};
  TaskList list_ ABSL_GUARDED_BY(lock_);
};

}  // namespace gyre::schedulers

#endif  // GYRE_SCHEDULERS_SHARED_QUEUE_H_
