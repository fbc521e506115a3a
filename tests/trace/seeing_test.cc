// What a program shows of itself on the terminal: GYRE_DEBUG's lines, DumpState, SIGQUIT, and traces of programs that
// die.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gyre.h"
#include "runtime/core.h"
#include "runtime/trace/checker.h"
#include "runtime/trace/sched_trace.h"
#include "tests/examples/child_process.h"
#include "tests/testing/runtime_test.h"

namespace gyre {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(SchedTrace, Options) {
  const auto both = internal::SchedTrace::Parse("schedtrace=1000,scheddetail=1");
  ASSERT_TRUE(both.ok());
  EXPECT_EQ(both->every, 1'000'000'000);
  EXPECT_TRUE(both->detail);
  EXPECT_TRUE(internal::SchedTrace::Parse("").ok());
  for (const char* bad : {"schedtrace", "schedtrace=", "schedtrace=-1", "schedtrace=x", "scheddetail=2", "gctrace=1"}) {
    EXPECT_THAT(std::string(internal::SchedTrace::Parse(bad).status().message()),
                HasSubstr(absl::StrCat("\"", bad, "\" is neither schedtrace=MS")));
  }
}

TEST(SchedTrace, PrintsGosLines) {
  const auto plain = testing::RunChild({"tests/trace/story", "--procs=2"},
                                       {.folder = "", .environment = {{"GYRE_DEBUG", "schedtrace=1"}}});
  EXPECT_EQ(plain.exit_code, 0);
  EXPECT_THAT(plain.err,
              ContainsRegex("^SCHED [0-9]+ms: gomaxprocs=2 idleprocs=[0-9]+ threads=[0-9]+ spinningthreads=[0-9]+ "
                            "idlethreads=[0-9]+ runqueue=[0-9]+ \\[[0-9]+ [0-9]+\\]\n"));
  const auto detail = testing::RunChild({"tests/trace/story", "--procs=2", "--scheduler=global"},
                                        {.folder = "", .environment = {{"GYRE_DEBUG", "schedtrace=1,scheddetail=1"}}});
  EXPECT_EQ(detail.exit_code, 0);
  EXPECT_THAT(detail.err,
              ContainsRegex("runqueue=[0-9]+ gcwaiting=0 nmidlelocked=0 stopwait=0 sysmonwait=[01]\n"
                            "  P0: status=[012] schedtick=[0-9]+ syscalltick=[0-9]+ m=-?[0-9]+ runqsize=[0-9]+ "
                            "timerslen=[0-9]+\n  P1: "));
  EXPECT_THAT(detail.err, ContainsRegex("\n  M0: p=-?[0-9]+ tid=[0-9]+\n"));
  EXPECT_THAT(detail.err, ContainsRegex("\n  G[0-9]+: status=[0-9]+\\([a-z A-Z.]*\\)\n"));
}

TEST(SchedTrace, BadOptionsAreRefused) {
  const auto result =
      testing::RunChild({"tests/trace/story"}, {.folder = "", .environment = {{"GYRE_DEBUG", "schedtrace=soon"}}});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("environment variable GYRE_DEBUG: \"schedtrace=soon\""));
}

GYRE_TEST(DumpState, SaysWhatEverybodyWaitsFor) {
  Chan<int> chan = MakeChan<int>();
  Go({.name = "receiver"}, [=] { chan.Recv(); });
  testing::Eventually([] { return CurrentStats().parks >= 1; });
  const std::string text = DumpState();
  EXPECT_THAT(text, ContainsRegex("^goroutines: "));
  EXPECT_THAT(text, HasSubstr(" 1 waiting"));
  EXPECT_THAT(text, ContainsRegex("\n  idle > runnable +[0-9]+\n"));
  EXPECT_THAT(text, ContainsRegex("\n  running > waiting +[1-9][0-9]*\n"));
  EXPECT_THAT(text, ContainsRegex("\ngoroutine [0-9]+ \\[running\\]:\n"));
  EXPECT_THAT(text, ContainsRegex("\ngoroutine [0-9]+ \\[chan receive\\] \\(receiver\\):\n[^\n]*\\(\\.\\.\\.\\)\n"));
  EXPECT_THAT(text,
              ContainsRegex("\nwaits for 0x[0-9a-f]+, since [^\n]* ago\ncreated by [^\n]* in goroutine [0-9]+\n"));
  EXPECT_THAT(text, HasSubstr("\ttests/trace/seeing_test.cc:"));
  chan.Send(1);
}

TEST(Transitions, AreCounted) {
  testing::RunWith("procs=1", [] {
    auto count = [](internal::GState from, internal::GState to) {
      for (const auto& one : internal::This().m->core->Transitions()) {
        if (one.from == from && one.to == to) return static_cast<int64_t>(one.count);
        EXPECT_TRUE(internal::IsLegalTransition(one.from, one.to));
      }
      return int64_t{-1};
    };
    using enum internal::GState;
    const int64_t yields = count(kRunning, kRunnable), parks = count(kRunning, kWaiting),
                  readies = count(kWaiting, kRunnable);
    const int64_t made = count(kIdle, kRunnable), ended = count(kRunning, kDead), calls = count(kRunning, kSyscall);
    WaitGroup all;
    for (int i = 0; i < 10; ++i) all.Go([] {});
    all.Wait();
    for (int i = 0; i < 5; ++i) Yield();
    for (int i = 0; i < 3; ++i) Blocking([] {});
    EXPECT_EQ(count(kRunning, kRunnable) - yields, 5);
    EXPECT_EQ(count(kRunning, kWaiting) - parks, 1);
    EXPECT_EQ(count(kWaiting, kRunnable) - readies, 1);
    EXPECT_EQ(count(kIdle, kRunnable) - made, 10);
    EXPECT_EQ(count(kRunning, kDead) - ended, 10);
    EXPECT_EQ(count(kRunning, kSyscall) - calls, 3);
  });
}

// What a death test's child does.
template <typename F>
void RunMain(std::vector<std::string> words, F body) {
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  std::exit(Main(static_cast<int>(words.size()), argv.data(), body));
}

TEST(QuitDeathTest, SigquitPrintsEveryGoroutineAndExitsWith2) {
  EXPECT_EXIT(
      RunMain({"test", "--procs=2"},
              [] {
                Chan<int> chan = MakeChan<int>();
                Go({.name = "stuck"}, [=] { chan.Recv(); });
                while (CurrentStats().parks == 0) Yield();
                raise(SIGQUIT);
                for (;;) Sleep(absl::Milliseconds(1));
              }),
      ::testing::ExitedWithCode(2),
      "SIGQUIT: quit\n\ngoroutines: (.|\n)*goroutine [0-9]+ \\[chan receive\\] \\(stuck\\):\n(.|\n)*created by ");
}

TEST(QuitDeathTest, WhileEverythingSleeps) {
  EXPECT_EXIT(RunMain({"test"},
                      [] {
                        std::thread([] {
                          usleep(50'000);
                          raise(SIGQUIT);
                        }).detach();
                        Sleep(absl::Hours(1));
                      }),
              ::testing::ExitedWithCode(2), "SIGQUIT: quit\n\n(.|\n)*goroutine 1 \\[sleep\\]:");
}

TEST(TraceOfDeathTest, AProgramThatDiesLeavesItsTrace) {
  const std::string path = absl::StrCat(::testing::TempDir(), "/dies.trace");
  std::remove(path.c_str());
  EXPECT_EXIT(RunMain({"test", "--procs=2", absl::StrCat("--trace=", path)},
                      [] {
                        Chan<int> chan = MakeChan<int>();
                        Go([=] { chan.Send(1); });
                        chan.Recv();
                        Mutex lock;
                        lock.Lock();
                        lock.Lock();
                      }),
              ::testing::ExitedWithCode(2), "all goroutines are asleep - deadlock!");
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  const auto summary = trace::CheckTraceBytes(text.str());
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_EQ(summary->goroutines, 2u);
  EXPECT_EQ(summary->waiting_at_end, 1u);
}

}  // namespace
}  // namespace gyre
