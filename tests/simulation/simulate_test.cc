// Virtual time, virtual processors, and what a test sees of a run.
#include "runtime/simulation/simulate.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "channels/chan.h"
#include "context/context.h"
#include "runtime/blocking.h"
#include "runtime/go.h"
#include "runtime/panic.h"
#include "runtime/runtime.h"
#include "sync/mutex.h"
#include "sync/wait_group.h"
#include "tests/simulation/programs.h"
#include "tests/testing/runtime_test.h"

// A run that fails abandons its goroutines where they are, with all that they own.
extern "C" const char* __asan_default_options() {
  return "detect_leaks=0";
}

namespace gyre {
namespace {

SimulateOptions With(const std::string& text) {
  SimulateOptions options;
  EXPECT_TRUE(options.config.Apply(text).ok());
  return options;
}

std::string FirstLine(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

TEST(Simulate, ADayOfSleepInTenThousandGoroutines) {
  constexpr int kSleepers = 10'000;
  int woken = 0;
  const SimulationResult result = Simulate({}, [&] {
    WaitGroup sleepers;
    for (int i = 0; i < kSleepers; ++i) {
      sleepers.Go([&] {
        Sleep(absl::Hours(24));
        ++woken;
      });
    }
    sleepers.Wait();
  });
  EXPECT_EQ(result.failure, "");
  EXPECT_EQ(woken, kSleepers);
  EXPECT_GE(result.elapsed, absl::Hours(24));
  EXPECT_LT(result.elapsed, absl::Hours(24) + absl::Seconds(1));
  // Each sleeper runs twice, and nothing else happens much: what takes the simulator well under a second.
  EXPECT_LT(result.stats.events, 3u * kSleepers);
}

TEST(Simulate, TheClockBeginsAtAFixedInstant) {
  Simulate({}, [] {
    EXPECT_EQ(absl::ToCivilSecond(Now(), absl::UTCTimeZone()), absl::CivilSecond(2000, 1, 1));
    Sleep(absl::Hours(36));
    EXPECT_EQ(absl::ToCivilHour(Now(), absl::UTCTimeZone()), absl::CivilHour(2000, 1, 2, 12));
  });
}

TEST(Simulate, ProcessorsWorkInParallel) {
  for (int procs : {1, 4, 64, 256}) {
    const SimulationResult result = Simulate(With(absl::StrCat("procs=", procs)), [&] {
      WaitGroup workers;
      for (int i = 0; i < 256; ++i) workers.Go([] { Work(absl::Milliseconds(100)); });
      workers.Wait();
    });
    EXPECT_EQ(result.failure, "");
    const double ideal = 256.0 / procs * 0.1;
    EXPECT_GE(absl::ToDoubleSeconds(result.elapsed), ideal);
    EXPECT_LT(absl::ToDoubleSeconds(result.elapsed), ideal * 1.2 + 0.01) << procs;
  }
}

TEST(Simulate, ALongComputationIsPreemptedAtTheQuantum) {
  const SimulationResult result = Simulate(With("procs=1,preemption=cooperative:quantum=1ms"), [] {
    Nanos other = 0;
    Go([&] {
      Work(absl::Microseconds(100));
      other = NowNanos();
    });
    Work(absl::Milliseconds(50));
    EXPECT_GT(other, 0);
    EXPECT_LT(other, 3'000'000);
  });
  EXPECT_EQ(result.failure, "");
  EXPECT_GE(result.stats.preemptions, 40u);
}

TEST(Simulate, KltAndNoneRunToo) {
  for (const char* preemption : {"klt:quantum=1ms", "none"}) {
    int answer = 0;
    const SimulationResult result =
        Simulate(With(absl::StrCat("preemption=", preemption)), [&] { answer = MixedProgram(); });
    EXPECT_EQ(result.failure, "");
    EXPECT_EQ(answer, kMixedProgramsAnswer);
  }
}

TEST(Simulate, ALoopOfRuntimeCallsLetsTimePass) {
  const SimulationResult result = Simulate(With("procs=1"), [] {
    bool done = false;
    Go([&] { done = true; });
    while (!done) Checkpoint();
    const Nanos begin = NowNanos();
    while (NowNanos() - begin < 1'000'000) Yield();
  });
  EXPECT_EQ(result.failure, "");
}

TEST(Simulate, BlockingCallsTakeModelledTime) {
  Simulate(With("engine=simulation:syscall=3us"), [] {
    const Nanos begin = NowNanos();
    EXPECT_EQ(Blocking([] { return 7; }), 7);
    EXPECT_EQ(NowNanos() - begin, 3'000);
  });
}

TEST(Simulate, ContextsExpire) {
  const SimulationResult result = Simulate({}, [] {
    auto [ctx, cancel] = context::WithTimeout(context::Background(), absl::Hours(1));
    ctx.Done().Recv();
    EXPECT_GE(NowNanos(), absl::ToInt64Nanoseconds(absl::Hours(1)));
    cancel();
  });
  EXPECT_EQ(result.failure, "");
}

TEST(Simulate, WaitReturnsWhenAllOthersAreBlocked) {
  for (int procs : {1, 4}) {
    const SimulationResult result = Simulate(With(absl::StrCat("procs=", procs)), [] {
      int steps = 0;
      for (int i = 0; i < 10; ++i) {
        Go([&] {
          for (int j = 0; j < 3; ++j) Yield();
          ++steps;
          Sleep(absl::Seconds(1));
          ++steps;
        });
      }
      Wait();
      EXPECT_EQ(steps, 10);
      EXPECT_LT(NowNanos(), 1'000'000'000);  // before the sleepers' time
      Sleep(absl::Seconds(1));
      Wait();
      EXPECT_EQ(steps, 20);
      Wait();  // nobody is left
    });
    EXPECT_EQ(result.failure, "");
    EXPECT_EQ(result.goroutines_left, 0);
  }
}

TEST(Simulate, WaitElsewhereIsAPanic) {
  EXPECT_THROW(Wait(), PanicError);
  testing::RunWith("procs=1", [] { EXPECT_THROW(Wait(), PanicError); });
}

TEST(Simulate, ADeadlockIsAResult) {
  const SimulationResult result = Simulate({}, [] { MakeChan<int>(0).Recv(); });
  EXPECT_EQ(FirstLine(result.failure), "fatal error: all goroutines are asleep - deadlock!");
  EXPECT_NE(result.failure.find("[chan receive]"), std::string::npos) << result.failure;
}

TEST(Simulate, ADeadlockIsFoundAfterLastTimer) {
  const SimulationResult result = Simulate({}, [] {
    Mutex mu;
    mu.Lock();
    Go([] { Sleep(absl::Hours(3)); });
    mu.Lock();
  });
  EXPECT_EQ(FirstLine(result.failure), "fatal error: all goroutines are asleep - deadlock!");
  EXPECT_GE(result.elapsed, absl::Hours(3));
}

TEST(Simulate, APanicIsAResult) {
  SimulationResult result = Simulate({}, [] {
    Go([] { Panic("boom"); });
    Sleep(absl::Seconds(1));
  });
  EXPECT_EQ(FirstLine(result.failure), "panic: boom");
  result = Simulate({}, [] { throw std::runtime_error("bang"); });
  EXPECT_EQ(FirstLine(result.failure), "panic: bang [std::runtime_error]");
  result = Simulate({}, [] {
    Mutex mu;
    mu.Unlock();
  });
  EXPECT_EQ(FirstLine(result.failure), "fatal error: sync: unlock of unlocked mutex");
}

TEST(Simulate, ExceptionsStayWithTheirGoroutines) {
  int right = 0;
  const SimulationResult result = Simulate(With("procs=16"), [&] {
    WaitGroup all;
    for (int i = 0; i < 100; ++i) {
      all.Go([&, i] {
        try {
          Work(absl::Microseconds(i % 7));
          throw i;
        } catch (int caught) {
          Work(absl::Microseconds(5));
          try {
            Yield();
            throw std::to_string(i);
          } catch (const std::string& inner) {
            Sleep(absl::Microseconds(3));
            if (caught == i && inner == std::to_string(i) && std::uncaught_exceptions() == 0) ++right;
          }
        }
      });
    }
    all.Wait();
  });
  EXPECT_EQ(result.failure, "");
  EXPECT_EQ(right, 100);
}

TEST(Simulate, GoroutinesThatAreLeftAreCounted) {
  const SimulationResult result = Simulate({}, [] {
    for (int i = 0; i < 3; ++i) Go([] { Sleep(absl::Hours(1)); });
    Go([] { Work(absl::Hours(1000)); });
    Sleep(absl::Seconds(1));
  });
  EXPECT_EQ(result.failure, "");
  EXPECT_EQ(result.goroutines_left, 4);
}

TEST(Simulate, BadConfigurationsGetASentence) {
  auto message = [](const std::string& text) -> std::string {
    try {
      Simulate(With(text), [] {});
    } catch (const std::invalid_argument& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_NE(message("engine=simulation:swich=1ns").find("did you mean switch?"), std::string::npos);
  EXPECT_NE(message("engine=simulation:wake=-1s").find("out of range"), std::string::npos);
  EXPECT_NE(message("engine=warp").find("here it must be simulation"), std::string::npos);
  EXPECT_NE(message("scheduler=nosuch").find("nosuch"), std::string::npos);
  Config config;
  config.engine = "simulatoin";
  const auto runtime = Runtime::Create(config);
  EXPECT_NE(runtime.status().message().find("did you mean simulation?"), absl::string_view::npos) << runtime.status();
}

TEST(Simulate, FromAGoroutineIsAPanic) {
  const SimulationResult result = Simulate({}, [] { EXPECT_THROW(Simulate({}, [] {}), PanicError); });
  EXPECT_EQ(result.failure, "");
}

TEST(SimulateDeathTest, TimeThatStandsStillIsReported) {
  ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(testing::RunWith("engine=simulation:switch=0ns,procs=1",
                               [] {
                                 for (;;) Yield();
                               }),
              ::testing::ExitedWithCode(2), "events at one instant");
}

}  // namespace
}  // namespace gyre
