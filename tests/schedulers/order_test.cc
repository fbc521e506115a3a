// In which order the policies without ranks run what they have. (gmp has a file of its own, and so have the ranked
// ones.)
#include <cstdint>
#include <map>
#include <vector>

#include "gtest/gtest.h"
#include "tests/schedulers/policy_harness.h"

namespace gyre {
namespace {

using testing::PolicyHarness;
using Ids = std::vector<uint64_t>;

constexpr Nanos kMicro = 1000;
constexpr Nanos kMilli = 1'000'000;

// ---- global, cfcfs ----

TEST(Global, IsFirstInFirstOutForEverybodyAndEveryReason) {
  for (const char* spec : {"global", "cfcfs"}) {
    PolicyHarness h(spec, 3);
    h.Enqueue(0, h.NewTask(), EnqueueReason::kNew);
    h.Enqueue(1, h.NewTask(), EnqueueReason::kYielded);
    h.Enqueue(2, h.NewTask(), EnqueueReason::kInjected);
    h.Enqueue(1, h.NewTask(), EnqueueReason::kPreempted);
    h.Enqueue(0, h.NewTask(), EnqueueReason::kUnblocked);
    Ids ids;
    for (ProcId id : {2, 0, 1, 1, 0}) ids.push_back(h.PickId(id));
    EXPECT_EQ(ids, (Ids{1, 2, 3, 4, 5})) << spec;
  }
}

TEST(Cfcfs, EveryDispatchHasTheQuantum) {
  PolicyHarness standard("cfcfs", 1);
  standard.Enqueue(0, standard.NewTask(), EnqueueReason::kNew);
  EXPECT_EQ(standard.Dispatched(0).slice, 100 * kMicro);
  PolicyHarness h("cfcfs:quantum=20us", 1);
  h.Enqueue(0, h.NewTask(), EnqueueReason::kNew);
  EXPECT_EQ(h.Dispatched(0).slice, 20 * kMicro);
}

TEST(Cfcfs, AShortRequestWaitsForOneQuantumOfALongOne) {
  PolicyHarness h("cfcfs:quantum=20us", 1);
  Task* longer = h.NewTask();
  Task* shorter = h.NewTask();
  h.Enqueue(0, longer, EnqueueReason::kNew);
  h.Enqueue(0, shorter, EnqueueReason::kInjected);
  EXPECT_EQ(h.RunSlice(0, kMilli), longer);
  EXPECT_EQ(h.now, 20 * kMicro);
  EXPECT_EQ(h.Pick(0), shorter);
}

// ---- local ----

TEST(Local, WhatIsMadeOnAProcessorStaysThere) {
  PolicyHarness h("local", 2);
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(h.Enqueue(0, h.NewTask(), EnqueueReason::kNew).kind, WakeHint::kNone);
  }
  EXPECT_EQ(h.Pick(1, PickMode::kExhaustive), nullptr);
  EXPECT_EQ(h.Drain(0), (Ids{1, 2, 3, 4}));
}

TEST(Local, AWokenTaskGoesHomeAndItsProcessorIsWoken) {
  PolicyHarness h("local", 4);
  Task* t = h.NewTask();
  t->last_proc = 2;
  const WakeHint hint = h.Enqueue(0, t, EnqueueReason::kUnblocked);
  EXPECT_EQ(hint.kind, WakeHint::kProc);
  EXPECT_EQ(hint.proc, 2);
  EXPECT_EQ(h.Pick(0, PickMode::kExhaustive), nullptr);
  EXPECT_EQ(h.Pick(2), t);
  EXPECT_EQ(h.Enqueue(2, t, EnqueueReason::kUnblocked).kind, WakeHint::kNone);  // by its own processor
  EXPECT_EQ(h.Pick(2), t);
}

TEST(Local, InjectedTasksAreDealtOut) {
  PolicyHarness h("local", 3);
  std::map<ProcId, int> given;
  for (int i = 0; i < 9; ++i) {
    const WakeHint hint = h.Enqueue(kNoProc, h.NewTask(), EnqueueReason::kInjected);
    ASSERT_EQ(hint.kind, WakeHint::kProc);
    ++given[hint.proc];
  }
  EXPECT_EQ(given, (std::map<ProcId, int>{{0, 3}, {1, 3}, {2, 3}}));
  for (ProcId id = 0; id < 3; ++id) EXPECT_EQ(h.Drain(id).size(), 3u);
}

TEST(Local, SpreadDealsOutNewTasksToo) {
  PolicyHarness h("local:spawn=spread", 3);
  for (int i = 0; i < 9; ++i) h.Enqueue(0, h.NewTask(), EnqueueReason::kNew);
  for (ProcId id = 0; id < 3; ++id) EXPECT_EQ(h.Drain(id).size(), 3u);
}

// ---- lifo ----

TEST(Lifo, TheNewestFirstAndThievesTakeTheOldest) {
  PolicyHarness h("lifo", 2);
  for (int i = 0; i < 6; ++i) h.Enqueue(0, h.NewTask(), EnqueueReason::kNew);
  EXPECT_EQ(h.PickId(1, PickMode::kSearch), 1u);
  EXPECT_EQ(h.PickId(1, PickMode::kSearch), 2u);
  EXPECT_EQ(h.policy().Stats().steals, 2u);
  EXPECT_EQ(h.Drain(0, PickMode::kFast), (Ids{6, 5, 4, 3}));
}

TEST(Lifo, AYielderLetsAllOthersRunFirst) {
  PolicyHarness h("lifo", 1);
  for (int i = 0; i < 3; ++i) h.Enqueue(0, h.NewTask(), EnqueueReason::kNew);
  Task* t = h.Pick(0);
  h.Enqueue(0, t, EnqueueReason::kYielded);
  EXPECT_EQ(h.Drain(0), (Ids{2, 1, 3}));
}

TEST(Lifo, TheOldestOfItsOwnIsNotStarvedByAPair) {
  PolicyHarness h("lifo", 1);
  Task* oldest = h.NewTask();
  h.Enqueue(0, oldest, EnqueueReason::kNew);
  Task* pair = h.NewTask();
  for (int i = 0; i < 4 * 61; ++i) {
    h.Enqueue(0, pair, EnqueueReason::kUnblocked);
    if (h.Pick(0) == oldest) return;
  }
  FAIL() << "passed over 244 times";
}

TEST(Lifo, AFullRingOfYieldersSpills) {
  PolicyHarness h("lifo:fair_every=1000000", 2);
  for (int i = 0; i < 257; ++i) h.Enqueue(0, h.NewTask(), EnqueueReason::kYielded);
  EXPECT_EQ(h.policy().Stats().overflows, 1u);
  EXPECT_EQ(h.Drain(1, PickMode::kFast).size(), 129u);
  EXPECT_EQ(h.policy().Stats().shared_picks, 129u);
  EXPECT_EQ(h.Drain(0, PickMode::kFast).size(), 128u);
}

// ---- random ----

TEST(Random, EveryOneIsPickedEquallyOften) {
  PolicyHarness h("random", 1, /*seed=*/42);
  std::map<Task*, int> picks;
  for (int i = 0; i < 5; ++i) h.Enqueue(0, h.NewTask(), EnqueueReason::kNew);
  constexpr int kPicks = 50'000;
  for (int i = 0; i < kPicks; ++i) {
    Task* t = h.Pick(0);
    ++picks[t];
    h.Enqueue(0, t, EnqueueReason::kYielded);
  }
  // 10000 expected each; the standard deviation is 89.
  for (const auto& [task, n] : picks) EXPECT_NEAR(n, kPicks / 5, 500);
}

TEST(Random, ASeedRepeatsTheSchedule) {
  auto run = [](uint64_t seed) {
    PolicyHarness h("random", 2, seed);
    for (int i = 0; i < 50; ++i) h.Enqueue(0, h.NewTask(), EnqueueReason::kNew);
    return h.Drain(1);
  };
  EXPECT_EQ(run(1), run(1));
  EXPECT_NE(run(1), run(2));
}

// One object, one seed, one schedule: what the simulator relies on, for all policies.
TEST(EveryPolicy, ASeedRepeatsTheSchedule) {
  for (const std::string& spec : testing::AllSchedulers()) {
    auto run = [&spec](uint64_t seed) {
      PolicyHarness h(spec, 4, seed);
      Ids ids;
      std::vector<Task*> running(4);
      for (int i = 0; i < 2000; ++i) {
        h.now += 100;
        const ProcId id = static_cast<ProcId>((i * 7 + i / 5) % 4);
        if (running[id] != nullptr) h.Enqueue(id, running[id], static_cast<EnqueueReason>(1 + i % 3));
        if (i % 3 == 0) h.Enqueue(id, h.NewTask(), EnqueueReason::kNew);
        running[id] = h.Pick(id, static_cast<PickMode>(i % 3));
        ids.push_back(running[id] == nullptr ? 0 : running[id]->id);
      }
      return ids;
    };
    EXPECT_EQ(run(5), run(5)) << spec;
  }
}

}  // namespace
}  // namespace gyre
