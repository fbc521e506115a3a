// TaskList against a std::deque that does the same, and its links.
#include "plugins/task_list.h"

#include <deque>
#include <vector>

#include "gtest/gtest.h"
#include "plugins/proc_context.h"

namespace gyre {
namespace {

std::vector<Task*> Forwards(const TaskList& list) {
  std::vector<Task*> tasks;
  for (Task* t = list.front(); t != nullptr; t = t->next) tasks.push_back(t);
  return tasks;
}

// What the list holds, checked from both ends.
void ExpectHolds(const TaskList& list, const std::vector<Task*>& expected) {
  const std::vector<Task*> tasks = Forwards(list);
  EXPECT_EQ(tasks, expected);
  EXPECT_EQ(list.size(), expected.size());
  EXPECT_EQ(list.empty(), expected.empty());
  for (size_t i = 0; i < tasks.size(); ++i) EXPECT_EQ(tasks[i]->prev, i == 0 ? nullptr : tasks[i - 1]);
}

TEST(TaskListTest, EmptyListGivesNull) {
  TaskList list;
  ExpectHolds(list, {});
  EXPECT_EQ(list.PopFront(), nullptr);
  EXPECT_EQ(list.PopBack(), nullptr);
}

TEST(TaskListTest, PushesAndPopsAtBothEnds) {
  Task a, b, c;
  TaskList list;
  list.PushBack(&b);
  list.PushFront(&a);
  list.PushBack(&c);
  ExpectHolds(list, {&a, &b, &c});
  EXPECT_EQ(list.PopFront(), &a);
  EXPECT_EQ(list.PopBack(), &c);
  ExpectHolds(list, {&b});
  EXPECT_EQ(list.PopBack(), &b);
  ExpectHolds(list, {});
}

TEST(TaskListTest, RemovedTaskHasNoLinks) {
  Task a, b, c;
  for (Task* removed : {&a, &b, &c}) {
    TaskList list;
    std::vector<Task*> rest;
    for (Task* t : {&a, &b, &c}) {
      list.PushBack(t);
      if (t != removed) rest.push_back(t);
    }
    list.Remove(removed);
    ExpectHolds(list, rest);
    EXPECT_EQ(removed->next, nullptr);
    EXPECT_EQ(removed->prev, nullptr);
    list.PushFront(removed);
    rest.insert(rest.begin(), removed);
    ExpectHolds(list, rest);
  }
}

TEST(TaskListTest, AppendMovesAll) {
  Task a, b, c, d;
  TaskList first, second;
  first.Append(&second);
  ExpectHolds(first, {});
  second.PushBack(&a);
  second.PushBack(&b);
  first.Append(&second);
  ExpectHolds(first, {&a, &b});
  ExpectHolds(second, {});
  second.PushBack(&c);
  second.PushBack(&d);
  first.Append(&second);
  ExpectHolds(first, {&a, &b, &c, &d});
  ExpectHolds(second, {});
  first.Append(&second);
  ExpectHolds(first, {&a, &b, &c, &d});
  EXPECT_EQ(first.PopBack(), &d);
}

TEST(TaskListTest, DoesWhatADequeDoes) {
  ProcContext random;
  std::vector<Task> tasks(16);
  std::vector<Task*> outside;
  for (Task& t : tasks) outside.push_back(&t);
  TaskList list;
  std::deque<Task*> model;
  for (int step = 0; step < 4000; ++step) {
    const uint32_t what = random.Below(5);
    if (what < 2 && !outside.empty()) {
      Task* t = outside.back();
      outside.pop_back();
      if (what == 0) {
        list.PushBack(t);
        model.push_back(t);
      } else {
        list.PushFront(t);
        model.push_front(t);
      }
    } else if (what >= 2 && !model.empty()) {
      Task* expected;
      if (what == 2) {
        expected = model.front();
        EXPECT_EQ(list.PopFront(), expected);
        model.pop_front();
      } else if (what == 3) {
        expected = model.back();
        EXPECT_EQ(list.PopBack(), expected);
        model.pop_back();
      } else {
        const uint32_t at = random.Below(static_cast<uint32_t>(model.size()));
        expected = model[at];
        list.Remove(expected);
        model.erase(model.begin() + at);
      }
      outside.push_back(expected);
    }
    ASSERT_NO_FATAL_FAILURE(ExpectHolds(list, {model.begin(), model.end()})) << "after step " << step;
  }
}

TEST(TaskTest, PolicyBytesAreZeroAtFirstAndKept) {
  struct State {
    uint64_t runs;
    double share;
  };
  Task task;
  EXPECT_EQ(task.Policy<State>().runs, 0u);
  EXPECT_EQ(task.Policy<State>().share, 0);
  task.Policy<State>().runs = 7;
  EXPECT_EQ(task.Policy<State>().runs, 7u);
}

TEST(ProcContextTest, SameStateSameNumbers) {
  ProcContext a, b;
  a.state = b.state = 42;
  for (int i = 0; i < 100; ++i) EXPECT_EQ(a.Random(), b.Random());
}

TEST(ProcContextTest, BelowIsUniform) {
  ProcContext p;
  constexpr uint32_t kSides = 7;
  constexpr int kThrows = 70000;
  int seen[kSides] = {};
  for (int i = 0; i < kThrows; ++i) {
    const uint32_t side = p.Below(kSides);
    ASSERT_LT(side, kSides);
    ++seen[side];
  }
  // The generator starts from a constant, so this is no matter of luck: 10000 +- five standard deviations.
  for (int count : seen) EXPECT_NEAR(count, kThrows / kSides, 500);
  EXPECT_EQ(p.Below(1), 0u);
}

}  // namespace
}  // namespace gyre
