// P01 to P22 as processes: what they print, that they exit with 0 and leave no goroutine behind (each checks that
// itself), on 1, 2 and all processors, under every scheduler and in the simulator. Where the time that something takes
// is part of the row, the lower limits are checked everywhere, and the upper ones in virtual time, which no load
// disturbs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <concepts>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tests/examples/child_process.h"

namespace gyre::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

// The configurations of every program.
const std::vector<std::string>& Configs() {
  static const auto* configs = new std::vector<std::string>{"procs=1",
                                                            "procs=2",
                                                            "",
                                                            "procs=8",
                                                            "procs=2,scheduler=global,stack=fixed",
                                                            "procs=2,preemption=klt",
                                                            "procs=1,preemption=none",
                                                            "procs=2,scheduler=lifo",
                                                            "procs=2,scheduler=random",
                                                            "procs=2,scheduler=local",
                                                            "procs=2,scheduler=fair",
                                                            "procs=1,scheduler=las",
                                                            "procs=2,scheduler=cfcfs",
                                                            "procs=1,scheduler=priority",
                                                            "procs=2,scheduler=edf",
                                                            "procs=1,engine=simulation",
                                                            "procs=16,engine=simulation"};
  return *configs;
}
bool IsSimulated(const std::string& config) {
  return absl::StrContains(config, "simulation");
}

ChildResult RunProgram(const std::string& words, const std::string& config, std::vector<std::string> before = {}) {
  std::vector<std::string> arguments = std::move(before);
  for (const char* word : {"timeout", "100", "tests/programs/programs"}) arguments.emplace_back(word);
  for (absl::string_view word : absl::StrSplit(words, ' ')) arguments.emplace_back(word);
  const char* asan = std::getenv("ASAN_OPTIONS");
  return RunChild(arguments, {.folder = "",
                              .environment = {{"GYRE", config},
                                              {"ASAN_OPTIONS", absl::StrCat(asan ? asan : "", ":detect_leaks=0")}}});
}

// Calls check(output, config) for each configuration.
template <std::invocable<const std::string&, const std::string&> Check>
void Everywhere(const std::string& words, Check check) {
  for (const std::string& config : Configs()) {
    const ChildResult result = RunProgram(words, config);
    ASSERT_EQ(result.exit_code, 0) << words << " under \"" << config << "\"\n" << result.out << result.err;
    ASSERT_EQ(result.err, "");
    check(result.out, config);
    if (::testing::Test::HasFailure()) {
      ADD_FAILURE() << words << " under \"" << config << "\" printed\n" << result.out;
      return;
    }
  }
}
void Everywhere(const std::string& words, const std::string& output) {
  Everywhere(words, [&](const std::string& out, const std::string&) { EXPECT_EQ(out, output); });
}

// What takes long: on 1, 2 and all processors only.
void OnFew(const std::string& words, const std::string& output) {
  if (kSanitized) return;
  for (const char* config : {"procs=1", "procs=2", ""}) {
    const ChildResult result = RunProgram(words, config);
    EXPECT_EQ(result.exit_code, 0) << words << " under \"" << config << "\"\n" << result.err;
    EXPECT_EQ(result.out, output);
  }
}

// The number that follows `before` in `text`.
int64_t NumberAfter(const std::string& text, const std::string& before, size_t from = 0) {
  const size_t at = text.find(before, from);
  if (at == std::string::npos) {
    ADD_FAILURE() << "no \"" << before << "\" in " << text;
    return -1;
  }
  return std::atoll(text.c_str() + at + before.size());
}

constexpr char kFirstPrimes[] = "2 3 5 7 11 13 17 19 23 29 31 37 41 43 47 53 59 61 67 71 73 79 83 89 97\n";

TEST(Programs, P01_Sieve) {
  Everywhere("P01 300", absl::StrCat(kFirstPrimes, "last 1987, sum 271061\n"));
  OnFew("P01 1000", absl::StrCat(kFirstPrimes, "last 7919, sum 3682913\n"));
}

TEST(Programs, P02_ThreadRing) {
  Everywhere("P02 1000", "498\n");
  Everywhere("P02 10000", "444\n");
  OnFew("P02 1000000", "37\n");
}

TEST(Programs, P03_Chameneos) {
  Everywhere("P03 600", [](const std::string& out, const std::string&) {
    EXPECT_THAT(
        out, StartsWith("blue + blue -> blue\nblue + red -> yellow\nblue + yellow -> red\n"
                        "red + blue -> yellow\nred + red -> red\nred + yellow -> blue\n"
                        "yellow + blue -> red\nyellow + red -> blue\nyellow + yellow -> yellow\n\n blue red yellow\n"));
    const std::vector<std::string> lines = absl::StrSplit(out, '\n');
    ASSERT_EQ(lines.size(), 10u + 6 + 13 + 1);
    const auto check = [&](size_t header, size_t creatures) {
      int64_t sum = 0;
      for (size_t i = header + 1; i <= header + creatures; ++i) {
        sum += std::atoll(lines[i].c_str());
        EXPECT_THAT(lines[i], ::testing::EndsWith(" zero"));
      }
      EXPECT_EQ(sum, 1200);
      EXPECT_EQ(lines[header + creatures + 1], " one two zero zero");
    };
    check(10, 3);
    EXPECT_EQ(lines[16], " blue red yellow red yellow blue red yellow red blue");
    check(16, 10);
  });
}

TEST(Programs, P04_Skynet) {
  Everywhere("P04 10000", "49995000\n");
  OnFew("P04 1000000", "499999500000\n");
}

TEST(Programs, P05_PowerSeries) {
  Everywhere("P05",
             "Ones: 1 1 1 1 1 1 1 1 1 1\n"
             "Add: 3 3 3 3 3 3 3 3 3 3\n"
             "Diff: 1 2 3 4 5 6 7 8 9 10\n"
             "Integ: 0 1 1/2 1/3 1/4 1/5 1/6 1/7 1/8 1/9\n"
             "Mul: 1 2 3 4 5 6 7 8 9 10\n"
             "Exp: 1 1 3/2 13/6 73/24 167/40 4051/720 37633/5040 43817/4480 4596553/362880 58941091/3628800 "
             "274691047/13305600 12470162233/479001600 202976401213/6227020800 1178339174801/29059430400\n"
             "MonSubst: 1 0 -1 0 1 0 -1 0 1 0\n"
             "ATan: 0 1 0 -1/3 0 1/5 0 -1/7 0 1/9\n");
}

TEST(Programs, P06_PhilosophersEat) {
  Everywhere("P06 1000", "5000\n");
}

TEST(Programs, P06_PhilosophersStarve) {
  for (const std::string& config : Configs()) {
    const ChildResult result = RunProgram("P06 0", config);
    EXPECT_EQ(result.exit_code, 2) << config;
    EXPECT_THAT(result.err, StartsWith("fatal error: all goroutines are asleep - deadlock!\n")) << config;
    size_t in_lock = 0;
    for (size_t at = 0; (at = result.err.find("[sync.Mutex.Lock]:", at)) != std::string::npos; ++at) ++in_lock;
    EXPECT_EQ(in_lock, 5u) << config << result.err;
  }
}

TEST(Programs, P07_MergeSort) {
  Everywhere("P07 100000",
             "min 23840, middle 2143152579, max 4294948808, sum 214618785768912, 8fd4aca3ee8f85ea, sorted 1\n");
  OnFew("P07 1000000",
        "min 1123, middle 2149518943, max 4294959038, sum 2148684361680416, 7cd4b2c67899abbe, sorted 1\n");
}

TEST(Programs, P08_Queens) {
  Everywhere("P08 9", "1 0 0 2 10 4 40 92 352\n");
  OnFew("P08 12", "1 0 0 2 10 4 40 92 352 724 2680 14200\n");
}

TEST(Programs, P09_MatrixProductInTwoWays) {
  const std::string product = "270131 391262, trace 50283312, sum 4997828377, a7320b35689356e3\n";
  OnFew("P09", product + product);
}

TEST(Programs, P10_Crawler) {
  Everywhere("P10 12",
             "1: 4/11\n2: 13/605\n3: 40/30998\n4: 121/370491\n5: 364/1574255\n6: 1064/5158118\n7: 2905/14812434\n"
             "8: 6435/32045662\n9: 9531/47592140\n10: 10003/50043100\n11: 10007/50065021\n12: 10007/50065021\n");
}

TEST(Programs, P11_RateLimiter) {
  Everywhere("P11", [](const std::string& out, const std::string& config) {
    EXPECT_THAT(out, StartsWith("0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 \ntoo early: 0\n"));
    EXPECT_GE(NumberAfter(out, "all after "), 180'000);
    if (!IsSimulated(config)) return;
    EXPECT_LE(NumberAfter(out, "first 5 after "), 5'000);
    EXPECT_LE(NumberAfter(out, "all after "), 260'000);
  });
}

TEST(Programs, P12_WorkerPool) {
  Everywhere("P12", "sum 333283335000, 10000 results\n");
}

TEST(Programs, P13_BoundedParallelism) {
  Everywhere("P13", [](const std::string& out, const std::string& config) {
    for (const char* how : {"channel", "semaphore", "cond"}) {
      EXPECT_THAT(out, HasSubstr(absl::StrCat(how, ": at most 4, done 200, after ")));
      const int64_t us = NumberAfter(out, ", after ", out.find(how));
      EXPECT_GE(us, 50'000);
      EXPECT_LE(us, IsSimulated(config) ? 80'000 : INT64_MAX);
    }
  });
}

TEST(Programs, P14_CancellationTree) {
  Everywhere("P14", "1111 wait\n111 reported, 1000 wait\n1111 reported, 0 of them something else\n");
}

TEST(Programs, P15_SleepingBarber) {
  Everywhere("P15", "customers 200, served some 1, twice 0\n");
}

TEST(Programs, P16_SameFringe) {
  Everywhere("P16", "true\ntrue\n2 left over; false\n");
}

TEST(Programs, P17_Life) {
  Everywhere("P17 64 200", "113 live, ef6702d17cc32ff5\n");
  OnFew("P17 64 1000", "113 live, 26e8ee0d44a7a853\n");
}

TEST(Programs, P18_Whispers) {
  Everywhere("P18 2000", "2001\n");
  OnFew("P18 100000", "100001\n");
}

TEST(Programs, P19_Fibonacci) {
  Everywhere("P19 15", "610 with 1973 calls\n");
  OnFew("P19 20", "6765 with 21891 calls\n");
  OnFew("P19 25", "75025 with 242785 calls\n");
}

TEST(Programs, P20_BankTransfers) {
  Everywhere("P20", "total 10000, negative 0\n");
}

TEST(Programs, P21_SelectTimeouts) {
  Everywhere("P21", [](const std::string& out, const std::string& config) {
    for (const char* who : {"10 ms: ", "30 ms: ", "all: "}) {
      const size_t at = out.find(who);
      ASSERT_NE(at, std::string::npos) << out;
      EXPECT_GE(NumberAfter(out, ", after ", at), 300'000);
      EXPECT_LE(NumberAfter(out, ", after ", at), IsSimulated(config) ? 330'000 : INT64_MAX);
    }
    EXPECT_GE(NumberAfter(out, "timeouts ", out.find("30 ms: ")), 1);
    if (!IsSimulated(config)) return;  // a loaded machine makes anybody late
    EXPECT_THAT(out, HasSubstr("10 ms: timeouts 0, received some 1"));
    EXPECT_THAT(out, HasSubstr("all: timeouts 0, received some 1"));
  });
}

TEST(Programs, P22_Collatz) {
  OnFew("P22", "837799 with 525 terms\n");
}

// One CPU, whatever the number of processors; and many more processors than there are CPUs.
TEST(Programs, RS_05_OneCpuAndTooManyProcessors) {
  const std::pair<const char*, const char*> kPrograms[] = {
      {"P02 1000", "498\n"},
      {"P06 1000", "5000\n"},
      {"P07 100000", "min 23840, middle 2143152579, max 4294948808, sum 214618785768912, 8fd4aca3ee8f85ea, sorted 1\n"},
      {"P12", "sum 333283335000, 10000 results\n"},
      {"P14", "1111 wait\n111 reported, 1000 wait\n1111 reported, 0 of them something else\n"},
      {"P19 15", "610 with 1973 calls\n"},
      {"P20", "total 10000, negative 0\n"}};
  for (const auto& [words, output] : kPrograms) {
    for (const char* config : {"procs=1", "procs=2,preemption=klt", "procs=64", "procs=32,scheduler=global"}) {
      const ChildResult result = RunProgram(words, config, {"taskset", "-c", "0"});
      EXPECT_EQ(result.exit_code, 0) << words << " under " << config << result.err;
      EXPECT_EQ(result.out, output) << config;
    }
  }
}

TEST(Programs, UnknownOnesAreRefused) {
  const ChildResult result = RunProgram("P23", "");
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("the programs: P01 P02"));
}

}  // namespace
}  // namespace gyre::testing
