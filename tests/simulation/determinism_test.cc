// The same seed is the same run; another seed is another one.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "plugins/registry.h"
#include "runtime/simulation/simulate.h"
#include "tests/simulation/programs.h"
#include "tests/testing/runtime_test.h"

namespace gyre {
namespace {

constexpr const char kChild[] = "GYRE_TEST_TRACE_HASH_OF_SEEDS";

uint64_t TraceOf(uint64_t seed, const std::string& scheduler = "gmp") {
  Config config;
  config.seed = seed;
  config.scheduler = scheduler;
  int answer = 0;
  const SimulationResult result = Simulate({config}, [&] { answer = MixedProgram(); });
  EXPECT_EQ(result.failure, "");
  EXPECT_EQ(answer, kMixedProgramsAnswer);
  return result.trace_hash;
}

uint64_t TraceOfSeeds(int seeds) {
  uint64_t all = 0;
  for (int seed = 1; seed <= seeds; ++seed) all = all * 31 + TraceOf(seed);
  return all;
}

TEST(Determinism, AThousandSeedsTwice) {
  const int seeds = testing::Scaled(1000);
  std::set<uint64_t> distinct;
  for (int seed = 1; seed <= seeds; ++seed) {
    const uint64_t once = TraceOf(seed);
    ASSERT_EQ(once, TraceOf(seed)) << "seed " << seed;
    distinct.insert(once);
  }
  EXPECT_EQ(distinct.size(), static_cast<size_t>(seeds)) << "different seeds differ";
}

// Run as the child of the test below.
TEST(Determinism, PrintsTheTraceWhenAsked) {
  const char* seeds = std::getenv(kChild);
  if (seeds == nullptr) return;
  std::printf("trace=%llu\n", static_cast<unsigned long long>(TraceOfSeeds(std::atoi(seeds))));
}

TEST(Determinism, AnotherProcessHasTheSameTraces) {
  const int seeds = testing::Scaled(1000);
  char program[4096];
  const ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);
  ASSERT_GT(length, 0);
  program[length] = '\0';
  const std::string command =
      absl::StrCat(kChild, "=", seeds, " '", program, "' --gtest_filter=Determinism.PrintsTheTraceWhenAsked");
  FILE* child = popen(command.c_str(), "r");
  ASSERT_NE(child, nullptr);
  std::string output;
  char buffer[4096];
  for (size_t n; (n = fread(buffer, 1, sizeof(buffer), child)) > 0;) output.append(buffer, n);
  EXPECT_EQ(pclose(child), 0);
  EXPECT_NE(output.find(absl::StrCat("trace=", TraceOfSeeds(seeds), "\n")), std::string::npos) << output;
}

TEST(Determinism, IsChecked) {
  EXPECT_EQ(CheckRepeatable({}, [] { MixedProgram(); }), "");
  int state = 0;
  const std::string difference = CheckRepeatable({}, [&] {
    Sleep(absl::Milliseconds(1));
    ++state;
    for (int i = 0; i < state; ++i) Sleep(absl::Milliseconds(1));
  });
  EXPECT_NE(difference, "");
}

TEST(Determinism, EveryPolicyRepeatsItself) {
  for (const PluginInfo& plugin : ListPlugins(PluginKind::kScheduler)) {
    if (plugin.is_wrapper) continue;
    SCOPED_TRACE(plugin.name);
    for (uint64_t seed = 1; seed <= 5; ++seed) ASSERT_EQ(TraceOf(seed, plugin.name), TraceOf(seed, plugin.name));
  }
}

}  // namespace
}  // namespace gyre
