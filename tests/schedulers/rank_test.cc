// In which order the policies that rank goroutines run them: by priority, deadline, share or attained service.
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "tests/schedulers/policy_harness.h"

namespace gyre {
namespace {

using testing::PolicyHarness;
using Ids = std::vector<uint64_t>;

constexpr Nanos kMicro = 1000;
constexpr Nanos kMilli = 1'000'000;

// ---- priority ----

Task* WithPriority(PolicyHarness& h, int32_t priority) {
  Task* t = h.NewTask();
  t->priority = priority;
  return t;
}

TEST(Priority, TheHighestFirstEqualsInOrder) {
  PolicyHarness h("priority", 1);
  for (int32_t priority : {0, 5, -3, 5, 0, INT32_MAX, INT32_MIN, 5}) {
    h.Enqueue(0, WithPriority(h, priority), EnqueueReason::kNew);
  }
  EXPECT_EQ(h.Drain(0), (Ids{6, 2, 4, 8, 1, 5, 3, 7}));
}

TEST(Priority, AYielderGoesBehindItsEqualsOnly) {
  PolicyHarness h("priority", 1);
  Task* yielder = WithPriority(h, 1);
  Task* equal = WithPriority(h, 1);
  Task* lower = WithPriority(h, 0);
  h.Enqueue(0, lower, EnqueueReason::kNew);
  h.Enqueue(0, equal, EnqueueReason::kNew);
  h.Enqueue(0, yielder, EnqueueReason::kYielded);
  EXPECT_EQ(h.Pick(0), equal);
  EXPECT_EQ(h.Pick(0), yielder);
  EXPECT_EQ(h.Pick(0), lower);
}

TEST(Priority, PreemptsTheLeastUrgentWhenNobodyIsIdle) {
  PolicyHarness h("priority", 3);
  for (int32_t priority : {3, 1, 2}) h.Enqueue(kNoProc, WithPriority(h, priority), EnqueueReason::kInjected);
  EXPECT_EQ(h.Pick(0)->priority, 3);
  EXPECT_EQ(h.Pick(2)->priority, 2);
  // Processor 1 is idle.
  EXPECT_EQ(h.Enqueue(0, WithPriority(h, 9), EnqueueReason::kNew).kind, WakeHint::kAnyIdle);
  EXPECT_EQ(h.Pick(1)->priority, 9);
  // All run: 3, 9 and 2.
  WakeHint hint = h.Enqueue(0, WithPriority(h, 5), EnqueueReason::kUnblocked);
  EXPECT_EQ(hint.kind, WakeHint::kPreempt);
  EXPECT_EQ(hint.proc, 2);
  // Another one that comes before processor 2 has obeyed goes to the next.
  hint = h.Enqueue(0, WithPriority(h, 4), EnqueueReason::kUnblocked);
  EXPECT_EQ(hint.kind, WakeHint::kPreempt);
  EXPECT_EQ(hint.proc, 0);
  EXPECT_EQ(h.Enqueue(0, WithPriority(h, 4), EnqueueReason::kUnblocked).kind, WakeHint::kAnyIdle);
  // A processor that finds nothing is idle again.
  h.Drain(1);
  EXPECT_EQ(h.Enqueue(0, WithPriority(h, 100), EnqueueReason::kUnblocked).kind, WakeHint::kAnyIdle);
}

TEST(Priority, APriorityThatChangesCounts) {
  PolicyHarness h("priority", 1);
  Task* t = WithPriority(h, 5);
  h.Enqueue(0, t, EnqueueReason::kNew);
  h.Pick(0);
  EXPECT_EQ(h.Enqueue(0, WithPriority(h, 4), EnqueueReason::kNew).kind, WakeHint::kAnyIdle);
  t->priority = 1;
  ASSERT_TRUE(h.policy().traits().wants_task_hooks);
  h.policy().AttributesChanged(h.context(0), *t);
  EXPECT_EQ(h.Enqueue(0, WithPriority(h, 3), EnqueueReason::kNew).kind, WakeHint::kPreempt);
  h.Enqueue(0, t, EnqueueReason::kPreempted);
  EXPECT_EQ(h.Drain(0), (Ids{2, 3, 1}));
}

TEST(Priority, PreemptionCanBeOff) {
  PolicyHarness h("priority:preempt=off", 1);
  h.Enqueue(0, WithPriority(h, 0), EnqueueReason::kNew);
  h.Pick(0);
  EXPECT_EQ(h.Enqueue(0, WithPriority(h, 9), EnqueueReason::kNew).kind, WakeHint::kAnyIdle);
}

// ---- edf ----

Task* WithDeadline(PolicyHarness& h, Nanos deadline) {
  Task* t = h.NewTask();
  t->deadline = deadline;
  return t;
}

TEST(Edf, TheEarliestFirstNoneLastEqualsInOrder) {
  PolicyHarness h("edf", 1);
  for (Nanos deadline : {Nanos{50}, kNever, Nanos{10}, Nanos{50}, kNever, Nanos{-5}}) {
    h.Enqueue(0, WithDeadline(h, deadline), EnqueueReason::kNew);
  }
  EXPECT_EQ(h.Drain(0), (Ids{6, 3, 1, 4, 2, 5}));
}

TEST(Edf, AYielderWaitsAmongThoseWithoutADeadline) {
  PolicyHarness h("edf", 1);
  Task* yielder = WithDeadline(h, 10);
  Task* none = WithDeadline(h, kNever);
  Task* later_none = WithDeadline(h, kNever);
  h.Enqueue(0, none, EnqueueReason::kNew);
  h.Enqueue(0, yielder, EnqueueReason::kYielded);
  h.Enqueue(0, later_none, EnqueueReason::kNew);
  EXPECT_EQ(h.Pick(0), none);
  EXPECT_EQ(h.Pick(0), yielder);
  // Only for that once.
  h.Enqueue(0, yielder, EnqueueReason::kPreempted);
  EXPECT_EQ(h.Pick(0), yielder);
  EXPECT_EQ(h.Pick(0), later_none);
}

TEST(Edf, PreemptsTheLatestWhenNobodyIsIdle) {
  PolicyHarness h("edf", 2);
  h.Enqueue(0, WithDeadline(h, 100), EnqueueReason::kNew);
  h.Enqueue(0, WithDeadline(h, kNever), EnqueueReason::kNew);
  h.Pick(0);
  h.Pick(1);
  const WakeHint hint = h.Enqueue(0, WithDeadline(h, 200), EnqueueReason::kUnblocked);
  EXPECT_EQ(hint.kind, WakeHint::kPreempt);
  EXPECT_EQ(hint.proc, 1);
  EXPECT_EQ(h.Enqueue(0, WithDeadline(h, 300), EnqueueReason::kUnblocked).kind, WakeHint::kAnyIdle);
}

// ---- fair ----

TEST(Fair, SharesAreProportionalToWeights) {
  PolicyHarness h("fair", 1);
  ASSERT_TRUE(h.policy().traits().wants_times);
  std::vector<Task*> tasks;
  for (uint32_t weight : {1024u, 2048u, 4096u, 512u}) {
    tasks.push_back(h.NewTask());
    tasks.back()->weight = weight;
    h.Enqueue(0, tasks.back(), EnqueueReason::kNew);
  }
  while (h.now < 10'000 * kMilli) h.RunSlice(0, 10 * kMilli);
  for (Task* t : tasks) {
    const double expected = 10'000.0 * kMilli * t->weight / (1024 + 2048 + 4096 + 512);
    EXPECT_NEAR(static_cast<double>(t->ran_for), expected, 0.01 * expected) << t->weight;
  }
}

TEST(Fair, WaitingSavesUpNoMoreThanTheCredit) {
  PolicyHarness h("fair:credit=3ms", 1);
  Task* busy = h.NewTask();
  Task* sleeper = h.NewTask();
  h.Enqueue(0, sleeper, EnqueueReason::kNew);
  ASSERT_EQ(h.Pick(0), sleeper);  // and blocks
  h.Enqueue(0, busy, EnqueueReason::kNew);
  while (h.now < 1000 * kMilli) h.RunSlice(0, kMilli);
  h.Enqueue(0, sleeper, EnqueueReason::kUnblocked);
  const Nanos woken_at = h.now;
  while (h.RunSlice(0, kMilli / 2) == sleeper) {
  }
  EXPECT_GE(sleeper->ran_for, 2 * kMilli);
  EXPECT_LE(sleeper->ran_for, 5 * kMilli);
  EXPECT_GE(h.now, woken_at + sleeper->ran_for);
}

TEST(Fair, ANewTaskOwesNothingAndIsOwedNothing) {
  PolicyHarness h("fair", 1);
  Task* old = h.NewTask();
  h.Enqueue(0, old, EnqueueReason::kNew);
  while (h.now < 100 * kMilli) h.RunSlice(0, kMilli);
  Task* young = h.NewTask();
  h.Enqueue(0, young, EnqueueReason::kNew);
  const Nanos before = old->ran_for;
  while (h.now < 200 * kMilli) h.RunSlice(0, kMilli);
  EXPECT_NEAR(static_cast<double>(young->ran_for), static_cast<double>(old->ran_for - before), 7.0 * kMilli);
}

// A line of tasks that each make the next and end, so soon that no one's turn is over.
TEST(Fair, SC_05_ALineOfShortTasksKeepsNobodyOut) {
  PolicyHarness h("fair", 1);
  Task* waiting = h.NewTask();
  h.Enqueue(0, waiting, EnqueueReason::kNew);
  ASSERT_EQ(h.Pick(0), waiting);
  waiting->ran_for = kMilli;
  h.now += kMilli;
  h.Enqueue(0, h.NewTask(), EnqueueReason::kNew);
  h.Enqueue(0, waiting, EnqueueReason::kUnblocked);
  int made = 0;
  while (h.Pick(0) != waiting) {
    ASSERT_LT(++made, 1000);
    h.now += kMilli / 100;
    h.Enqueue(0, h.NewTask(), EnqueueReason::kNew);
  }
  EXPECT_GT(made, 0);
}

TEST(Fair, AYielderGoesBehindTheNextInLine) {
  PolicyHarness h("fair", 1);
  Task* a = h.NewTask();
  Task* b = h.NewTask();
  h.Enqueue(0, b, EnqueueReason::kNew);
  h.Enqueue(0, a, EnqueueReason::kNew);
  ASSERT_EQ(h.Pick(0), b);
  b->ran_for += kMilli;
  h.now += kMilli;
  h.Enqueue(0, b, EnqueueReason::kPreempted);
  for (int i = 0; i < 10; ++i) {
    ASSERT_EQ(h.Pick(0), a);
    a->ran_for += 10;  // far behind b, and yet it lets b run
    h.Enqueue(0, a, EnqueueReason::kYielded);
    ASSERT_EQ(h.Pick(0), b);
    b->ran_for += 10;
    h.Enqueue(0, b, EnqueueReason::kYielded);
  }
}

TEST(Fair, SlicesDivideTheLatencyDownToTheGranularity) {
  PolicyHarness h("fair:latency=8ms,granularity=1ms", 1);
  for (int i = 0; i < 4; ++i) h.Enqueue(0, h.NewTask(), EnqueueReason::kNew);
  EXPECT_EQ(h.Dispatched(0).slice, 2 * kMilli);
  PolicyHarness many("fair:latency=8ms,granularity=1ms", 1);
  for (int i = 0; i < 100; ++i) many.Enqueue(0, many.NewTask(), EnqueueReason::kNew);
  EXPECT_EQ(many.Dispatched(0).slice, kMilli);
  PolicyHarness alone("fair:latency=8ms,granularity=1ms", 4);
  alone.Enqueue(0, alone.NewTask(), EnqueueReason::kNew);
  EXPECT_EQ(alone.Dispatched(0).slice, 8 * kMilli);
}

TEST(Fair, AGranularityLongerThanTheLatencyIsRefused) {
  auto made = MakeScheduler("fair:latency=1ms,granularity=2ms");
  ASSERT_TRUE(made.ok());
  const absl::Status status = made->plugin->Start(Topology{1}, made->options);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(std::string(status.message()).find("granularity"), std::string::npos) << status;
}

TEST(Fair, PreemptsTheOneThatIsFurthestAhead) {
  PolicyHarness h("fair", 2);
  Task* ahead = h.NewTask();
  Task* behind = h.NewTask();
  Task* sleeper = h.NewTask();
  for (Task* t : {ahead, behind, sleeper}) h.Enqueue(0, t, EnqueueReason::kNew);
  for (int i = 0; i < 3; ++i) h.Pick(0);
  ahead->ran_for = 100 * kMilli;
  behind->ran_for = 90 * kMilli;
  h.Enqueue(0, ahead, EnqueueReason::kPreempted);
  h.Enqueue(0, behind, EnqueueReason::kPreempted);
  EXPECT_EQ(h.Pick(0), behind);
  EXPECT_EQ(h.Pick(1), ahead);
  const WakeHint hint = h.Enqueue(0, sleeper, EnqueueReason::kUnblocked);
  EXPECT_EQ(hint.kind, WakeHint::kPreempt);
  EXPECT_EQ(hint.proc, 1);
}

// ---- las ----

TEST(Las, WhoHasRunLeastRunsFirst) {
  PolicyHarness h("las:quantum=1ms,levels=4", 1);
  ASSERT_TRUE(h.policy().traits().wants_times);
  const Nanos attained[] = {7 * kMilli, 0, 3 * kMilli, kMilli - 1, kMilli, 100 * kMilli};  // levels 3 0 2 0 1 3
  for (Nanos ran : attained) {
    Task* t = h.NewTask();
    t->ran_for = ran;
    h.Enqueue(0, t, EnqueueReason::kPreempted);
  }
  EXPECT_EQ(h.Drain(0), (Ids{2, 4, 5, 3, 1, 6}));
}

TEST(Las, ADispatchGetsTheRestOfItsLevelsQuantum) {
  PolicyHarness h("las:quantum=1ms,levels=4", 1);
  Task* t = h.NewTask();
  const std::pair<Nanos, Nanos> attained_and_slice[] = {{0, kMilli},
                                                        {400 * kMicro, 600 * kMicro},
                                                        {kMilli, 2 * kMilli},
                                                        {2 * kMilli, kMilli},
                                                        {3 * kMilli, 4 * kMilli},
                                                        {7 * kMilli, 8 * kMilli},
                                                        {1000 * kMilli, 8 * kMilli}};
  for (const auto& [attained, slice] : attained_and_slice) {
    t->ran_for = attained;
    h.Enqueue(0, t, EnqueueReason::kPreempted);
    EXPECT_EQ(h.Dispatched(0).slice, slice) << attained;
  }
}

TEST(Las, ANewcomerOvertakesALongOne) {
  PolicyHarness h("las", 1);
  Task* longer = h.NewTask();
  h.Enqueue(0, longer, EnqueueReason::kNew);
  for (int i = 0; i < 20; ++i) h.RunSlice(0, 1000 * kMilli);
  Task* shorter = h.NewTask();
  h.Enqueue(0, shorter, EnqueueReason::kNew);
  EXPECT_EQ(h.Pick(0), shorter);
  // And where the long one runs, it is preempted.
  h.Pick(0);
  EXPECT_EQ(h.Enqueue(0, h.NewTask(), EnqueueReason::kNew).kind, WakeHint::kPreempt);
}

TEST(Las, EqualsOnTheLastLevelTakeTurns) {
  PolicyHarness h("las:quantum=1ms,levels=3", 1);
  std::vector<Task*> tasks;
  for (int i = 0; i < 4; ++i) {
    tasks.push_back(h.NewTask());
    h.Enqueue(0, tasks.back(), EnqueueReason::kNew);
  }
  while (h.now < 1000 * kMilli) h.RunSlice(0, 1000 * kMilli);
  for (Task* t : tasks) EXPECT_NEAR(static_cast<double>(t->ran_for), 250.0 * kMilli, 8.0 * kMilli);
}

TEST(Las, PerWakeTheCountStartsAgain) {
  for (bool per_wake : {false, true}) {
    PolicyHarness h(per_wake ? "las:service=wake" : "las", 1);
    Task* server = h.NewTask();
    Task* fresh = h.NewTask();
    server->ran_for = 1000 * kMilli;
    h.Enqueue(0, server, EnqueueReason::kUnblocked);
    h.Enqueue(0, fresh, EnqueueReason::kNew);
    EXPECT_EQ(h.Pick(0), per_wake ? server : fresh);
  }
}

TEST(Las, ABoostEndsStarvation) {
  for (bool boost : {false, true}) {
    PolicyHarness h(boost ? "las:quantum=1ms,rescue=0,boost=50ms" : "las:quantum=1ms,rescue=0", 1);
    Task* longer = h.NewTask();
    longer->ran_for = 1000 * kMilli;
    h.Enqueue(0, longer, EnqueueReason::kPreempted);
    bool ran = false;
    for (int i = 0; i < 200 && !ran; ++i) {  // a stream of short ones that never lets up
      h.Enqueue(0, h.NewTask(), EnqueueReason::kNew);
      h.now += kMilli;
      ran = h.Pick(0) == longer;
    }
    EXPECT_EQ(ran, boost);
  }
}

// ---- what is preempted comes round ----

// It may hold a lock that all others wait for; its turn must come although they never leave the queue.
TEST(Rescue, APreemptedTaskRunsInBoundedTimeUnderEveryPolicy) {
  for (const std::string& spec : testing::AllSchedulers()) {
    PolicyHarness h(spec, 1);
    Task* urgent[2] = {h.NewTask(), h.NewTask()};
    Task* preempted = h.NewTask();
    preempted->ran_for = 1000 * kMilli;
    for (Task* t : urgent) {
      t->priority = 10;
      t->deadline = 5;
      h.Enqueue(0, t, EnqueueReason::kNew);
    }
    h.Enqueue(0, preempted, EnqueueReason::kPreempted);
    int picks = 1;
    for (Task* t; (t = h.Pick(0)) != preempted; ++picks) {
      ASSERT_NE(t, nullptr) << spec;
      ASSERT_LT(picks, 2000) << spec;
      h.now += kMilli;
      t->ran_for += kMilli;
      h.Enqueue(0, t, EnqueueReason::kUnblocked);
    }
  }
}

TEST(Rescue, IsGivenToTheOldestForAMomentAndCanBeOff) {
  for (bool on : {true, false}) {
    PolicyHarness h(on ? "priority:rescue=4" : "priority:rescue=0", 1);
    Task* urgent = WithPriority(h, 10);
    Task* first = WithPriority(h, 0);
    Task* second = WithPriority(h, 1);
    h.Enqueue(0, first, EnqueueReason::kPreempted);
    h.Enqueue(0, second, EnqueueReason::kPreempted);
    Ids ids;
    std::vector<Nanos> slices;
    for (int i = 0; i < 10; ++i) {
      h.Enqueue(0, urgent, EnqueueReason::kUnblocked);
      const Dispatch d = h.Dispatched(0);
      ids.push_back(d.task->id);
      slices.push_back(d.slice);
      if (d.task != urgent) h.Drain(0, PickMode::kFast);
      if (d.task == first) h.Enqueue(0, second, EnqueueReason::kPreempted);
    }
    if (on) {
      EXPECT_EQ(ids, (Ids{1, 1, 1, 2, 1, 1, 1, 3, 1, 1}));
      EXPECT_EQ(slices[3], 100 * kMicro);
      EXPECT_EQ(slices[4], 0);
    } else {
      EXPECT_EQ(ids, Ids(10, 1));
    }
  }
}

}  // namespace
}  // namespace gyre
