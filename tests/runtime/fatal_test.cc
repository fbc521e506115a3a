// Ends of the process: panics that nobody catches, deadlocks, stack overflows, misuse.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <stdexcept>
#include <string>

#include "runtime/blocking.h"
#include "runtime/go.h"
#include "runtime/panic.h"
#include "runtime/park.h"
#include "runtime/runtime.h"
#include "tests/testing/runtime_test.h"

namespace gyre {
namespace {

// Runs `body` in a runtime and exits with 0 if it comes back: what a death test's child does.
template <typename F>
void RunAndExit(const char* config, F body) {
  Config parsed;
  if (!parsed.Apply(config).ok()) std::abort();
  Runtime runtime(parsed);
  runtime.Run(body);
  std::exit(0);
}

class EndsDeathTest : public ::testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Configs, EndsDeathTest,
                         ::testing::Values("procs=1", "procs=4", "scheduler=global,stack=fixed,preemption=none,procs=2",
                                           "preemption=klt,procs=2"));

TEST_P(EndsDeathTest, PN_01_UncaughtPanicRunsItsDestructorsAndPrintsEveryGoroutine) {
  EXPECT_EXIT(RunAndExit(GetParam(),
                         [] {
                           Go([] {
                             struct Defer {
                               ~Defer() { std::fprintf(stderr, "deferred\n"); }
                             } defer;
                             Panic("boom");
                           });
                           internal::ParkForever(WaitReason::kChanReceive);
                         }),
              ::testing::ExitedWithCode(2),
              "deferred\npanic: boom\n\ngoroutine [0-9]+ \\[running\\]:\n(.|\n)*goroutine 1 \\[");
}

TEST_P(EndsDeathTest, PN_02_ACaughtPanicIsOver) {
  EXPECT_EXIT(RunAndExit(GetParam(),
                         [] {
                           try {
                             Panic("boom");
                           } catch (const PanicError& error) {
                             std::fprintf(stderr, "caught %s\n", error.what());
                           }
                         }),
              ::testing::ExitedWithCode(0), "caught boom");
}

TEST_P(EndsDeathTest, PN_08_OtherExceptionsAreReportedWithTheirText) {
  EXPECT_EXIT(RunAndExit(GetParam(), [] { throw std::runtime_error("e1"); }), ::testing::ExitedWithCode(2),
              "panic: e1 \\[std::runtime_error\\]");
  EXPECT_EXIT(RunAndExit(GetParam(), [] { throw 42; }), ::testing::ExitedWithCode(2), "panic: 42");
  struct Odd {};
  EXPECT_EXIT(RunAndExit(GetParam(), [] { throw Odd(); }), ::testing::ExitedWithCode(2),
              "panic: an exception of type .*Odd");
}

TEST_P(EndsDeathTest, PN_04_FatalErrorsCannotBeCaught) {
  EXPECT_EXIT(RunAndExit(GetParam(),
                         [] {
                           try {
                             Fatal("no way");
                           } catch (...) {
                             std::exit(0);
                           }
                         }),
              ::testing::ExitedWithCode(2), "fatal error: no way");
}

TEST_P(EndsDeathTest, PN_05_GoOfNil) {
  EXPECT_EXIT(RunAndExit(GetParam(),
                         [] {
                           std::function<void()> nil;
                           Go(nil);
                         }),
              ::testing::ExitedWithCode(2), "go of nil func value");
}

TEST_P(EndsDeathTest, DL_01_AllAsleep) {
  EXPECT_EXIT(RunAndExit(GetParam(), [] { internal::ParkForever(WaitReason::kSelectNoCases); }),
              ::testing::ExitedWithCode(2),
              "fatal error: all goroutines are asleep - deadlock!\n\ngoroutine 1 \\[select \\(no cases\\)\\]:");
}

TEST_P(EndsDeathTest, DL_03_ALockedThreadDoesNotHideADeadlock) {
  EXPECT_EXIT(RunAndExit(GetParam(),
                         [] {
                           LockOSThread();
                           internal::ParkForever(WaitReason::kChanReceive);
                         }),
              ::testing::ExitedWithCode(2), "all goroutines are asleep - deadlock!\n\ngoroutine 1 \\[chan receive, locked");
}

TEST_P(EndsDeathTest, DL_06_TheDumpListsAllWithReasonAndMaker) {
  EXPECT_EXIT(RunAndExit(GetParam(),
                         [] {
                           Go([] { internal::ParkForever(WaitReason::kMutexLock); });
                           Go({.name = "waiter"}, [] { internal::ParkForever(WaitReason::kCondWait); });
                           internal::ParkForever(WaitReason::kWaitGroupWait);
                         }),
              ::testing::ExitedWithCode(2),
              "deadlock!(.|\n)*\\[sync.Mutex.Lock\\](.|\n)*in goroutine 1(.|\n)*");
}

TEST_P(EndsDeathTest, MainMayLeaveByGoexit) {
  EXPECT_EXIT(RunAndExit(GetParam(),
                         [] {
                           Go([] {
                             Sleep(absl::Milliseconds(2));
                             std::fprintf(stderr, "still here\n");
                           });
                           Goexit();
                         }),
              ::testing::ExitedWithCode(2), "still here\nfatal error: no goroutines \\(main called gyre::Goexit\\) - deadlock!");
}

int Recurse(int depth) {
  volatile char frame[256];
  frame[depth % 256] = 1;
  return depth < 0 ? 0 : Recurse(depth + 1) + frame[depth % 256];
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST_P(EndsDeathTest, ST_02_StackOverflowNamesTheGoroutineAndTheLimit) {
  EXPECT_EXIT(RunAndExit(GetParam(),
                         [] {
                           Go({.name = "deep"}, [] { Recurse(1); });
                           Sleep(absl::Seconds(5));
                         }),
              ::testing::ExitedWithCode(2),
              "runtime: goroutine [0-9]+ \\(deep\\) stack exceeds [0-9]+-byte limit\nfatal error: stack overflow");
}
#endif

TEST(Misuse, GoOnAForeignThread) { EXPECT_THROW(Go([] {}), PanicError); }
TEST(Misuse, GoexitOnAForeignThread) { EXPECT_THROW(Goexit(), PanicError); }
TEST(Misuse, LockOSThreadOnAForeignThread) { EXPECT_THROW(LockOSThread(), PanicError); }

TEST(Misuse, BadConfigurationsAreSentences) {
  Config config;
  config.scheduler = "gpm";
  EXPECT_THROW(Runtime{config}, std::invalid_argument);
  auto runtime = Runtime::Create(config);
  ASSERT_FALSE(runtime.ok());
  EXPECT_THAT(std::string(runtime.status().message()), ::testing::HasSubstr("there are: "));
  config = Config();
  config.engine = "steam";
  EXPECT_THAT(std::string(Runtime::Create(config).status().message()), ::testing::HasSubstr("unknown engine \"steam\""));
  config = Config();
  config.procs = Config::kMaxProcs + 1;
  EXPECT_THAT(std::string(Runtime::Create(config).status().message()), ::testing::HasSubstr("procs must be from 1 to"));
}

TEST(Misuse, RunTwiceOrInside) {
  Runtime runtime;
  EXPECT_TRUE(runtime.Run([] {
    Runtime inner;
    EXPECT_THROW(inner.Run([] {}), PanicError);
  }));
  EXPECT_THROW(runtime.Run([] {}), PanicError);
}

}  // namespace
}  // namespace gyre
