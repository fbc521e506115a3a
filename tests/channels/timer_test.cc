// Sleep, After and timers: rows TM of the conformance catalogue. Lower limits are hard; upper ones are not checked.
#include <algorithm>
#include <atomic>
#include <deque>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "channels/chan.h"
#include "channels/select.h"
#include "channels/time.h"
#include "runtime/core.h"
#include "runtime/panic.h"
#include "tests/channels/watched.h"

namespace gyre {
namespace {

using testing::Eventually;
using testing::PanicText;
using testing::RunAbandoning;
using testing::RunWith;
using testing::Scaled;
using testing::Watched;

constexpr Nanos kMillisecond = 1'000'000;

// Timers that are pending in the runtime that the test runs in.
size_t PendingTimers() {
  internal::Core* core = internal::Self()->core;
  size_t pending = 0;
  for (ProcId id = 0; id < core->proc_count(); ++id) pending += core->proc(id).timers.size();
  return pending;
}

GYRE_TEST_SMALL(Timer, TM_01_SleepLastsAtLeastItsTime) {
  std::deque<Watched> disturbers;
  std::atomic<bool> stop{false};
  for (int i = 0; i < 2; ++i) {
    disturbers.emplace_back([&] {
      while (!stop) Sleep(absl::Microseconds(50));
    });
  }
  const Nanos start = NowNanos();
  Sleep(absl::Milliseconds(20));
  EXPECT_GE(NowNanos() - start, 20 * kMillisecond);
  stop = true;
  for (Watched& d : disturbers) EXPECT_TRUE(d.Ends());
}

TEST(Timer, TM_02_SleepOfNothingDoesNotYield) {
  RunWith("procs=1,preemption=none", [] {
    for (absl::Duration d : {absl::ZeroDuration(), absl::Nanoseconds(-5), -absl::InfiniteDuration()}) {
      bool flag = false;
      Go([&] { flag = true; });
      Sleep(d);
      EXPECT_FALSE(flag);
      Yield();
      EXPECT_TRUE(flag);
    }
  });
}

TEST(Timer, TM_03_TooLongIsNever) {
  RunAbandoning([] {
    static RecvChan<absl::Time> never;
    Watched sleeper([] { Sleep(absl::Hours(24 * 366 * 1000)); });
    EXPECT_TRUE(sleeper.Blocks(WaitReason::kSleep));
    for (absl::Duration d : {absl::Nanoseconds(std::numeric_limits<int64_t>::max()), absl::Hours(24 * 366 * 1000),
                             absl::InfiniteDuration()}) {
      never = After(d);
      EXPECT_EQ(Select(never.OnRecv([] {}), After(absl::Milliseconds(5)).OnRecv([] {})), 1);
      EXPECT_EQ(never.TryRecv(), std::nullopt);
      EXPECT_TRUE(NewTimer(d).Stop());
    }
    never = nullptr;
    EXPECT_FALSE(sleeper.done());
  });
}

GYRE_TEST_SMALL(Timer, TM_04_AfterDeliversATimeNotBeforeItIsDue) {
  const Nanos start = NowNanos();
  const absl::Time wall_start = Now();
  const absl::Time stamp = After(absl::Milliseconds(20)).Recv();
  EXPECT_GE(NowNanos() - start, 20 * kMillisecond);
  EXPECT_GE(stamp - wall_start, absl::Milliseconds(20));
}

GYRE_TEST(Timer, TM_05_NoTimeOrLessIsAtOnce) {
  for (absl::Duration d : {absl::ZeroDuration(), absl::Nanoseconds(-5), -absl::InfiniteDuration()}) {
    bool ok = false;
    Select(After(d).OnRecv([&](absl::Time, bool sent) { ok = sent; }), After(absl::Hours(1)).OnRecv([] {}));
    EXPECT_TRUE(ok);
  }
}

TEST(Timer, TM_06_InTheOrderOfTheirTimes) {
  RunWith("procs=1", [] {
    const std::vector<int> slots = {5, 3, 6, 6, 6, 1, 1, 2, 7, 9, 4, 8, 0};
    std::vector<std::pair<int, RecvChan<absl::Time>>> timers;
    const absl::Time start = Now();
    for (int slot : slots) timers.emplace_back(slot, After(absl::Milliseconds(5 * slot)));
    std::stable_sort(timers.begin(), timers.end(), [](auto& a, auto& b) { return a.first < b.first; });
    absl::Time last = absl::InfinitePast();
    for (auto& [slot, fired] : timers) {
      const absl::Time stamp = fired.Recv();
      EXPECT_GE(stamp, start + absl::Milliseconds(5 * slot));
      EXPECT_GE(stamp, last);
      last = stamp;
    }
  });
}

GYRE_TEST(Timer, TM_07_FunctionsRunInGoroutinesOfTheirOwn) {
  Chan<Unit> done = MakeChan<Unit>(), release = MakeChan<Unit>();
  std::atomic<int> running{0};
  std::function<void(int)> arm = [&](int left) {
    AfterFunc(absl::ZeroDuration(), [&, left] {
      if (left == 0) {
        done.Send({});
        return;
      }
      ++running;
      arm(left - 1);
      release.Recv();  // a function that blocks delays nothing
      --running;
    });
  };
  arm(10);
  done.Recv();
  EXPECT_EQ(running, 10);
  release.Close();
  EXPECT_TRUE(Eventually([&] { return running == 0; }));
}

GYRE_TEST(Timer, TM_08_FunctionTimersHaveNoChannel) {
  Timer timer = AfterFunc(absl::Hours(1), [] {});
  EXPECT_EQ(timer.C, nullptr);
  EXPECT_TRUE(timer.Stop());
}

GYRE_TEST(Timer, TM_09_StopOfAFunctionTimer) {
  Timer before = AfterFunc(absl::Hours(1), [] { ADD_FAILURE() << "was stopped"; });
  EXPECT_TRUE(before.Stop());
  EXPECT_FALSE(before.Stop());

  Chan<Unit> started = MakeChan<Unit>(), release = MakeChan<Unit>(), ended = MakeChan<Unit>();
  Timer running = AfterFunc(absl::ZeroDuration(), [&] {
    started.Send({});
    release.Recv();
    ended.Send({});
  });
  started.Recv();
  EXPECT_FALSE(running.Stop());
  release.Send({});
  ended.Recv();
}

GYRE_TEST(Timer, TM_10_ResetOfAFunctionTimer) {
  Chan<int> ran = MakeChan<int>(5);
  Timer timer = AfterFunc(absl::ZeroDuration(), [&] { ran.Send(1); });
  ran.Recv();
  EXPECT_FALSE(timer.Reset(absl::Hours(1)));
  EXPECT_TRUE(timer.Reset(absl::Milliseconds(1)));
  ran.Recv();
  EXPECT_FALSE(timer.Stop());
  EXPECT_EQ(ran.Len(), 0);
}

GYRE_TEST(Timer, TM_11_TheChannelLooksUnbuffered) {
  Timer timer = NewTimer(absl::ZeroDuration());
  RecvChan<absl::Time> after = After(absl::ZeroDuration());
  EXPECT_TRUE(Eventually([] { return PendingTimers() == 0; }));
  for (const RecvChan<absl::Time>& c : {timer.C, after}) {
    EXPECT_EQ(c.Len(), 0);
    EXPECT_EQ(c.Cap(), 0);
    EXPECT_TRUE(c.TryRecv().has_value());
    EXPECT_EQ(c.Len(), 0);
  }
}

GYRE_TEST(Timer, TM_12_ResetTellsWhetherItWasPending) {
  Timer timer = NewTimer(absl::Hours(1));
  EXPECT_TRUE(timer.Reset(absl::Hours(2)));
  EXPECT_TRUE(timer.Reset(absl::ZeroDuration()));
  timer.C.Recv();
  EXPECT_FALSE(timer.Reset(absl::Hours(1)));
  EXPECT_TRUE(timer.Stop());
  EXPECT_FALSE(timer.Stop());
}

GYRE_TEST(Timer, TM_12_AValueThatNobodyTookCountsAsPending) {
  Timer timer = NewTimer(absl::ZeroDuration());
  EXPECT_TRUE(Eventually([] { return PendingTimers() == 0; }));
  EXPECT_TRUE(timer.Stop());
  EXPECT_EQ(timer.C.TryRecv(), std::nullopt);
  timer.Reset(absl::ZeroDuration());
  EXPECT_TRUE(Eventually([] { return PendingTimers() == 0; }));
  EXPECT_TRUE(timer.Reset(absl::Hours(1)));
  EXPECT_EQ(timer.C.TryRecv(), std::nullopt);
  EXPECT_TRUE(timer.Stop());
}

GYRE_TEST_SMALL(Timer, TM_13_ResetPostpones) {
  Timer timer = NewTimer(absl::Milliseconds(10));
  Sleep(absl::Milliseconds(5));
  const Nanos reset = NowNanos();
  timer.Reset(absl::Milliseconds(30));
  timer.C.Recv();
  EXPECT_GE(NowNanos() - reset, 30 * kMillisecond);
}

GYRE_TEST_SMALL(Timer, TM_14_ZeroTimersAreNotMissed) {
  Timer reused = NewTimer(absl::Hours(1));
  for (int i = 0; i < Scaled(5000); ++i) {
    NewTimer(absl::ZeroDuration()).C.Recv();
    reused.Reset(absl::ZeroDuration());
    reused.C.Recv();
    Chan<Unit> called = MakeChan<Unit>();
    AfterFunc(absl::ZeroDuration(), [called] { called.Send({}); });
    called.Recv();
  }
}

GYRE_TEST(Timer, TM_18_TickOfNothingIsNil) {
  EXPECT_EQ(Tick(absl::ZeroDuration()), nullptr);
  EXPECT_EQ(Tick(absl::Nanoseconds(-1)), nullptr);
}

GYRE_TEST(Timer, TM_19_UninitialisedTimers) {
  Timer timer;
  EXPECT_EQ(PanicText<PanicError>([&] { timer.Stop(); }), "time: Stop called on uninitialized Timer");
  EXPECT_EQ(PanicText<PanicError>([&] { timer.Reset(absl::Seconds(1)); }), "time: Reset called on uninitialized Timer");
  Ticker ticker;
  ticker.Stop();
  EXPECT_EQ(PanicText<PanicError>([&] { ticker.Reset(absl::Seconds(1)); }),
            "time: Reset called on uninitialized Ticker");
}

GYRE_TEST(Timer, TM_20_OneReceiverGetsTheValue) {
  Timer timer = NewTimer(absl::Hours(1));
  std::atomic<int> got{0};
  Watched a([&] { timer.C.Recv(), ++got; }), b([&] { timer.C.Recv(), ++got; });
  EXPECT_TRUE(a.Blocks(WaitReason::kChanReceive) && b.Blocks(WaitReason::kChanReceive));
  timer.Reset(absl::Milliseconds(1));
  EXPECT_TRUE(Eventually([&] { return got == 1; }));
  Watched& other = a.done() ? b : a;
  EXPECT_TRUE(other.Blocks(WaitReason::kChanReceive));
  timer.Reset(absl::ZeroDuration());
  EXPECT_TRUE(a.Ends() && b.Ends());
}

GYRE_TEST(Timer, TM_22_MovedToThePastItIsNotLost) {
  for (int i = 0; i < Scaled(100); ++i) {
    Timer timer = NewTimer(absl::Hours(1));
    for (int k = 0; k < 10; ++k) {
      timer.Stop();
      ASSERT_EQ(timer.C.TryRecv(), std::nullopt);
      timer.Reset(absl::Hours(-1));
    }
    timer.C.Recv();
  }
}

GYRE_TEST_SMALL(Timer, TM_23_ManySleepersAndDroppedGuards) {
  const int n = Scaled(5000);
  std::atomic<int> woken{0};
  for (int i = 0; i < n; ++i) {
    Go([&] { Sleep(absl::Microseconds(10)), ++woken; });
  }
  Chan<int> queue = MakeChan<int>(1);
  for (int i = 0; i < Scaled(50000); ++i) {
    Select(queue.OnSend(i), After(absl::Seconds(50)).OnRecv([] { ADD_FAILURE() << "there was room"; }));
    Select(queue.OnRecv([] {}), After(absl::Seconds(50)).OnRecv([] { ADD_FAILURE() << "there was a value"; }));
  }
  EXPECT_TRUE(Eventually([&] { return woken == n; }));
  EXPECT_EQ(PendingTimers(), 0u);
}

GYRE_TEST_SMALL(Timer, TM_24_DroppedTimersAreGone) {
  for (int i = 0; i < Scaled(100000); ++i) After(absl::Hours(1));
  for (int i = 0; i < 1000; ++i) {
    Timer timer = NewTimer(absl::Hours(1));
    Tick(absl::Hours(1));
    AfterFunc(absl::Hours(1), [timer] {}).Stop();
  }
  EXPECT_EQ(PendingTimers(), 0u);
  RecvChan<absl::Time> kept = NewTimer(absl::Milliseconds(1)).C;
  EXPECT_GT(kept.Recv(), absl::UnixEpoch());
}

GYRE_TEST(Timer, TM_25_StoppedFunctionsAreNotCalled) {
  std::atomic<int> calls{0};
  std::vector<Timer> timers;
  for (int i = 0; i < 100; ++i) timers.push_back(AfterFunc(absl::Hours(1), [&] { ++calls; }));
  std::atomic<int> stopped{0};
  std::deque<Watched> stoppers;
  for (Timer& timer : timers) {
    stoppers.emplace_back([&] { stopped += timer.Stop(); });
  }
  for (Watched& stopper : stoppers) ASSERT_TRUE(stopper.Ends());
  EXPECT_EQ(stopped, 100);
  EXPECT_EQ(PendingTimers(), 0u);
  // Stop against expiry: called or stopped, one of the two.
  for (int i = 0; i < 100; ++i) {
    timers[i].Reset(absl::Microseconds(i));
    if (timers[i].Stop()) ++calls;
  }
  EXPECT_TRUE(Eventually([&] { return calls == 100; })) << calls;
}

GYRE_TEST(Timer, TM_26_ManyFunctionsAtOneInstant) {
  constexpr int kTimers = 1000;
  std::atomic<int> arrived{0};
  Chan<Unit> all_here = MakeChan<Unit>();
  std::atomic<int> left{kTimers};
  for (int i = 0; i < kTimers; ++i) {
    AfterFunc(absl::Milliseconds(1), [&] {
      if (++arrived == kTimers) all_here.Close();
      all_here.Recv();  // each waits for all others
      --left;
    });
  }
  EXPECT_TRUE(Eventually([&] { return left == 0; })) << arrived;
}

}  // namespace
}  // namespace gyre
