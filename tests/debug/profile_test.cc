// Each profile, as `go tool pprof` and as our own reader see it: the right functions with their lines, the right
// numbers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "channels/chan.h"
#include "channels/select.h"
#include "runtime/debug/pprof.h"
#include "runtime/go.h"
#include "runtime/runtime.h"
#include "sync/mutex.h"
#include "sync/wait_group.h"
#include "tests/debug/pprof_reader.h"
#include "tests/testing/runtime_test.h"

namespace gyre::testing {

// Outside of the anonymous namespace, and not inlined: functions that profiles are to name. Their lines are known by a
// macro.
std::atomic<bool> profile_test_stop{false};
volatile uint64_t profile_test_sink;

#define NEXT_LINE_IS(line) line = __LINE__ + 1

[[gnu::noinline]] void BurnUnits(int units) {
  uint64_t x = 1;
  for (int i = 0; i < units * 2000; ++i) x = x * 6364136223846793005 + 1;
  profile_test_sink = x;
}
[[gnu::noinline]] void SeventyPercent() {
  BurnUnits(7);
  asm volatile("" ::: "memory");  // no tail call: this frame is to be on the stack
}
[[gnu::noinline]] void ThirtyPercent() {
  BurnUnits(3);
  asm volatile("" ::: "memory");
}

int receive_line;
[[gnu::noinline]] void WaitInReceive(Chan<int> chan) {
  NEXT_LINE_IS(receive_line);
  chan.Recv();
  asm volatile("" ::: "memory");
}
int select_line;
[[gnu::noinline]] void WaitInSelect(Chan<int> a, Chan<int> b) {
  NEXT_LINE_IS(select_line);
  Select(a.OnRecv([](int) {}), b.OnRecv([](int) {}));
  asm volatile("" ::: "memory");
}
int unlock_line;
[[gnu::noinline]] void HoldForLong(Mutex* mu, WaitGroup* held) {
  mu->Lock();
  held->Done();
  Sleep(absl::Milliseconds(20));
  NEXT_LINE_IS(unlock_line);
  mu->Unlock();
  asm volatile("" ::: "memory");
}
int lock_line;
[[gnu::noinline]] void WaitForLock(Mutex* mu) {
  NEXT_LINE_IS(lock_line);
  mu->Lock();
  mu->Unlock();
  asm volatile("" ::: "memory");
}

namespace {

using ::testing::HasSubstr;

// The percentage that `go tool pprof -top -cum` gives for the function.
double PercentOf(const std::string& top, const std::string& function) {
  for (absl::string_view line : absl::StrSplit(top, '\n')) {
    if (line.find(function) == absl::string_view::npos) continue;
    const std::vector<absl::string_view> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
    // flat flat% sum% cum cum% name
    double percent;
    if (words.size() >= 6 && absl::SimpleAtod(absl::StripSuffix(words[4], "%"), &percent)) return percent;
  }
  ADD_FAILURE() << function << " is not in\n" << top;
  return -1;
}

// Some sample has the function, at that line of this file.
void ExpectFrame(const Pprof& profile, const std::string& function, int line) {
  for (const PprofSample& sample : profile.samples) {
    for (const PprofFrame& frame : sample.stack) {
      if (frame.function.find(function) == std::string::npos || frame.line != line) continue;
      EXPECT_THAT(frame.file, HasSubstr("tests/debug/profile_test.cc"));
      return;
    }
  }
  ADD_FAILURE() << "no " << function << " at line " << line << " in\n" << profile.ToString();
}

void ExpectGoNames(const std::string& file, const std::vector<std::string>& functions) {
  const std::optional<std::string> top = GoToolPprof("-top -cum -lines -nodecount=1000", file);
  if (!top.has_value()) {
    std::printf("no Go is installed: `go tool pprof` was not asked\n");
    return;
  }
  for (const std::string& function : functions) EXPECT_THAT(*top, HasSubstr(function));
  EXPECT_THAT(*top, HasSubstr("tests/debug/profile_test.cc:"));
}

// Both take turns in every goroutine, so that what else runs on the machine takes its share of both alike, and profiles
// are taken until there are samples enough: with 1500 of them a standard deviation is 1.2 points.
TEST(CpuProfile, OfASplitOfSeventyToThirty) {
  RunWith("procs=2", [] {
    constexpr int kEnough = 1500;
    double seventy = 0, thirty = 0, all = 0, go_seventy = 0, go_thirty = 0;
    const Nanos give_up = NowNanos() + 100'000'000'000;
    while (seventy + thirty < kEnough && NowNanos() < give_up) {
      ASSERT_TRUE(pprof::StartCpuProfile(200).ok());
      WaitGroup group;
      for (int i = 0; i < 2; ++i) {
        group.Go([] {
          const Nanos end = NowNanos() + 5'000'000'000;
          while (NowNanos() < end) {
            SeventyPercent();
            ThirtyPercent();
            Checkpoint();
          }
        });
      }
      group.Wait();
      const std::string file = pprof::StopCpuProfile();
      const Pprof profile = ReadPprof(file);
      EXPECT_THAT(profile.sample_types, ::testing::ElementsAre("samples/count", "cpu/nanoseconds"));
      EXPECT_EQ(profile.period_type, "cpu/nanoseconds");
      EXPECT_EQ(profile.period, 5'000'000);
      const auto now_seventy = static_cast<double>(profile.Sum("SeventyPercent"));
      const auto now_thirty = static_cast<double>(profile.Sum("ThirtyPercent"));
      seventy += now_seventy;
      thirty += now_thirty;
      all += static_cast<double>(profile.Sum("BurnUnits"));
      for (const PprofSample& sample : profile.samples) {
        PprofFrame frame;
        if (!sample.Has("BurnUnits", &frame)) continue;
        EXPECT_THAT(frame.file, HasSubstr("tests/debug/profile_test.cc"));
        EXPECT_GT(frame.line, 0);
      }
      if (now_seventy == 0 || now_thirty == 0) continue;
      if (const std::optional<std::string> top = GoToolPprof("-top -cum -nodecount=1000 -nodefraction=0", file)) {
        // Weighted as the sums above are.
        go_seventy += PercentOf(*top, "SeventyPercent") * static_cast<double>(profile.Sum(""));
        go_thirty += PercentOf(*top, "ThirtyPercent") * static_cast<double>(profile.Sum(""));
      }
    }
    if (seventy + thirty < kEnough) GTEST_SKIP() << "the machine gives this test too little CPU time";
    EXPECT_NEAR(100 * seventy / (seventy + thirty), 70, 5);
    EXPECT_GE(seventy + thirty, 0.9 * all);
    if (go_seventy + go_thirty > 0) {
      EXPECT_NEAR(100 * go_seventy / (go_seventy + go_thirty), 70, 5);
    }
  });
}

TEST(CpuProfile, OneAtATimeAndSensibleRates) {
  EXPECT_EQ(pprof::StopCpuProfile(), "");
  EXPECT_EQ(pprof::StartCpuProfile(0).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(pprof::StartCpuProfile(10001).code(), absl::StatusCode::kInvalidArgument);
  ASSERT_TRUE(pprof::StartCpuProfile().ok());
  EXPECT_THAT(std::string(pprof::StartCpuProfile().message()), HasSubstr("is being taken already"));
  EXPECT_NE(pprof::StopCpuProfile(), "");
}

TEST(CpuProfile, CarriesLabels) {
  RunWith("procs=2", [] {
    for (int tries = 0; tries < 20; ++tries) {
      ASSERT_TRUE(pprof::StartCpuProfile(200).ok());
      WaitGroup group;
      pprof::Do({{"kind", "burner"}}, [&] {
        EXPECT_EQ(pprof::Label("kind"), "burner");
        group.Go([] {
          EXPECT_EQ(pprof::Label("kind"), "burner") << "inherited";
          pprof::Do({{"part", "one"}}, [] {
            for (const Nanos end = NowNanos() + 300'000'000; NowNanos() < end;) BurnUnits(1);
          });
        });
      });
      EXPECT_EQ(pprof::Label("kind"), "");
      group.Wait();
      const Pprof profile = ReadPprof(pprof::StopCpuProfile());
      for (const PprofSample& sample : profile.samples) {
        if (!sample.Has("BurnUnits")) continue;
        EXPECT_EQ(sample.labels.count("kind"), 1u);
        EXPECT_EQ(sample.labels.at("kind"), "burner");
        EXPECT_EQ(sample.labels.at("part"), "one");
        return;
      }
    }
    ADD_FAILURE() << "no sample";
  });
}

TEST(CpuProfile, UnderAsynchronousPreemption) {
  RunWith("procs=2,preemption=klt:quantum=1ms", [] {
    int64_t samples = 0;
    for (int tries = 0; tries < 20 && samples == 0; ++tries) {
      ASSERT_TRUE(pprof::StartCpuProfile(200).ok());
      WaitGroup group;
      for (int i = 0; i < 4; ++i) {
        group.Go([] {
          for (const Nanos end = NowNanos() + 1'000'000'000; NowNanos() < end;) BurnUnits(1);
        });
      }
      group.Wait();
      samples = ReadPprof(pprof::StopCpuProfile()).Sum("BurnUnits");
    }
    EXPECT_GT(samples, 0);
  });
}

// Those that wait, and one that computes: all with their functions and lines.
void RunGoroutineProfile() {
  Chan<int> chan = MakeChan<int>(), other = MakeChan<int>();
  WaitGroup group, begun;
  profile_test_stop = false;
  for (int i = 0; i < 3; ++i) group.Go([=] { WaitInReceive(chan); });
  group.Go({.name = "selector"}, [=] { pprof::Do({{"role", "chooser"}}, [&] { WaitInSelect(chan, other); }); });
  begun.Add(1);
  group.Go([&] {
    begun.Done();
    while (!profile_test_stop) {
      BurnUnits(1);
      Checkpoint();
    }
  });
  begun.Wait();
  ASSERT_TRUE(Eventually([] {
    const std::string text = *pprof::Lookup("goroutine", 2);
    size_t waiting = 0;
    for (size_t at = 0; (at = text.find("WaitIn", at)) != std::string::npos; ++at) ++waiting;
    return waiting >= 4;
  }));
  const std::string file = *pprof::Lookup("goroutine", 0);
  const Pprof profile = ReadPprof(file);
  EXPECT_EQ(profile.Sum(""), 6) << profile.ToString();
  EXPECT_EQ(profile.Sum("WaitInReceive"), 3) << profile.ToString();
  EXPECT_EQ(profile.Sum("WaitInSelect"), 1) << profile.ToString();
  ExpectFrame(profile, "WaitInReceive", receive_line);
  ExpectFrame(profile, "WaitInSelect", select_line);
  for (const PprofSample& sample : profile.samples) {
    if (sample.Has("WaitInReceive")) {
      EXPECT_EQ(sample.labels.at("state"), "waiting");
      EXPECT_EQ(sample.labels.at("wait"), "chan receive");
    }
    if (sample.Has("WaitInSelect")) {
      EXPECT_EQ(sample.labels.at("role"), "chooser");
      EXPECT_EQ(sample.labels.at("name"), "selector");
    }
  }
  ExpectGoNames(file, {"WaitInReceive", "WaitInSelect"});

  const std::string counted = *pprof::Lookup("goroutine", 1);
  EXPECT_THAT(counted, HasSubstr("goroutine profile: total 6\n"));
  EXPECT_THAT(counted, ::testing::ContainsRegex("\n[1-3] @ 0x"));
  EXPECT_THAT(counted, HasSubstr(absl::StrCat("profile_test.cc:", receive_line)));
  const std::string traces = *pprof::Lookup("goroutine", 2);
  EXPECT_THAT(traces, HasSubstr("[chan receive]:\n"));
  EXPECT_THAT(traces, HasSubstr("[select] (selector):\n"));
  EXPECT_THAT(traces,
              ::testing::ContainsRegex(absl::StrCat("WaitInReceive.*\n\t.*profile_test.cc:", receive_line, "\n")));
  EXPECT_THAT(traces, HasSubstr("created by "));
  // The one that computes, though not at the moment of every look.
  EXPECT_TRUE(Eventually([] { return pprof::Lookup("goroutine", 2)->find("BurnUnits") != std::string::npos; }));

  profile_test_stop = true;
  chan.Close();
  group.Wait();
}

TEST(GoroutineProfile, ShowsAllWithFunctionsAndLines) {
  RunWith("procs=2", RunGoroutineProfile);
}
TEST(GoroutineProfile, OnOtherStacksAndPolicies) {
  RunWith("procs=3,scheduler=global,stack=fixed,preemption=none", RunGoroutineProfile);
}

TEST(GoroutineProfile, OfGoroutinesThatArePreemptedInPlace) {
  RunWith("procs=1,preemption=klt:quantum=1ms", [] {
    profile_test_stop = false;
    WaitGroup group;
    for (int i = 0; i < 2; ++i) {
      group.Go([] {
        while (!profile_test_stop) BurnUnits(1);
      });
    }
    EXPECT_TRUE(Eventually([] {
      const Pprof profile = ReadPprof(*pprof::Lookup("goroutine", 0));
      return profile.Sum("BurnUnits") == 2;
    }));
    profile_test_stop = true;
    group.Wait();
  });
}

TEST(GoroutineProfile, NamesTheValidOnes) {
  EXPECT_THAT(std::string(pprof::Lookup("heap", 0).status().message()),
              HasSubstr("there is no profile \"heap\"; there are: profile, block, goroutine"));
}

TEST(BlockProfile, CountsWaitsAndTheirTime) {
  RunWith("procs=2", [] {
    pprof::SetBlockProfileRate(1);
    Chan<int> chan = MakeChan<int>();
    WaitGroup group;
    for (int i = 0; i < 5; ++i) group.Go([=] { WaitInReceive(chan); });
    Sleep(absl::Milliseconds(30));
    chan.Close();
    group.Wait();
    pprof::SetBlockProfileRate(0);
    Chan<int> later = MakeChan<int>();
    group.Go([=] { WaitInReceive(later); });
    later.Send(1);
    group.Wait();
    const std::string file = *pprof::Lookup("block", 0);
    const Pprof profile = ReadPprof(file);
    EXPECT_THAT(profile.sample_types, ::testing::ElementsAre("contentions/count", "delay/nanoseconds"));
    const int64_t count = profile.Sum("WaitInReceive", 0);
    EXPECT_GE(count, 1);
    EXPECT_LE(count, 5) << "only while it was on";
    EXPECT_GE(profile.Sum("WaitInReceive", 1), count * 1000);
    EXPECT_EQ(profile.Sum("gyre::Sleep", 0), 0) << "sleeping is not waiting";
    ExpectFrame(profile, "WaitInReceive", receive_line);
    ExpectGoNames(file, {"WaitInReceive"});
    EXPECT_THAT(*pprof::Lookup("block", 1), HasSubstr("--- contention:\ncycles/second=1000000000\n"));
  });
}

TEST(MutexProfile, ChargesTheOneWhoUnlocks) {
  RunWith("procs=2", [] {
    EXPECT_EQ(pprof::SetMutexProfileFraction(1), 0);
    EXPECT_EQ(pprof::SetMutexProfileFraction(-1), 1);
    for (int round = 0; round < 50 && ReadPprof(*pprof::Lookup("mutex", 0)).Sum("HoldForLong", 0) == 0; ++round) {
      Mutex mu;
      WaitGroup group, held;
      held.Add(1);
      group.Go([&] { HoldForLong(&mu, &held); });
      held.Wait();
      for (int i = 0; i < 3; ++i) group.Go([&] { WaitForLock(&mu); });
      group.Wait();
    }
    EXPECT_EQ(pprof::SetMutexProfileFraction(0), 1);
    const std::string file = *pprof::Lookup("mutex", 0);
    const Pprof profile = ReadPprof(file);
    EXPECT_GE(profile.Sum("HoldForLong", 0), 1) << profile.ToString();
    EXPECT_GT(profile.Sum("HoldForLong", 1), 0);
    ExpectFrame(profile, "HoldForLong", unlock_line);
    ExpectGoNames(file, {"HoldForLong"});
    EXPECT_THAT(*pprof::Lookup("mutex", 1), HasSubstr("--- mutex:\n"));
  });
}

TEST(ThreadCreateProfile, HasTheMachines) {
  RunWith("procs=2", [] {
    const Pprof profile = ReadPprof(*pprof::Lookup("threadcreate", 0));
    EXPECT_GE(profile.Sum(""), 1);
    EXPECT_GE(profile.Sum("StartMachine"), 1) << profile.ToString();
    EXPECT_THAT(*pprof::Lookup("threadcreate", 1), HasSubstr("threadcreate profile: total "));
  });
}

}  // namespace
}  // namespace gyre::testing
