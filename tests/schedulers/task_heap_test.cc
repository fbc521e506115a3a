#include "schedulers/task_heap.h"

#include <algorithm>
#include <random>
#include <vector>

#include "gtest/gtest.h"

namespace gyre::schedulers {
namespace {

struct ByDeadline {
  static bool Before(const Task& a, const Task& b) {
    return a.deadline != b.deadline ? a.deadline < b.deadline : a.id < b.id;
  }
  static Task*& Child(Task& t) { return t.Policy<Task*>(); }
};
using Heap = TaskHeap<ByDeadline>;

TEST(TaskHeap, EmptyHoldsNothing) {
  Heap heap;
  EXPECT_TRUE(heap.empty());
  EXPECT_EQ(heap.top(), nullptr);
  EXPECT_EQ(heap.Pop(), nullptr);
  EXPECT_EQ(heap.size(), 0u);
}

TEST(TaskHeap, AgreesWithASortedListUnderRandomUse) {
  std::mt19937_64 random(7);
  std::vector<Task> tasks(500);
  std::vector<Task*> outside;
  for (Task& t : tasks) outside.push_back(&t);
  std::vector<Task*> model;
  Heap heap;
  uint64_t id = 0;
  for (int i = 0; i < 20'000; ++i) {
    // Phases that mostly fill and that mostly drain.
    const bool push = random() % 10 < (i / 1000 % 2 == 0 ? 7u : 3u);
    if (push && !outside.empty()) {
      Task* t = outside.back();
      outside.pop_back();
      t->id = ++id;
      t->deadline = static_cast<Nanos>(random() % 50);
      heap.Push(t);
      model.push_back(t);
    } else if (!model.empty()) {
      auto first =
          std::min_element(model.begin(), model.end(), [](Task* a, Task* b) { return ByDeadline::Before(*a, *b); });
      ASSERT_EQ(heap.top(), *first);
      if (random() % 3 == 0) {
        first = model.begin() + static_cast<ptrdiff_t>(random() % model.size());
        heap.Remove(*first);
      } else {
        ASSERT_EQ(heap.Pop(), *first);
      }
      outside.push_back(*first);
      model.erase(first);
    }
    ASSERT_EQ(heap.size(), model.size());
    ASSERT_EQ(heap.empty(), model.empty());
  }
}

TEST(TaskHeap, LongRunsInAndAgainstTheOrderComeOutSorted) {
  for (bool ascending : {true, false}) {
    std::vector<Task> tasks(100'000);
    Heap heap;
    for (size_t i = 0; i < tasks.size(); ++i) {
      tasks[i].id = ascending ? i : tasks.size() - 1 - i;
      heap.Push(&tasks[i]);
    }
    for (size_t i = 0; i < tasks.size(); ++i) ASSERT_EQ(heap.Pop()->id, i);
    EXPECT_TRUE(heap.empty());
  }
}

}  // namespace
}  // namespace gyre::schedulers
