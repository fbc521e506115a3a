#include "schedulers/chase_lev_deque.h"

#include <atomic>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace gyre::schedulers {
namespace {

TEST(ChaseLevDeque, TheOwnerTakesTheNewestAThiefTheOldest) {
  ChaseLevDeque deque;
  std::vector<Task> tasks(6);
  EXPECT_EQ(deque.Pop(), nullptr);
  EXPECT_EQ(deque.Steal(), nullptr);
  for (Task& t : tasks) deque.Push(&t);
  EXPECT_EQ(deque.size(), 6u);
  EXPECT_EQ(deque.Pop(), &tasks[5]);
  EXPECT_EQ(deque.Steal(), &tasks[0]);
  EXPECT_EQ(deque.Steal(), &tasks[1]);
  EXPECT_EQ(deque.Pop(), &tasks[4]);
  EXPECT_EQ(deque.Pop(), &tasks[3]);
  EXPECT_EQ(deque.Pop(), &tasks[2]);
  EXPECT_EQ(deque.Pop(), nullptr);
  EXPECT_EQ(deque.Steal(), nullptr);
  EXPECT_EQ(deque.size(), 0u);
}

TEST(ChaseLevDeque, GrowsWithItsEntriesInOrder) {
  ChaseLevDeque deque;
  std::vector<Task> tasks(10 * ChaseLevDeque::kInitialCapacity);
  // Not from index 0, so that the entries lie across the ring's end when it grows.
  for (int i = 0; i < 100; ++i) {
    deque.Push(&tasks[0]);
    ASSERT_EQ(deque.Steal(), &tasks[0]);
  }
  for (Task& t : tasks) deque.Push(&t);
  EXPECT_EQ(deque.size(), tasks.size());
  for (size_t i = 0; i < tasks.size() / 2; ++i) {
    ASSERT_EQ(deque.Steal(), &tasks[i]);
    ASSERT_EQ(deque.Pop(), &tasks[tasks.size() - 1 - i]);
  }
  EXPECT_EQ(deque.Pop(), nullptr);
}

// An owner that keeps the deque short, so that owner and thieves meet at the last entry, and at times lets it grow.
TEST(ChaseLevDeque, NothingIsLostOrDoubledAmongThreads) {
  constexpr int kThieves = 3;
  constexpr int kTasks = 30'000;
  ChaseLevDeque deque;
  std::vector<Task> tasks(kTasks);
  std::vector<std::atomic<int>> seen(kTasks);
  for (int i = 0; i < kTasks; ++i) tasks[i].id = i;
  std::atomic<bool> done{false};
  auto out = [&](Task* t) { seen[t->id].fetch_add(1, std::memory_order_relaxed); };

  std::vector<std::thread> thieves;
  for (int i = 0; i < kThieves; ++i) {
    thieves.emplace_back([&] {
      for (;;) {
        const bool last = done.load(std::memory_order_acquire);
        if (Task* t = deque.Steal()) {
          out(t);
        } else if (last) {
          return;
        } else {
          std::this_thread::yield();
        }
      }
    });
  }
  for (int i = 0; i < kTasks; ++i) {
    deque.Push(&tasks[i]);
    if (i / 5000 % 2 == 0) {
      while (Task* t = deque.Pop()) out(t);
    } else if (i % 4 == 0) {
      if (Task* t = deque.Pop()) out(t);
    }
  }
  while (Task* t = deque.Pop()) out(t);
  done.store(true, std::memory_order_release);
  for (std::thread& t : thieves) t.join();
  for (int i = 0; i < kTasks; ++i) ASSERT_EQ(seen[i].load(), 1) << "task " << i;
}

// Few tasks go in and out at the bottom, and thieves are after them all the time: exactly one gets each. With two
// entries the owner takes the upper one without a swap, and relies on the order of its accesses (invariant 3).
TEST(ChaseLevDeque, TheLastEntriesGoToOneEach) {
  constexpr int kRounds = 200'000;
  ChaseLevDeque deque;
  Task tasks[3];
  std::atomic<int> stolen{0};
  std::atomic<bool> done{false};
  std::vector<std::thread> thieves;
  for (int i = 0; i < 2; ++i) {
    thieves.emplace_back([&] {
      while (!done.load(std::memory_order_acquire)) {
        if (deque.Steal() != nullptr) stolen.fetch_add(1, std::memory_order_relaxed);
      }
    });
  }
  int pushed = 0;
  int popped = 0;
  for (int i = 0; i < kRounds; ++i) {
    for (int j = 0; j <= i % 3; ++j, ++pushed) deque.Push(&tasks[j]);
    while (deque.Pop() != nullptr) ++popped;
  }
  done.store(true, std::memory_order_release);
  for (std::thread& t : thieves) t.join();
  EXPECT_EQ(deque.size(), 0u);
  EXPECT_EQ(popped + stolen.load(), pushed);
}

}  // namespace
}  // namespace gyre::schedulers
