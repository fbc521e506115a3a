// Panics as exceptions (rows PN), the inventory of goroutines (LK), states and dumps (OB), virtual time (VT), and the
// whole under perturbed schedules (RS).
#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <exception>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "channels/chan.h"
#include "channels/select.h"
#include "channels/time.h"
#include "context/context.h"
#include "runtime/dump.h"
#include "runtime/go.h"
#include "runtime/goroutine.h"
#include "runtime/panic.h"
#include "runtime/park.h"
#include "runtime/simulation/explore.h"
#include "runtime/simulation/simulate.h"
#include "runtime/state.h"
#include "sync/mutex.h"
#include "sync/wait_group.h"
#include "tests/channels/watched.h"
#include "tests/testing/runtime_test.h"

namespace gyre {
namespace {

using internal::GState;
using internal::GStateName;
using internal::IsLegalTransition;
using testing::Eventually;
using testing::PanicText;
using testing::Scaled;
using testing::Watched;

// ---- Panics ----

// Whether f panics, and with Go's run-time error class.
template <typename F>
std::pair<bool, bool> Panics(F f) {
  try {
    f();
  } catch (const RuntimeError&) {
    return {true, true};
  } catch (const PanicError&) {
    return {true, false};
  }
  return {false, false};
}

GYRE_TEST(Panics, PN_03_RunTimeErrorsAreAClassOfTheirOwn) {
  const std::pair<bool, bool> runtime_error{true, true}, plain{true, false};
  Chan<int> closed = MakeChan<int>();
  closed.Close();
  EXPECT_EQ(Panics([&] { closed.Send(1); }), runtime_error);
  EXPECT_EQ(Panics([&] { closed.Close(); }), runtime_error);
  EXPECT_EQ(Panics([] { Chan<int>().Close(); }), runtime_error);
  EXPECT_EQ(Panics([] { MakeChan<int>(-1); }), runtime_error);
  EXPECT_EQ(Panics([] { WaitGroup().Done(); }), plain);
  EXPECT_EQ(Panics([] { Timer().Stop(); }), plain);
  EXPECT_EQ(Panics([] { NewTicker(absl::ZeroDuration()); }), plain);
  EXPECT_EQ(Panics([] { context::WithCancel(nullptr); }), plain);
  EXPECT_EQ(Panics([] { context::WithValue(context::Background(), nullptr, 1); }), plain);
}

// recover() is std::current_exception() here: of the goroutine, not of the thread.
GYRE_TEST(Panics, PN_11_NothingToRecoverWhereNothingWasThrown) {
  EXPECT_EQ(std::current_exception(), nullptr);
  const auto helper = [] { return std::current_exception() != nullptr; };
  try {
    Panic("mine");
  } catch (const PanicError&) {
    EXPECT_TRUE(helper());
    Chan<bool> has = MakeChan<bool>();
    Go([=] { has.Send(std::current_exception() != nullptr || std::uncaught_exceptions() != 0); });
    EXPECT_FALSE(has.Recv());  // another goroutine, on this thread perhaps, while this one handles
    EXPECT_TRUE(helper());
  }
  EXPECT_FALSE(helper());
}

GYRE_TEST(Panics, PN_13_AThousandHandlersAtOnce) {
  const int n = Scaled(1000);
  std::atomic<int> right{0};
  Chan<Unit> all_in = MakeChan<Unit>();
  std::atomic<int> in{0};
  WaitGroup wg;
  for (int i = 0; i < n; ++i) {
    wg.Go([&, i] {
      try {
        throw i;
      } catch (int caught) {
        if (++in == n) all_in.Close();
        all_in.Recv();  // now everybody is inside a handler
        try {
          Yield();
          throw;
        } catch (int again) {
          if (caught == i && again == i && std::uncaught_exceptions() == 0) ++right;
        }
      }
    });
  }
  wg.Wait();
  EXPECT_EQ(right, n);
}

// ---- The inventory ----

GYRE_TEST(Inventory, LK_02_ProperShutdownLeavesNobody) {
  Chan<int> jobs = MakeChan<int>(4), results = MakeChan<int>(4);
  WaitGroup workers;
  for (int i = 0; i < 4; ++i) {
    workers.Go([=] {
      for (int job : jobs) results.Send(job);
    });
  }
  Go([&] {
    for (int i = 0; i < 50; ++i) jobs.Send(i);
    jobs.Close();
    workers.Wait();
    results.Close();
  });
  int sum = 0;
  for (int r : results) sum += r;
  EXPECT_EQ(sum, 49 * 50 / 2);

  auto [ctx, cancel] = context::WithCancel(context::Background());
  Chan<int> numbers = MakeChan<int>(), squares = MakeChan<int>();
  Go([=, ctx = ctx] {
    for (int i = 0, over = 0; over == 0; ++i) Select(numbers.OnSend(i), ctx.Done().OnRecv([&] { over = 1; }));
  });
  Go([=, ctx = ctx] {
    for (bool over = false; !over;) {
      int n = 0;
      Select(numbers.OnRecv([&](int v) { n = v; }), ctx.Done().OnRecv([&] { over = true; }));
      if (!over) Select(squares.OnSend(n * n), ctx.Done().OnRecv([&] { over = true; }));
    }
  });
  for (int i = 0; i < 5; ++i) EXPECT_EQ(squares.Recv(), i * i);
  cancel();
  EXPECT_TRUE(Eventually([] { return NumGoroutine() == 1; }));
}

GYRE_TEST(Inventory, LK_03_TimeoutsNotTakenAreNoGoroutines) {
  Chan<int> ready = MakeChan<int>(1);
  for (int i = 0; i < 1000; ++i) {
    ready.Send(i);
    Select(ready.OnRecv([] {}), After(absl::Hours(1)).OnRecv([] {}));
    Tick(absl::Hours(1));
  }
  EXPECT_EQ(NumGoroutine(), 1);
}

int Entries(const std::string& dump) {
  int count = dump.rfind("goroutine ", 0) == 0 ? 1 : 0;
  for (size_t at = 0; (at = dump.find("\n\ngoroutine ", at)) != std::string::npos; ++at) ++count;
  return count;
}

GYRE_TEST_ON_THREADS(Inventory, LK_04_TheDumpHasAsManyAsAreCounted) {
  Chan<Unit> release = MakeChan<Unit>();
  std::deque<Watched> blocked;
  for (int i = 0; i < 20; ++i) blocked.emplace_back([=] { release.Recv(); });
  for (Watched& w : blocked) ASSERT_TRUE(w.Blocks(WaitReason::kChanReceive));
  EXPECT_EQ(NumGoroutine(), 21);
  const std::string dump = internal::DumpGoroutines(nullptr, 0);
  EXPECT_EQ(Entries(dump), 21) << dump;
  release.Close();
  for (Watched& w : blocked) ASSERT_TRUE(w.Ends());
}

// ---- States and dumps ----

TEST(States, OB_02_NumbersNamesAndTransitionsAreGos) {
  const std::pair<GState, const char*> kStates[] = {
      {GState{0}, "idle"},      {GState{1}, "runnable"},  {GState{2}, "running"},
      {GState{3}, "syscall"},   {GState{4}, "waiting"},   {GState{6}, "dead"},
      {GState{8}, "copystack"}, {GState{9}, "preempted"}, {GState{0x1000}, "scan"}};
  for (const auto& [state, name] : kStates) EXPECT_STREQ(GStateName(state), name);
  for (uint32_t unused : {5, 7, 10}) EXPECT_STREQ(GStateName(GState{unused}), "unknown");
  std::set<std::pair<std::string, std::string>> legal;
  for (const auto& [from, from_name] : kStates) {
    for (const auto& [to, to_name] : kStates) {
      if (IsLegalTransition(from, to)) legal.emplace(from_name, to_name);
    }
  }
  const std::set<std::pair<std::string, std::string>> kMust = {
      {"idle", "runnable"},     {"runnable", "running"}, {"running", "waiting"},   {"waiting", "runnable"},
      {"running", "runnable"},  {"running", "syscall"},  {"syscall", "running"},   {"syscall", "runnable"},
      {"running", "dead"},      {"dead", "idle"},        {"running", "preempted"}, {"preempted", "runnable"},
      {"running", "copystack"}, {"copystack", "running"}};
  for (const auto& step : kMust) EXPECT_TRUE(legal.count(step)) << step.first << " to " << step.second;
  const std::set<std::pair<std::string, std::string>> kMustNot = {
      {"waiting", "running"}, {"idle", "running"},     {"dead", "running"},
      {"dead", "runnable"},   {"runnable", "waiting"}, {"runnable", "dead"},
      {"waiting", "dead"},    {"syscall", "waiting"},  {"preempted", "running"}};
  for (const auto& step : kMustNot) EXPECT_FALSE(legal.count(step)) << step.first << " to " << step.second;
}

GYRE_TEST(States, OB_02_AGoroutineIsSeenInEach) {
  std::atomic<internal::G*> g{nullptr};
  Chan<Unit> ch = MakeChan<Unit>();
  Watched one([&] {
    g = internal::Self();
    EXPECT_EQ(internal::Self()->state.load(), GState::kRunning);
    ch.Recv();
    EXPECT_EQ(internal::Self()->state.load(), GState::kRunning);
  });
  ASSERT_TRUE(one.Blocks(WaitReason::kChanReceive));
  EXPECT_EQ(g.load()->state.load(), GState::kWaiting);
  ch.Send({});
  EXPECT_TRUE(one.Ends());
}

// A minute passes at once in virtual time.
TEST(States, OB_03_ALongWaitShowsItsMinutes) {
  std::string dump;
  const SimulationResult result = Simulate({}, [&] {
    Chan<Unit> release = MakeChan<Unit>();
    Go([=] { release.Recv(); });
    Sleep(absl::Seconds(59));
    EXPECT_NE(internal::DumpGoroutines(nullptr, 0).find("[chan receive]:"), std::string::npos);
    Sleep(absl::Seconds(2) + absl::Minutes(2));
    dump = internal::DumpGoroutines(nullptr, 0);
    release.Close();
    Sleep(absl::Seconds(1));
  });
  EXPECT_EQ(result.failure, "");
  EXPECT_NE(dump.find("[chan receive, 3 minutes]:"), std::string::npos) << dump;
}

// ---- Virtual time ----

TEST(VirtualTime, VT_01_StartsIn2000AndMovesOnlyWhenAllAreBlocked) {
  const SimulationResult result = Simulate({}, [] {
    const absl::Time start = Now();
    // The start of the program itself has cost a little.
    EXPECT_LT(start - absl::FromCivil(absl::CivilSecond(2000, 1, 1), absl::UTCTimeZone()), absl::Milliseconds(1));
    EXPECT_GE(start, absl::FromCivil(absl::CivilSecond(2000, 1, 1), absl::UTCTimeZone()));
    Sleep(absl::Seconds(1));
    EXPECT_GE(Now() - start, absl::Seconds(1));
    EXPECT_LT(Now() - start, absl::Seconds(1) + absl::Milliseconds(1));
  });
  EXPECT_EQ(result.failure, "");
}

TEST(VirtualTime, VT_02_TimersAreExactWithReset) {
  const SimulationResult result = Simulate({}, [] {
    const absl::Time start = Now();
    const auto at = [&](absl::Time t, int seconds) {
      EXPECT_GE(t - start, absl::Seconds(seconds));
      EXPECT_LT(t - start, absl::Seconds(seconds) + absl::Milliseconds(1));
    };
    Timer timer = NewTimer(absl::Seconds(1));
    at(timer.C.Recv(), 1);
    timer.Reset(absl::Seconds(2));
    at(timer.C.Recv(), 3);
    timer.Reset(absl::Seconds(1));
    Sleep(absl::Milliseconds(500));
    timer.Reset(absl::Milliseconds(3500));
    at(timer.C.Recv(), 7);
  });
  EXPECT_EQ(result.failure, "");
}

TEST(VirtualTime, VT_03_WaitReturnsWhenAllOthersAreBlocked) {
  const SimulationResult result = Simulate({}, [] {
    bool done = false;
    struct Chain {
      int left;
      bool* done;
      void operator()() const {
        if (left == 0) {
          *done = true;
        } else {
          Go(Chain{left - 1, done});
        }
      }
    };
    Go(Chain{100, &done});
    Wait();
    EXPECT_TRUE(done);
  });
  EXPECT_EQ(result.failure, "");
}

TEST(VirtualTime, VT_04_ADeadlockEndsTheSimulation) {
  const std::string deadlock = "fatal error: all goroutines are asleep - deadlock!";
  EXPECT_EQ(Simulate({}, [] { Select(); }).failure.rfind(deadlock, 0), 0u);
  EXPECT_EQ(Simulate({},
                     [] {
                       Go([] { Select(); });
                       WaitGroup wg;
                       wg.Add(1);
                       wg.Wait();
                     })
                .failure.rfind(deadlock, 0),
            0u);
}

// ---- Perturbed schedules ----

// What a program computes does not depend on when its goroutines are interrupted.
TEST(Perturbed, RS_04_ResultsDoNotDependOnTheSchedule) {
  ExploreOptions options;
  options.strategy = "random";
  options.runs = Scaled(300);
  const Exploration found = Explore(options, [] {
    Chan<int> jobs = MakeChan<int>(1), results = MakeChan<int>();
    Mutex mu;
    int sum = 0;
    WaitGroup workers;
    for (int i = 0; i < 3; ++i) {
      workers.Go([&] {
        for (int job : jobs) {
          {
            MutexLock hold(&mu);
            sum += job;
          }
          results.Send(job * job);
        }
      });
    }
    Go([=] {
      for (int i = 1; i <= 6; ++i) jobs.Send(i);
      jobs.Close();
    });
    int squares = 0;
    for (int i = 0; i < 6; ++i) squares += results.Recv();
    workers.Wait();
    if (sum != 21 || squares != 91) Panic("wrong");
  });
  EXPECT_FALSE(found.failed) << found.ToString();
}

}  // namespace
}  // namespace gyre
