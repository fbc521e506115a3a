#include "stacks/stack_pool.h"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <mutex>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace gyre::stacks {
namespace {

class FakeKeeper : public SlotKeeper {
 public:
  bool Prepare(absl::Span<Slot> slots) override {
    if (fail_prepare.load()) {
      errno = ENOMEM;
      return false;
    }
    prepared += slots.size();
    return true;
  }
  bool Strip(absl::Span<Slot> slots) override {
    if (fail_strip.load()) return false;
    for (Slot slot : slots) madvise(slot.top() - kPage, kPage, MADV_DONTNEED);
    return true;
  }
  std::atomic<bool> fail_prepare{false};
  std::atomic<bool> fail_strip{false};
  std::atomic<uint64_t> prepared{0};
};

class NoBarrierOs : public OsMemory {
 public:
  bool BarrierOnAllThreads() noexcept override { return false; }
};

ProcContext Proc(ProcId id) {
  ProcContext context;
  context.id = id;
  return context;
}

class StackPoolTest : public testing::Test {
 protected:
  void Start(int procs, std::vector<SizeClass> classes = {{.usable = 4 * kPage, .stride = 5 * kPage}}) {
    ASSERT_TRUE(pool_.Start(procs, std::move(classes), os_, keeper_).ok());
  }
  OsMemory os_;
  FakeKeeper keeper_;
  StackPool pool_;
};

TEST_F(StackPoolTest, TheHottestStackGoesOutFirst) {
  Start(1);
  ProcContext p = Proc(0);
  const Slot a = pool_.Take(p, 0);
  const Slot b = pool_.Take(p, 0);
  ASSERT_TRUE(a && b);
  pool_.Give(p, a);
  pool_.Give(p, b);
  EXPECT_EQ(pool_.Take(p, 0).bits(), b.bits());
  EXPECT_EQ(pool_.Take(p, 0).bits(), a.bits());
}

TEST_F(StackPoolTest, KeepsALevelWhileTheSlotIsCached) {
  Start(1);
  ProcContext p = Proc(0);
  const Slot slot = pool_.Take(p, 0);
  pool_.Give(p, Slot(slot.top(), slot.size_class(), 7));
  EXPECT_EQ(pool_.Take(p, 0).level(), 7);
}

TEST_F(StackPoolTest, NeverHandsOutASlotTwice) {
  Start(3);
  std::vector<ProcContext> procs = {Proc(0), Proc(1), Proc(2), Proc(kNoProc)};
  ProcContext choice;
  std::set<uint64_t> held;
  std::vector<Slot> order;
  for (int i = 0; i < 200000; ++i) {
    ProcContext& p = procs[choice.Below(4)];
    // Long phases of mostly taking and mostly giving, so that magazines travel through the depot both ways.
    const bool take = order.empty() || choice.Below(100) < ((i / 10000) % 2 == 0 ? 70u : 30u);
    if (take) {
      const Slot slot = pool_.Take(p, 0);
      ASSERT_TRUE(slot);
      ASSERT_TRUE(held.insert(slot.bits()).second) << "handed out twice";
      order.push_back(slot);
    } else {
      const size_t victim = choice.Below(static_cast<uint32_t>(order.size()));
      std::swap(order[victim], order.back());
      held.erase(order.back().bits());
      pool_.Give(p, order.back());
      order.pop_back();
    }
    if (i % 20000 == 0) {
      pool_.Trim(0);
      EXPECT_EQ(pool_.counts().live, order.size());
      EXPECT_EQ(pool_.counts().live + pool_.counts().cached, keeper_.prepared.load());
    }
  }
}

TEST_F(StackPoolTest, StacksFreedOnAnotherProcessorFlowBack) {
  Start(2);
  ProcContext maker = Proc(0), breaker = Proc(1);
  std::vector<Slot> held;
  for (int round = 0; round < 100; ++round) {
    for (int i = 0; i < 1000; ++i) held.push_back(pool_.Take(maker, 0));
    for (Slot slot : held) pool_.Give(breaker, slot);
    held.clear();
  }
  // The burst itself, what two processors may hold, and one magazine in the making.
  EXPECT_LE(pool_.counts().cached, 1000u + 5 * StackPool::kMagazineSlots);
}

TEST_F(StackPoolTest, AClassOfHugeSlotsIsCarvedAFewAtATime) {
  Start(1, {{.usable = size_t{1} << 30, .stride = (size_t{1} << 30) + kPage}});
  ProcContext p = Proc(0);
  std::vector<Slot> held;
  for (int i = 0; i < 20; ++i) {
    held.push_back(pool_.Take(p, 0));
    ASSERT_TRUE(held.back());
  }
  EXPECT_LE(keeper_.prepared.load(), 24u);
  for (Slot slot : held) pool_.Give(p, slot);
  ProcContext foreign = Proc(kNoProc);
  for (Slot& slot : held) slot = pool_.Take(foreign, 0);
  for (Slot slot : held) pool_.Give(foreign, slot);
  EXPECT_EQ(pool_.counts().live, 0u);
}

TEST_F(StackPoolTest, ForEachShowsEverySlotThatWasHandedOut) {
  Start(2, {{.usable = 4 * kPage, .stride = 5 * kPage}, {.usable = 8 * kPage, .stride = 9 * kPage}});
  ProcContext p = Proc(0), q = Proc(1);
  std::set<uint64_t> handed_out;
  for (int i = 0; i < 500; ++i) {
    handed_out.insert(pool_.Take(p, 0).bits());
    handed_out.insert(pool_.Take(q, 1).bits());
  }
  std::set<uint64_t> seen;
  pool_.ForEach([&](Slot slot) { EXPECT_TRUE(seen.insert(slot.bits()).second); });
  EXPECT_TRUE(std::includes(seen.begin(), seen.end(), handed_out.begin(), handed_out.end()));
  for (uint64_t bits : handed_out) {
    const Slot slot(bits);
    const auto top = reinterpret_cast<uintptr_t>(slot.top());
    EXPECT_EQ(pool_.Locate(top - 1).bits(), bits);
    EXPECT_EQ(pool_.Locate(top - pool_.size_class(slot.size_class()).stride).bits(), bits);
  }
  int on_my_stack = 0;
  EXPECT_FALSE(pool_.Locate(reinterpret_cast<uintptr_t>(&on_my_stack)));
}

TEST_F(StackPoolTest, TrimKeepsWhatItIsAskedToKeep) {
  Start(1);
  ProcContext p = Proc(0);
  std::vector<Slot> held;
  for (int i = 0; i < 10 * StackPool::kMagazineSlots; ++i) {
    held.push_back(pool_.Take(p, 0));
    held.back().top()[-1] = 1;
  }
  for (Slot slot : held) pool_.Give(p, slot);
  const size_t all = held.size() * kPage;
  EXPECT_EQ(pool_.Trim(all), 0u);
  const size_t given_back = pool_.Trim(all / 2);
  EXPECT_GE(given_back, all / 2);
  EXPECT_LE(given_back, all / 2 + StackPool::kMagazineSlots * kPage);
  EXPECT_EQ(pool_.Trim(0), all - given_back);
  EXPECT_EQ(pool_.Trim(0), 0u);
  EXPECT_EQ(pool_.counts().trimmed, held.size());
}

TEST_F(StackPoolTest, WhatCannotBeStrippedStaysUsable) {
  Start(1);
  ProcContext p = Proc(0);
  const Slot slot = pool_.Take(p, 0);
  slot.top()[-1] = 42;
  pool_.Give(p, slot);
  keeper_.fail_strip = true;
  EXPECT_EQ(pool_.Trim(0), 0u);
  keeper_.fail_strip = false;
  EXPECT_EQ(pool_.Trim(0), kPage);
}

TEST_F(StackPoolTest, SlotsThatCouldNotBePreparedAreTriedAgain) {
  Start(1);
  ProcContext p = Proc(0), foreign = Proc(kNoProc);
  keeper_.fail_prepare = true;
  errno = 0;
  EXPECT_FALSE(pool_.Take(p, 0));
  EXPECT_EQ(errno, ENOMEM);
  EXPECT_FALSE(pool_.Take(foreign, 0));
  keeper_.fail_prepare = false;
  const uint64_t reserved = pool_.counts().reserved_bytes;
  EXPECT_TRUE(pool_.Take(p, 0));
  EXPECT_EQ(pool_.counts().reserved_bytes, reserved);
}

TEST(StackPool, WithoutABarrierTrimLeavesTheProcessorsAlone) {
  NoBarrierOs os;
  FakeKeeper keeper;
  StackPool pool;
  ASSERT_TRUE(pool.Start(1, {{.usable = kPage, .stride = kPage}}, os, keeper).ok());
  ProcContext p = Proc(0), foreign = Proc(kNoProc);
  const Slot slot = pool.Take(p, 0);
  slot.top()[-1] = 1;
  pool.Give(p, slot);
  EXPECT_EQ(pool.Trim(0), 0u);
  EXPECT_EQ(pool.Take(p, 0).bits(), slot.bits());
  pool.Give(foreign, slot);
  EXPECT_EQ(pool.Trim(0), kPage);
}

// Owners of processors, foreign threads and a trimmer at once. A stack's first word names who holds it, so a slot
// that two hold is noticed, by the thread sanitizer as well.
TEST_F(StackPoolTest, ThreadsShareItWhileItIsTrimmed) {
  constexpr int kProcs = 3, kForeign = 2, kRounds = 300, kAtOnce = 200;
  Start(kProcs);
  std::atomic<int> running{kProcs + kForeign};
  std::mutex mutex;
  std::vector<Slot> exchange;  // guarded by mutex: taken by one thread, given by another
  std::vector<std::thread> threads;
  for (int id = 0; id < kProcs + kForeign; ++id) {
    threads.emplace_back([&, id] {
      ProcContext p = Proc(id < kProcs ? id : kNoProc);
      p.state += static_cast<uint64_t>(id);
      std::vector<Slot> mine;
      for (int round = 0; round < kRounds; ++round) {
        for (int i = 0; i < kAtOnce; ++i) {
          const Slot slot = pool_.Take(p, 0);
          ASSERT_TRUE(slot);
          *reinterpret_cast<int*>(slot.top() - 64) = id;
          mine.push_back(slot);
        }
        for (Slot slot : mine) ASSERT_EQ(*reinterpret_cast<int*>(slot.top() - 64), id);
        std::vector<Slot> theirs;
        {
          std::lock_guard<std::mutex> lock(mutex);
          theirs.swap(exchange);
          if (p.Below(2) == 0) exchange.swap(mine);
        }
        for (Slot slot : mine) pool_.Give(p, slot);
        for (Slot slot : theirs) pool_.Give(p, slot);
        mine.clear();
      }
      --running;
    });
  }
  while (running.load() > 0) pool_.Trim(0);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(pool_.counts().live, exchange.size());
  EXPECT_EQ(pool_.counts().live + pool_.counts().cached, keeper_.prepared.load());
}

}  // namespace
}  // namespace gyre::stacks
