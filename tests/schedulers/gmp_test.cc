#include <cstdint>
#include <numeric>
#include <set>
#include <vector>

#include "gtest/gtest.h"
#include "tests/schedulers/policy_harness.h"

namespace gyre {
namespace {

using testing::PolicyHarness;

std::vector<uint64_t> Range(uint64_t first, uint64_t last) {
  std::vector<uint64_t> v(last - first + 1);
  std::iota(v.begin(), v.end(), first);
  return v;
}

TEST(Gmp, SC_01_TheNewestRunsNextAndTheRestInOrder) {
  PolicyHarness h("gmp", 1);
  for (int i = 0; i < 10; ++i) h.Enqueue(0, h.NewTask(), EnqueueReason::kNew);
  std::vector<uint64_t> expected = {10, 1, 2, 3, 4, 5, 6, 7, 8, 9};
  EXPECT_EQ(h.Drain(0, PickMode::kFast), expected);
}

TEST(Gmp, WithoutRunnextAllIsInOrder) {
  PolicyHarness h("gmp:runnext=off", 1);
  for (int i = 0; i < 10; ++i) h.Enqueue(0, h.NewTask(), EnqueueReason::kNew);
  EXPECT_EQ(h.Drain(0, PickMode::kFast), Range(1, 10));
}

TEST(Gmp, SC_02_YieldersAlternate) {
  for (const char* spec : {"gmp", "gmp:yielded=shared"}) {
    PolicyHarness h(spec, 1);
    Task* a = h.NewTask();
    Task* b = h.NewTask();
    h.Enqueue(0, b, EnqueueReason::kYielded);
    for (int i = 0; i < 1000; ++i) {
      h.Enqueue(0, a, EnqueueReason::kYielded);
      ASSERT_EQ(h.Pick(0), b);
      h.Enqueue(0, b, EnqueueReason::kYielded);
      ASSERT_EQ(h.Pick(0), a);
    }
  }
}

// 256 in the ring and one in runnext; the next push moves the older half, and what it pushes, to the shared
// queue.
TEST(Gmp, SC_06_AFullRingSpillsHalf) {
  PolicyHarness h("gmp:shared_every=1000000", 2);
  for (int i = 0; i < 257; ++i) h.Enqueue(0, h.NewTask(), EnqueueReason::kNew);
  EXPECT_EQ(h.policy().Stats().overflows, 0u);
  EXPECT_EQ(h.PickId(1, PickMode::kFast), 0u);  // nothing is shared yet
  h.Enqueue(0, h.NewTask(), EnqueueReason::kNew);
  EXPECT_EQ(h.policy().Stats().overflows, 1u);
  // 128 of the ring and task 257 are shared; half of them, plus one, is this processor's part: 129 / 2 + 1.
  std::vector<uint64_t> second = h.Drain(1, PickMode::kFast);
  std::vector<uint64_t> expected = Range(1, 128);
  expected.push_back(257);
  EXPECT_EQ(second, expected);
  EXPECT_EQ(h.policy().Stats().shared_picks, 129u);
  std::vector<uint64_t> first = h.Drain(0, PickMode::kFast);
  expected = {258};
  for (uint64_t id : Range(129, 256)) expected.push_back(id);
  EXPECT_EQ(first, expected);
}

TEST(Gmp, ABurstIsRunOnceEach) {
  PolicyHarness h("gmp", 1);
  for (int i = 0; i < 10'000; ++i) h.Enqueue(0, h.NewTask(), EnqueueReason::kNew);
  std::vector<uint64_t> ids = h.Drain(0, PickMode::kFast);
  EXPECT_EQ(ids.size(), 10'000u);
  EXPECT_EQ(std::set<uint64_t>(ids.begin(), ids.end()).size(), 10'000u);
}

TEST(Gmp, SC_05_TheSharedQueueGoesFirstOnEvery61stPick) {
  PolicyHarness h("gmp", 1);
  Task* busy = h.NewTask();
  Task* injected = h.NewTask();
  h.Enqueue(kNoProc, injected, EnqueueReason::kInjected);
  int picks = 0;
  for (;;) {
    h.Enqueue(0, busy, EnqueueReason::kYielded);
    ++picks;
    if (h.Pick(0) == injected) break;
    ASSERT_LE(picks, 61);
  }
  EXPECT_EQ(picks, 61);
}

TEST(Gmp, APairInRunnextDoesNotStarveTheRing) {
  PolicyHarness h("gmp", 1);
  Task* a = h.NewTask();
  Task* waiting = h.NewTask();
  h.Enqueue(0, waiting, EnqueueReason::kYielded);
  int picks = 0;
  do {
    h.Enqueue(0, a, EnqueueReason::kUnblocked);
    ASSERT_LE(++picks, 3 * 61);
  } while (h.Pick(0) != waiting);
}

TEST(Gmp, NeitherStarvesBesideAPairInRunnext) {
  PolicyHarness h("gmp", 1);
  Task* pair = h.NewTask();
  int shared = 0;
  int ring = 0;
  Task* in_ring = h.NewTask();
  Task* in_shared = h.NewTask();
  h.Enqueue(0, in_ring, EnqueueReason::kYielded);
  h.Enqueue(kNoProc, in_shared, EnqueueReason::kInjected);
  h.Enqueue(0, pair, EnqueueReason::kUnblocked);
  for (int i = 0; i < 61 * 100; ++i) {
    Task* t = h.Pick(0);
    if (t == in_ring) {
      ++ring;
      h.Enqueue(0, t, EnqueueReason::kYielded);
    } else if (t == in_shared) {
      ++shared;
      h.Enqueue(kNoProc, t, EnqueueReason::kInjected);
    } else {
      h.Enqueue(0, t, EnqueueReason::kUnblocked);
    }
  }
  EXPECT_GE(ring, 40);
  EXPECT_GE(shared, 40);
}

TEST(Gmp, AThiefTakesHalfOrOneOrNothing) {
  struct {
    const char* spec;
    uint64_t stolen;
  } cases[] = {{"gmp", 4}, {"gmp:steal=one", 1}, {"gmp:steal=off", 0}};
  for (const auto& c : cases) {
    PolicyHarness h(c.spec, 2);
    for (int i = 0; i < 8; ++i) h.Enqueue(0, h.NewTask(), EnqueueReason::kYielded);
    EXPECT_EQ(h.PickId(1, PickMode::kFast), 0u) << c.spec;
    EXPECT_EQ(h.PickId(1, PickMode::kSearch), c.stolen == 0 ? 0 : 1u) << c.spec;
    EXPECT_EQ(h.policy().Stats().stolen, c.stolen) << c.spec;
    EXPECT_EQ(h.policy().Stats().steals, c.stolen == 0 ? 0 : 1u) << c.spec;
    EXPECT_EQ(h.Drain(1, PickMode::kFast).size(), c.stolen == 0 ? 0 : c.stolen - 1) << c.spec;
    EXPECT_EQ(h.Drain(0, PickMode::kFast).size(), 8 - c.stolen) << c.spec;
  }
}

// What a processor is about to run is left to it, unless the processor is busy with something long.
TEST(Gmp, SC_10_ASearchTakesRunnextOnlyFromAProcessorThatDoesNotMove) {
  PolicyHarness h("gmp", 2);
  Task* a = h.NewTask();
  for (int i = 0; i < 100; ++i) {  // a pair at work: each time the victim has picked in between
    h.Enqueue(0, a, EnqueueReason::kUnblocked);
    ASSERT_EQ(h.Pick(1, PickMode::kSearch), nullptr);
    ASSERT_EQ(h.Pick(0), a);
  }
  h.Enqueue(0, a, EnqueueReason::kUnblocked);
  EXPECT_EQ(h.Pick(1, PickMode::kSearch), nullptr);
  EXPECT_EQ(h.Pick(1, PickMode::kSearch), a);
}

TEST(Gmp, ASearchNoticesThatRunnextIsAnotherTask) {
  PolicyHarness h("gmp", 2);
  Task* a = h.NewTask();
  Task* b = h.NewTask();
  h.Enqueue(0, a, EnqueueReason::kUnblocked);
  EXPECT_EQ(h.Pick(1, PickMode::kSearch), nullptr);
  h.Enqueue(0, b, EnqueueReason::kUnblocked);  // a goes to the ring
  EXPECT_EQ(h.Pick(1, PickMode::kSearch), a);
  EXPECT_EQ(h.Pick(1, PickMode::kSearch), nullptr);
  EXPECT_EQ(h.Pick(1, PickMode::kSearch), b);
}

TEST(Gmp, TheLastLookTakesRunnextAtOnce) {
  PolicyHarness h("gmp", 8);
  Task* a = h.NewTask();
  h.Enqueue(3, a, EnqueueReason::kUnblocked);
  EXPECT_EQ(h.Pick(1, PickMode::kExhaustive), a);
  EXPECT_EQ(h.Pick(3, PickMode::kExhaustive), nullptr);
}

TEST(Gmp, HintsAreGivenWhereThereIsMoreToDo) {
  PolicyHarness h("gmp", 2);
  EXPECT_EQ(h.Enqueue(0, h.NewTask(), EnqueueReason::kNew).kind, WakeHint::kAnyIdle);
  EXPECT_EQ(h.Enqueue(0, h.NewTask(), EnqueueReason::kUnblocked).kind, WakeHint::kAnyIdle);
  EXPECT_EQ(h.Enqueue(0, h.NewTask(), EnqueueReason::kInjected).kind, WakeHint::kAnyIdle);
  EXPECT_EQ(h.Enqueue(0, h.NewTask(), EnqueueReason::kPreempted).kind, WakeHint::kAnyIdle);
  EXPECT_EQ(h.Enqueue(0, h.NewTask(), EnqueueReason::kYielded).kind, WakeHint::kNone);
}

TEST(Gmp, ResizeMovesAllToTheSharedQueueAndKeepsTheCounts) {
  PolicyHarness h("gmp", 4);
  for (int i = 0; i < 300; ++i) h.Enqueue(i % 4, h.NewTask(), EnqueueReason::kNew);
  for (int i = 0; i < 20; ++i) h.Enqueue(0, h.NewTask(), EnqueueReason::kInjected);
  h.Pick(3, PickMode::kFast);
  const uint64_t shared_picks = h.policy().Stats().shared_picks;
  ASSERT_TRUE(h.Resize(2).ok());
  EXPECT_EQ(h.policy().Stats().shared_picks, shared_picks);
  EXPECT_EQ(h.Drain(1).size(), 319u);
  EXPECT_EQ(h.Pick(0, PickMode::kExhaustive), nullptr);
}

}  // namespace
}  // namespace gyre
