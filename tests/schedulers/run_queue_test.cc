#include "schedulers/run_queue.h"

#include <atomic>
#include <cstdint>
#include <set>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "schedulers/steal_order.h"

namespace gyre::schedulers {
namespace {

constexpr uint32_t kCapacity = RunQueue::kCapacity;

TEST(RunQueue, IsFirstInFirstOutAndBounded) {
  RunQueue queue;
  std::vector<Task> tasks(3 * kCapacity);
  EXPECT_EQ(queue.Pop(), nullptr);
  size_t pushed = 0;
  size_t popped = 0;
  // Several times round the ring, at every fill.
  for (uint32_t fill = 1; pushed + fill <= tasks.size() && fill <= kCapacity; fill = fill * 2) {
    for (uint32_t i = 0; i < fill; ++i) ASSERT_TRUE(queue.Push(&tasks[pushed++]));
    EXPECT_EQ(queue.size(), fill);
    for (uint32_t i = 0; i < fill; ++i) ASSERT_EQ(queue.Pop(), &tasks[popped++]);
    EXPECT_TRUE(queue.empty());
    EXPECT_EQ(queue.Pop(), nullptr);
  }
}

TEST(RunQueue, HoldsExactly256) {
  RunQueue queue;
  std::vector<Task> tasks(kCapacity + 1);
  for (uint32_t i = 0; i < kCapacity; ++i) ASSERT_TRUE(queue.Push(&tasks[i]));
  EXPECT_FALSE(queue.Push(&tasks[kCapacity]));
  EXPECT_EQ(queue.size(), 256u);
  EXPECT_EQ(queue.Pop(), &tasks[0]);
  EXPECT_TRUE(queue.Push(&tasks[kCapacity]));
}

TEST(RunQueue, OnlyAFullRingGivesItsOlderHalf) {
  RunQueue queue;
  std::vector<Task> tasks(kCapacity);
  std::vector<Task*> half(kCapacity / 2);
  for (uint32_t i = 0; i < kCapacity; ++i) {
    EXPECT_FALSE(queue.TakeOlderHalf(half.data()));
    ASSERT_TRUE(queue.Push(&tasks[i]));
  }
  ASSERT_TRUE(queue.TakeOlderHalf(half.data()));
  for (uint32_t i = 0; i < kCapacity / 2; ++i) EXPECT_EQ(half[i], &tasks[i]);
  EXPECT_EQ(queue.size(), kCapacity / 2);
  EXPECT_EQ(queue.PopAlone(), &tasks[kCapacity / 2]);
}

TEST(RunQueue, SC_07_AThiefTakesHalfRoundedUp) {
  for (uint32_t k = 0; k <= kCapacity; ++k) {
    RunQueue victim, thief;
    std::vector<Task> tasks(k);
    for (Task& t : tasks) ASSERT_TRUE(victim.Push(&t));
    uint32_t moved = 0;
    Task* first = thief.StealFrom(victim, /*half=*/true, &moved);
    if (k == 0) {
      EXPECT_EQ(first, nullptr);
      continue;
    }
    EXPECT_EQ(moved, k - k / 2);
    EXPECT_EQ(thief.size(), moved - 1);
    EXPECT_EQ(victim.size(), k / 2);
    // Oldest first, each exactly once.
    size_t at = 0;
    for (Task* t = first; t != nullptr; t = thief.Pop()) EXPECT_EQ(t, &tasks[at++]);
    for (Task* t; (t = victim.Pop()) != nullptr;) EXPECT_EQ(t, &tasks[at++]);
    EXPECT_EQ(at, k);
  }
}

TEST(RunQueue, AThiefMayTakeOne) {
  RunQueue victim, thief;
  std::vector<Task> tasks(5);
  for (Task& t : tasks) ASSERT_TRUE(victim.Push(&t));
  uint32_t moved = 0;
  EXPECT_EQ(thief.StealFrom(victim, /*half=*/false, &moved), &tasks[0]);
  EXPECT_EQ(moved, 1u);
  EXPECT_TRUE(thief.empty());
  EXPECT_EQ(victim.size(), 4u);
}

TEST(RunQueue, AThiefTakesNoMoreThanFits) {
  RunQueue victim, thief;
  std::vector<Task> tasks(2 * kCapacity);
  for (uint32_t i = 0; i < kCapacity; ++i) ASSERT_TRUE(victim.Push(&tasks[i]));
  for (uint32_t i = 0; i < kCapacity - 3; ++i) ASSERT_TRUE(thief.Push(&tasks[kCapacity + i]));
  uint32_t moved = 0;
  EXPECT_EQ(thief.StealFrom(victim, /*half=*/true, &moved), &tasks[0]);
  EXPECT_EQ(moved, 4u);
  EXPECT_EQ(thief.size(), kCapacity);
}

// One owner that pushes, spills and pops, and thieves that steal into rings of their own: every task comes out once.
TEST(RunQueue, NothingIsLostOrDoubledAmongThreads) {
  constexpr int kThieves = 3;
  constexpr int kTasks = 20'000;
  RunQueue queue;
  std::vector<Task> tasks(kTasks);
  std::vector<std::atomic<int>> seen(kTasks);
  for (int i = 0; i < kTasks; ++i) tasks[i].id = i;
  std::atomic<bool> done{false};
  auto out = [&](Task* t) { seen[t->id].fetch_add(1, std::memory_order_relaxed); };

  std::vector<std::thread> thieves;
  for (int i = 0; i < kThieves; ++i) {
    thieves.emplace_back([&, half = i != 0] {
      RunQueue mine;
      uint32_t moved;
      for (;;) {
        const bool last = done.load(std::memory_order_acquire);
        Task* t = mine.StealFrom(queue, half, &moved);
        if (t == nullptr) {
          if (last) return;
          std::this_thread::yield();
          continue;
        }
        uint32_t got = 1;
        out(t);
        for (; (t = mine.Pop()) != nullptr; ++got) out(t);
        EXPECT_EQ(got, moved);
      }
    });
  }
  Task* half[kCapacity / 2];
  for (int i = 0; i < kTasks; ++i) {
    while (!queue.Push(&tasks[i])) {
      if (!queue.TakeOlderHalf(half)) continue;
      for (Task* t : half) out(t);
    }
    if (i % 3 == 0) {
      if (Task* t = queue.Pop()) out(t);
    }
  }
  done.store(true, std::memory_order_release);
  while (Task* t = queue.Pop()) out(t);
  for (std::thread& t : thieves) t.join();
  for (int i = 0; i < kTasks; ++i) ASSERT_EQ(seen[i].load(), 1) << "task " << i;
}

TEST(StealOrder, SC_08_VisitsEveryOtherOnce) {
  for (uint32_t n = 1; n <= 64; ++n) {
    StealOrder order;
    order.Reset(n);
    std::set<std::vector<uint32_t>> orders;
    ProcContext random;
    random.state = 12345 + n;
    for (int round = 0; round < 50; ++round) {
      const uint32_t self = static_cast<uint32_t>(round) % n;
      std::vector<uint32_t> visited;
      EXPECT_FALSE(order.ForEachOther(random, self, [&](uint32_t i) {
        visited.push_back(i);
        return false;
      }));
      orders.insert(visited);
      std::set<uint32_t> distinct(visited.begin(), visited.end());
      EXPECT_EQ(visited.size(), n - 1);
      EXPECT_EQ(distinct.size(), n - 1);
      EXPECT_EQ(distinct.count(self), 0u);
      EXPECT_TRUE(distinct.empty() || *distinct.rbegin() < n);
    }
    if (n > 4) {
      EXPECT_GT(orders.size(), 10u);  // random, not a fixed round
    }
  }
}

TEST(StealOrder, StopsWhenTold) {
  StealOrder order;
  order.Reset(7);
  ProcContext random;
  int visits = 0;
  EXPECT_TRUE(order.ForEachOther(random, 3, [&](uint32_t) { return ++visits == 2; }));
  EXPECT_EQ(visits, 2);
}

}  // namespace
}  // namespace gyre::schedulers
