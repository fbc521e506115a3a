// tools/gyre-gdb.py on a live process and on a core file that gdb writes of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/examples/child_process.h"

namespace gyre::testing {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;

constexpr char kSubject[] = "tests/debug/gdb_subject";
constexpr char kScript[] = "tools/gyre-gdb.py";

bool HasGdb() {
  return std::system("gdb --batch --nx -ex 'python print(1)' 2>/dev/null | grep -q 1") == 0;
}

std::string Gdb(const std::vector<std::string>& commands, const std::vector<std::string>& files) {
  std::vector<std::string> words = {"gdb", "--batch", "--nx", "-iex", "set debuginfod enabled off"};
  for (const std::string& command : commands) {
    words.push_back("-ex");
    words.push_back(command);
  }
  words.insert(words.end(), files.begin(), files.end());
  ChildOptions options;
  options.environment = {{"GYRE", ""}, {"HOME", ::testing::TempDir()}};
  const ChildResult result = RunChild(words, options);
  return result.out + result.err;
}

void ExpectAllGoroutines(const std::string& output) {
  EXPECT_THAT(output, ContainsRegex("  1 \\[[^\n]*Traps")) << output;
  EXPECT_THAT(output, ContainsRegex("\\[chan receive on 0x[0-9a-f]+\\] \\(waiter\\) [^\n]*WaitsForAChannel")) << output;
  EXPECT_THAT(output, ContainsRegex("\\[select\\] [^\n]*WaitsInSelect")) << output;
  EXPECT_THAT(output, ContainsRegex("\\[running\\] [^\n]*Computes")) << output;
}

// gdb writes no region that it cannot read in one piece, and one with MADV_GUARD_INSTALL's guards in it is such: hence
// mprotect's. (The kernel's own core files are whole.)
TEST(GdbScript, OnALiveProcessAndACore) {
  if (!HasGdb()) GTEST_SKIP() << "no gdb with Python is installed: tools/gyre-gdb.py was not tried";
  const std::string core = ::testing::TempDir() + "/gdb_subject.core";
  const std::string live = Gdb({"handle SIGURG SIGPROF nostop noprint pass", "set disable-randomization off",
                                "run --procs=2 --stack=contiguous:guard=mprotect", "source " + std::string(kScript),
                                "echo LIST\\n", "info goroutines", "echo ALL\\n", "goroutine all bt", "echo ERRORS\\n",
                                "python\ntry:\n  gdb.execute('goroutine 999 bt')\n"
                                "except gdb.error as e:\n  print(e)\n",
                                "generate-core-file " + core, "kill"},
                               {kSubject});
  ExpectAllGoroutines(live);
  const std::string all = live.substr(std::min(live.size(), live.find("ALL\n")));
  EXPECT_THAT(all, ContainsRegex("#[0-9]+ +[^\n]*WaitsForAChannel[^\n]* at [^\n]*gdb_subject.cc:[0-9]+")) << live;
  EXPECT_THAT(all, ContainsRegex("#[0-9]+ +[^\n]*EnterGoroutine")) << "to the bottom";
  EXPECT_THAT(live, HasSubstr("there is no goroutine 999; info goroutines lists them"));

  ASSERT_TRUE(std::filesystem::exists(core)) << live;
  const std::string dead =
      Gdb({"source " + std::string(kScript), "info goroutines", "goroutine all bt"}, {kSubject, core});
  ExpectAllGoroutines(dead);
  EXPECT_THAT(dead, ContainsRegex("#[0-9]+ +[^\n]*WaitsInSelect[^\n]* at [^\n]*gdb_subject.cc:[0-9]+"));
  std::filesystem::remove(core);
}

TEST(GdbScript, OnAnotherProgramItSaysSo) {
  if (!HasGdb()) GTEST_SKIP() << "no gdb with Python is installed: tools/gyre-gdb.py was not tried";
  EXPECT_THAT(Gdb({"source " + std::string(kScript), "info goroutines"}, {"/bin/true"}),
              HasSubstr("is not built on gyre"));
}

}  // namespace
}  // namespace gyre::testing
