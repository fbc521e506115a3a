// How programs end: the rows of the conformance catalogue that need a process of their own (scenarios.cc), under
// several configurations.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tests/examples/child_process.h"

namespace gyre::testing {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr char kProgram[] = "tests/conformance/scenarios";

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

ChildResult RunIt(std::vector<std::string> arguments, const std::string& gyre) {
  // Goroutines that are left behind are what many of these are about: LeakSanitizer has nothing to add.
  const char* asan = std::getenv("ASAN_OPTIONS");
  return RunChild(arguments, {.folder = "",
                              .environment = {{"GYRE", gyre},
                                              {"ASAN_OPTIONS", absl::StrCat(asan ? asan : "", ":detect_leaks=0")}}});
}

class Ends : public ::testing::TestWithParam<const char*> {
 protected:
  // The scenario under the test's configuration, with `more` on top. One that hangs is ended, which is seen as exit
  // code 124.
  ChildResult Run(const std::string& scenario, const std::string& more = "") {
    const std::string config = absl::StrCat(GetParam(), more.empty() ? "" : ",", more);
    SCOPED_TRACE(config);
    return RunIt({"timeout", "60", kProgram, scenario}, config);
  }

  void ExpectFatal(const ChildResult& result, const std::string& first_line) {
    EXPECT_EQ(result.exit_code, 2) << result.out << result.err;
    EXPECT_THAT(result.err, StartsWith(first_line + "\n"));
    EXPECT_EQ(result.out, "");  // nothing deferred has run, nothing caught it
  }

  void ExpectDeadlock(const std::string& scenario, const std::string& reason) {
    const ChildResult result = Run(scenario);
    ExpectFatal(result, "fatal error: all goroutines are asleep - deadlock!");
    EXPECT_THAT(result.err, HasSubstr(absl::StrCat("deadlock!\n\ngoroutine 1 [", reason, "]:\n"))) << scenario;
  }
};

INSTANTIATE_TEST_SUITE_P(Configs, Ends,
                         ::testing::Values("procs=1", "procs=2", "procs=4", "procs=2,scheduler=global,stack=fixed",
                                           "procs=2,preemption=klt", "procs=1,scheduler=random,preemption=none"),
                         [](const ::testing::TestParamInfo<const char*>& config) {
                           std::string name = config.param;
                           for (char& c : name) c = std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
                           return name;
                         });

TEST_P(Ends, GR_02_TheProgramEndsWithMain) {
  const ChildResult result = Run("main-returns");
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out, "main\n");
  EXPECT_EQ(result.err, "");
}

TEST_P(Ends, GR_03_ExitSkipsWhatIsDeferred) {
  for (const char* scenario : {"exit-3", "child-exits-3"}) {
    const ChildResult result = Run(scenario);
    EXPECT_EQ(result.exit_code, 3) << scenario << result.err;
    EXPECT_EQ(result.out, "");
    EXPECT_EQ(result.err, "");
  }
}

TEST_P(Ends, PN_01_APanicEndsTheProcessAfterItsOwnDestructors) {
  const ChildResult result = Run("child-panics");
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(result.out, "d\n");
  EXPECT_THAT(result.err, ContainsRegex("^panic: boom\n\ngoroutine [0-9]+ \\[running\\]:\n"));
  EXPECT_THAT(result.err, ContainsRegex("\ngoroutine 1 \\[(sleep|running|runnable)\\]:\n"));
}

TEST_P(Ends, PN_02_RecoveredPanicsLeaveTheRestAlone) {
  const ChildResult result = Run("recovered");
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out, "100 100\n");
}

TEST_P(Ends, PN_04_FatalErrorsPassEveryHandlerAndDestructor) {
  ExpectFatal(Run("unlock-of-unlocked"), "fatal error: sync: unlock of unlocked mutex");
  ExpectFatal(Run("deadlock"), "fatal error: all goroutines are asleep - deadlock!");
  if (!kSanitized) {
    const ChildResult overflow = Run("overflow");
    EXPECT_EQ(overflow.exit_code, 2);
    EXPECT_EQ(overflow.out, "");
    EXPECT_THAT(overflow.err, ContainsRegex("^runtime: goroutine 1 stack exceeds [0-9]+-byte limit\nfatal error: stack "
                                            "overflow\n"));
  }
}

TEST_P(Ends, PN_05_GoOfNilIsFatal) {
  ExpectFatal(Run("go-of-nil"), "fatal error: go of nil func value");
}

TEST_P(Ends, PN_06_APanicInAHandlerIsReported) {
  const ChildResult result = Run("panic-in-handler");
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, StartsWith("panic: re-first after first\n\ngoroutine 1 [running]:\n"));
}

// C++ allows no second exception out of a destructor that the first one runs: it calls std::terminate, at once.
TEST_P(Ends, PN_07_APanicInADestructorDuringAPanicTerminates) {
  const ChildResult result = Run("panic-in-destructor");
  EXPECT_EQ(result.signal == 0 ? result.exit_code : 128 + result.signal, 134) << result.err;  // of SIGABRT
  EXPECT_THAT(result.err, StartsWith("terminate called"));
}

TEST_P(Ends, PN_08_ErrorsAndNumbersAreShown) {
  EXPECT_THAT(Run("error-value").err, StartsWith("panic: e1 [std::runtime_error]\n\ngoroutine 1 [running]:\n"));
  EXPECT_THAT(Run("integer-value").err, StartsWith("panic: 42\n\ngoroutine 1 [running]:\n"));
}

TEST_P(Ends, PN_09_TheMessageMayYieldAndPrint) {
  const ChildResult yields = Run("message-yields");
  EXPECT_EQ(yields.exit_code, 2);
  EXPECT_THAT(yields.err, StartsWith("panic: errorThatGosched"));
  const ChildResult prints = Run("message-prints");
  EXPECT_EQ(prints.exit_code, 2);
  EXPECT_EQ(prints.out, "1\n2\n");
  EXPECT_THAT(prints.err, StartsWith("panic: 3"));
}

// what() cannot throw in C++: std::terminate, not a loop.
TEST_P(Ends, PN_10_AMessageThatThrowsTerminates) {
  const ChildResult result = Run("message-throws");
  EXPECT_EQ(result.signal == 0 ? result.exit_code : 128 + result.signal, 134) << result.err;
}

TEST_P(Ends, PN_12_ANullIsAPanicLikeAnyOther) {
  const ChildResult result = Run("null-value");
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, StartsWith("panic: panic called with nil argument\n\ngoroutine 1 [running]:\n"));
}

TEST_P(Ends, DL_01_EveryKindOfWaitingIsFound) {
  ExpectDeadlock("deadlock", "select (no cases)");
  ExpectDeadlock("deadlock-channel", "chan receive");
  ExpectDeadlock("deadlock-send", "chan send");
  ExpectDeadlock("deadlock-nil", "chan receive (nil chan)");
  ExpectDeadlock("deadlock-second-lock", "sync.Mutex.Lock");
  ExpectDeadlock("deadlock-wait-group", "sync.WaitGroup.Wait");
  ExpectDeadlock("deadlock-upgrade", "sync.RWMutex.Lock");
  ExpectDeadlock("deadlock-after-work", "select (no cases)");
}

// A program's static initialisers come before those that register the plug-ins: there can be no runtime yet, and that
// is said.
TEST_P(Ends, DL_02_BeforeMainThereIsNoRuntime) {
  const ChildResult result = RunIt({"timeout", "60", "tests/conformance/deadlock_before_main"}, GetParam());
  EXPECT_EQ(result.signal == 0 ? result.exit_code : 128 + result.signal, 134) << result.err;
  EXPECT_THAT(result.err, ContainsRegex("std::invalid_argument'\n  what\\(\\):  unknown scheduler"));
}

TEST_P(Ends, DL_03_AChildLockedToItsThreadHidesNothing) {
  ExpectDeadlock("deadlock-locked-child", "select (no cases)");
  EXPECT_THAT(Run("deadlock-locked-child").err, HasSubstr("[chan receive, locked to thread]:\n"));
}

TEST_P(Ends, DL_04_ABlockingCallIsNoDeadlock) {
  const ChildResult result = Run("blocked-in-call");
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out, "woken\n");
}

TEST_P(Ends, DL_05_NothingDeferredRuns) {
  ExpectDeadlock("deadlock-deferred", "select (no cases)");
}

TEST_P(Ends, DL_06_TheDumpListsAll) {
  ExpectDeadlock("deadlock-of-three", "select (no cases)");
  const std::string dump = Run("deadlock-of-three").err;
  for (const char* reason : {"[sync.Mutex.Lock]:", "[chan receive]:", "[sync.Cond.Wait]:"})
    EXPECT_THAT(dump, HasSubstr(reason));
  const std::vector<std::string> parts = absl::StrSplit(dump, "\ngoroutine ");
  ASSERT_EQ(parts.size(), 5u) << dump;
  for (size_t i = 2; i < parts.size(); ++i) {
    EXPECT_THAT(parts[i], ContainsRegex("created by .*DeadlockOfThree.* in goroutine 1\n"));
  }
}

TEST_P(Ends, DL_07_SomeBlockedForEverAreNoDeadlock) {
  const ChildResult result = Run("busy-beside-blocked");
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out, "ran on\n");
  EXPECT_EQ(result.err, "");
}

TEST_P(Ends, OB_01_WaitReasonsHaveGosNames) {
  const std::string dump = Run("dump").err;
  for (const char* reason : {"[chan receive]:", "[chan send]:", "[chan receive (nil chan)]:", "[chan send (nil chan)]:",
                             "[select]:", "[select (no cases)]:", "[sleep]:", "[sync.Cond.Wait]:", "[sync.Mutex.Lock]:",
                             "[sync.RWMutex.RLock]:", "[sync.RWMutex.Lock]:", "[sync.WaitGroup.Wait]:", "[semacquire]:",
                             "[chan receive, locked to thread] (pinned):"}) {
    EXPECT_THAT(dump, HasSubstr(reason));
  }
}

TEST_P(Ends, OB_05_DumpsSayWhoMadeWhom) {
  const std::string dump = Run("dump").err;
  EXPECT_THAT(dump, StartsWith("fatal error: to see them all\n\ngoroutine 1 [running]:\n"));
  size_t made = 0;
  for (size_t at = 0; (at = dump.find("\ncreated by ", at)) != std::string::npos; ++at) ++made;
  EXPECT_EQ(made, 14u) << dump;
  EXPECT_THAT(dump, ContainsRegex("created by .*DumpByFatal.* in goroutine 1\n"));
}

TEST_P(Ends, SY_04_TheThreadLimitIsFatal) {
  const ChildResult result = Run("too-many-threads", "max_threads=10");
  EXPECT_EQ(result.exit_code, 2) << result.err;
  EXPECT_EQ(result.out, "");
  EXPECT_THAT(result.err, StartsWith("runtime: program exceeds 10-thread limit\nfatal error: thread exhaustion"));
}

TEST(Processors, GR_10_TheDefaultIsWhatTheProcessMayUse) {
  EXPECT_EQ(RunIt({"taskset", "-c", "0", kProgram, "print-procs"}, "").out, "1\n");
  EXPECT_EQ(RunIt({kProgram, "print-procs"}, "procs=7").out, "7\n");
  EXPECT_EQ(RunIt({kProgram, "--procs=5", "print-procs"}, "procs=7").out, "5\n");
}

TEST(Processors, GR_11_AThousandAreAccepted) {
  if (kSanitized) GTEST_SKIP() << "a sanitizer's threads are too dear";
  for (const char* scheduler : {"gmp", "global"}) {
    const ChildResult result = RunIt({kProgram, "fan-out"}, absl::StrCat("procs=1024,scheduler=", scheduler));
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(result.out, "10000\n");
  }
}

TEST(Stacks, ST_03_TheLimitIsConfiguredAndNamed) {
  if (kSanitized) GTEST_SKIP() << "frames are larger under a sanitizer";
  const ChildResult result = RunIt({kProgram, "overflow-64k"}, "stack=contiguous:limit=1M,procs=2");
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(result.out, "");
  EXPECT_THAT(
      result.err,
      ContainsRegex("^runtime: goroutine [0-9]+ stack exceeds 1048576-byte limit\nfatal error: stack overflow\n"));
}

}  // namespace
}  // namespace gyre::testing
