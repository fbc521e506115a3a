// Each workload, small, under every configuration: it gives the right answer, and another is not taken for right.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "lab/execute.h"
#include "lab/workload.h"
#include "tests/testing/runtime_test.h"

namespace gyre::lab {
namespace {

namespace fs = std::filesystem;
using gyre::testing::Scaled;

Parameters ParametersOf(const std::string& words) {
  Parameters parameters;
  for (absl::string_view word : absl::StrSplit(words, ' ', absl::SkipEmpty())) {
    parameters.push_back(absl::StrSplit(word, absl::MaxSplits('=', 1)));
  }
  return parameters;
}

RunResult RunOne(const std::string& name, const std::string& words, const Config& config) {
  const absl::StatusOr<const Workload*> workload = FindWorkload(name);
  EXPECT_TRUE(workload.ok()) << workload.status();
  const absl::StatusOr<CheckedParameters> parameters = CheckParameters(**workload, ParametersOf(words));
  EXPECT_TRUE(parameters.ok()) << parameters.status();
  alarm(gyre::testing::kTimeoutSeconds);
  Execution execution = Execute(**workload, *parameters, config);
  alarm(0);
  EXPECT_TRUE(execution.stopped);
  return execution.result;
}

// Under the whole matrix, with this answer.
void ExpectAnswer(const std::string& name, const std::string& words, const std::string& answer) {
  for (Config config : gyre::testing::Matrix()) {
    config.seed = 7;
    SCOPED_TRACE(config.ToString());
    const RunResult result = RunOne(name, words, config);
    ASSERT_EQ(result.outcome, Outcome::kOk) << result.error;
    ASSERT_EQ(result.answer, answer);
    ASSERT_EQ(result.config.procs, config.procs);
    ASSERT_NE(result.Find("time_ns"), nullptr);
    ASSERT_GT(*result.Find("time_ns"), 0);
    ASSERT_GT(*result.Find("peak_memory_bytes"), 1 << 20);
    ASSERT_GT(*result.Find("spawned"), 0);
    ASSERT_GT(*result.Find("switches"), 0);
  }
}

// A wrong answer is caught, and the message has both.
void ExpectCaught(const std::string& name, const std::string& words) {
  const RunResult result = RunOne(name, absl::StrCat(words, " expect=something-else"), gyre::testing::SmallMatrix()[0]);
  EXPECT_EQ(result.outcome, Outcome::kFailed);
  EXPECT_EQ(result.error, absl::StrCat("workload ", name, ": wrong answer: it is \"", result.answer,
                                       "\", and should be \"something-else\""));
}

TEST(Skynet, AddsUpItsLeaves) {
  const int leaves = Scaled(1000);
  ExpectAnswer("skynet", absl::StrCat("leaves=", leaves), absl::StrCat(leaves * (leaves - 1) / 2));
}

TEST(Skynet, TakesTreesOfAnyShape) {
  const Config config = gyre::testing::SmallMatrix()[1];
  const std::pair<const char*, int> cases[] = {
      {"leaves=1 children=2", 1},     {"leaves=2 children=2", 3},        {"leaves=7 children=3", 11},
      {"leaves=10 children=100", 11}, {"leaves=1000 children=10", 1111}, {"leaves=1023 children=2", 2045},
  };
  for (const auto& [words, goroutines] : cases) {
    const RunResult result = RunOne("skynet", words, config);
    EXPECT_EQ(result.outcome, Outcome::kOk) << words << ": " << result.error;
    EXPECT_EQ(*result.Find("operations"), goroutines) << words;
    EXPECT_EQ(*result.Find("spawned"), goroutines) << words;
  }
}

TEST(Skynet, CatchesAWrongAnswer) {
  ExpectCaught("skynet", "leaves=10");
}

TEST(Sieve, FindsPrimes) {
  ExpectAnswer("sieve", "primes=100", "541");
}

TEST(Sieve, FindsKnownPrimes) {
  const Config config = gyre::testing::SmallMatrix()[1];
  const std::pair<int, const char*> known[] = {{1, "2"}, {2, "3"}, {3, "5"}, {6, "13"}, {25, "97"}, {1000, "7919"}};
  for (const auto& [n, prime] : known) {
    const RunResult result = RunOne("sieve", absl::StrCat("primes=", n), config);
    EXPECT_EQ(result.outcome, Outcome::kOk) << result.error;
    EXPECT_EQ(result.answer, prime);
  }
}

TEST(Sieve, CatchesAWrongAnswer) {
  ExpectCaught("sieve", "primes=10");
}

TEST(PingPong, CountsRoundTrips) {
  const int rounds = Scaled(300);
  ExpectAnswer("pingpong", absl::StrCat("pairs=3 rounds=", rounds), absl::StrCat(3 * rounds));
}

TEST(PingPong, CatchesAWrongAnswer) {
  ExpectCaught("pingpong", "rounds=10");
}

TEST(HotSplit, CountsCalls) {
  ExpectAnswer("hotsplit", "depths=30 calls=100", "6000");
}

TEST(HotSplit, WritesALineForEachDepth) {
  const std::string file = absl::StrCat(::testing::TempDir(), "/hotsplit.csv");
  const RunResult result =
      RunOne("hotsplit", absl::StrCat("depths=3 calls=10 csv=", file), gyre::testing::SmallMatrix()[0]);
  ASSERT_EQ(result.outcome, Outcome::kOk) << result.error;
  std::ifstream csv(file);
  std::string line;
  std::getline(csv, line);
  EXPECT_EQ(line, "depth,ns_per_call\r");
  int lines = 0;
  while (std::getline(csv, line)) EXPECT_EQ(line.rfind(absl::StrCat(lines++, ","), 0), 0u) << line;
  EXPECT_EQ(lines, 3);
}

TEST(HotSplit, SaysWhichFileItCannotWrite) {
  const RunResult result = RunOne("hotsplit", "depths=1 calls=1 csv=/nowhere/file", gyre::testing::SmallMatrix()[0]);
  EXPECT_EQ(result.outcome, Outcome::kFailed);
  EXPECT_NE(result.error.find("csv=/nowhere/file"), std::string::npos) << result.error;
}

TEST(DeepStack, ReadsWhatItWrote) {
  const RunResult first = RunOne("deepstack", "goroutines=3 kib=64 patience_s=0", gyre::testing::SmallMatrix()[0]);
  ASSERT_EQ(first.outcome, Outcome::kOk) << first.error;
  ExpectAnswer("deepstack", "goroutines=3 kib=64 patience_s=0", first.answer);
}

TEST(Parked, WakesAll) {
  const int goroutines = Scaled(1000);
  ExpectAnswer("parked", absl::StrCat("goroutines=", goroutines), absl::StrCat(goroutines));
}

TEST(Pipeline, KeepsItemsInOrder) {
  const std::string words = absl::StrCat("stages=4 buffer=8 items=", Scaled(500));
  // The checksum, by one configuration; all others must agree, and each has compared it with a loop's.
  const RunResult first = RunOne("pipeline", words, gyre::testing::SmallMatrix()[0]);
  ASSERT_EQ(first.outcome, Outcome::kOk) << first.error;
  ExpectAnswer("pipeline", words, first.answer);
}

TEST(Pipeline, WorksWithoutBuffers) {
  const RunResult result = RunOne("pipeline", "stages=1 items=10 buffer=0", gyre::testing::SmallMatrix()[1]);
  EXPECT_EQ(result.outcome, Outcome::kOk) << result.error;
}

TEST(Pipeline, CatchesAWrongAnswer) {
  ExpectCaught("pipeline", "items=10");
}

// ---- hashtree ----

// A folder with files of many sizes, and with what must not be hashed.
class HashTree : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::path(::testing::TempDir()) / absl::StrCat("tree", getpid());
    fs::create_directories(root_ / "a" / "deep" / "folder");
    fs::create_directories(root_ / ".hidden");
    const fs::path folders[] = {root_, root_ / "a", root_ / "a" / "deep", root_ / "a" / "deep" / "folder"};
    for (int i = 0; i < 40; ++i) {
      std::ofstream(folders[i % 4] / absl::StrCat("file ", i))
          << std::string(static_cast<size_t>(i * i * i * 3), 'x') << i;
    }
    std::ofstream(root_ / "empty");
    std::ofstream(root_ / ".hidden" / "file") << "hidden";
    std::ofstream(root_ / "a" / ".hidden") << "hidden";
    fs::create_symlink(root_ / "empty", root_ / "link to a file");
    fs::create_directory_symlink(root_ / "a", root_ / "link to a folder");
  }
  void TearDown() override { fs::remove_all(root_); }

  std::string Words() const { return absl::StrCat("folder=", root_.native()); }

  // What a shell says. `conditions`: what to leave out.
  std::string DigestByPrograms(const std::string& conditions) const {
    const std::string command = absl::StrCat("find '", root_.native(), "' ", conditions,
                                             " -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum");
    std::FILE* pipe = popen(command.c_str(), "r");
    char digest[65] = "";
    EXPECT_EQ(std::fread(digest, 1, 64, pipe), 64u);
    EXPECT_EQ(pclose(pipe), 0);
    return digest;
  }

  fs::path root_;
};

TEST_F(HashTree, AgreesWithSha256Sum) {
  ExpectAnswer("hashtree", Words(), DigestByPrograms("-name '.*' -prune -o"));
}

TEST_F(HashTree, CountsHiddenFilesIfAsked) {
  const RunResult result = RunOne("hashtree", absl::StrCat(Words(), " hidden=on"), gyre::testing::SmallMatrix()[1]);
  EXPECT_EQ(result.answer, DigestByPrograms(""));
  EXPECT_EQ(*result.Find("operations"), 43);
}

TEST_F(HashTree, HashesAsOftenAsAsked) {
  const RunResult result =
      RunOne("hashtree", absl::StrCat(Words(), " passes=3 workers=2"), gyre::testing::SmallMatrix()[1]);
  EXPECT_EQ(result.outcome, Outcome::kOk) << result.error;
  EXPECT_EQ(*result.Find("operations"), 3 * 41);
}

TEST_F(HashTree, CatchesAWrongAnswer) {
  ExpectCaught("hashtree", Words());
}

TEST_F(HashTree, HashesNothingInAFolderWithoutFiles) {
  fs::create_directory(root_ / "bare");
  const RunResult result = RunOne("hashtree", absl::StrCat(Words(), "/bare"), gyre::testing::SmallMatrix()[0]);
  EXPECT_EQ(result.outcome, Outcome::kOk) << result.error;
  EXPECT_EQ(*result.Find("operations"), 0);
}

TEST_F(HashTree, SaysWhichFileItCannotRead) {
  // A process's memory cannot be read at address 0, not even by root.
  const RunResult result =
      RunOne("hashtree", absl::StrCat("folder=/proc/", getpid(), "/task/", getpid()), gyre::testing::SmallMatrix()[0]);
  EXPECT_EQ(result.outcome, Outcome::kFailed);
  EXPECT_NE(result.error.find(absl::StrCat("cannot read /proc/", getpid())), std::string::npos) << result.error;
}

// ---- service ----

TEST(Service, ServesEveryRequest) {
  const int requests = Scaled(100);
  ExpectAnswer("service", absl::StrCat("mean=5us rate=20000 requests=", requests),
               absl::StrCat(requests, " requests served"));
}

TEST(Service, SendsFromAGoroutineToo) {
  for (const Config& config : gyre::testing::SmallMatrix()) {
    SCOPED_TRACE(config.ToString());
    const RunResult result = RunOne("service", "mean=5us rate=20000 requests=50 generator=goroutine", config);
    EXPECT_EQ(result.outcome, Outcome::kOk) << result.error;
  }
}

TEST(Service, MeasuresFromTheMomentThatARequestWasDue) {
  // Of twice as many requests as can be served, the last ones wait for about half of the time. A generator that waited
  // for answers would not show that.
  Config config = gyre::testing::SmallMatrix()[0];
  config.procs = 1;
  const RunResult result = RunOne("service", "distribution=fixed mean=100us load=2 requests=200", config);
  ASSERT_EQ(result.outcome, Outcome::kOk) << result.error;
  EXPECT_GT(*result.Find("sojourn_max_ns"), 5'000'000);
  EXPECT_LE(*result.Find("throughput_per_s"), 10'000);
  // All have the same service time, so that slowdowns are sojourn times by another measure.
  EXPECT_NEAR(*result.Find("slowdown_p99"), *result.Find("sojourn_p99_ns") / 100'000, 1e-9);
  EXPECT_GE(*result.Find("slowdown_p50"), 1);
}

TEST(Service, HasPercentilesInOrder) {
  const RunResult result =
      RunOne("service", "distribution=bim1 rate=10000 requests=200", gyre::testing::SmallMatrix()[1]);
  ASSERT_EQ(result.outcome, Outcome::kOk) << result.error;
  for (const char* name : {"sojourn_", "slowdown_"}) {
    double last = 0;
    for (const char* which : {"p50", "p90", "p99", "p999", "max"}) {
      const double* value = result.Find(absl::StrCat(name, which, *name == 's' && name[1] == 'o' ? "_ns" : ""));
      ASSERT_NE(value, nullptr) << name << which;
      EXPECT_GE(*value, last) << name << which;
      last = *value;
    }
  }
}

TEST(Service, TakesEveryDistribution) {
  const Workload& service = **FindWorkload("service");
  for (const std::string& distribution : service.parameters[0].choices) {
    const RunResult result =
        RunOne("service", absl::StrCat("distribution=", distribution, " mean=2us rate=20000 requests=20"),
               gyre::testing::SmallMatrix()[1]);
    EXPECT_EQ(result.outcome, Outcome::kOk) << distribution << ": " << result.error;
  }
}

TEST(Service, CatchesAWrongAnswer) {
  ExpectCaught("service", "mean=1us rate=10000 requests=5");
}

// ---- echo ----

TEST(Echo, EveryMessageComesBack) {
  for (const char* network : {"tcp", "unix"}) {
    for (const Config& config : gyre::testing::OnThreads(gyre::testing::SmallMatrix())) {
      const RunResult result =
          RunOne("echo", absl::StrCat("connections=7 requests=300 size=50 network=", network), config);
      ASSERT_EQ(result.outcome, Outcome::kOk) << result.error;
      EXPECT_EQ(result.answer, "300 messages came back");
      EXPECT_GT(*result.Find("throughput_per_s"), 0);
      EXPECT_LE(*result.Find("round_trip_p50_ns"), *result.Find("round_trip_p99_ns"));
    }
  }
}

TEST(Echo, CatchesAWrongAnswer) {
  ExpectCaught("echo", "requests=10 connections=2");
}

TEST(Echo, IsRefusedInTheSimulator) {
  Config config;
  config.engine = "simulation";
  config.procs = 1;
  const RunResult result = RunOne("echo", "requests=10", config);
  EXPECT_EQ(result.outcome, Outcome::kFailed);
  EXPECT_NE(result.error.find("run with --engine=threads"), std::string::npos) << result.error;
}

// ---- All of them ----

TEST(EveryWorkload, RunsInTheSimulatorTheSameWayTwice) {
  Config config;
  config.engine = "simulation";
  config.procs = 16;
  config.seed = 5;
  const std::pair<const char*, const char*> small[] = {
      {"skynet", "leaves=500"},
      {"sieve", "primes=50"},
      {"pingpong", "rounds=50 pairs=5"},
      {"pipeline", "items=100 stages=4"},
      {"service", "load=0.9 requests=500"},
  };
  for (const auto& [name, words] : small) {
    const RunResult first = RunOne(name, words, config), second = RunOne(name, words, config);
    EXPECT_EQ(first.outcome, Outcome::kOk) << first.error;
    EXPECT_EQ(first.answer, second.answer);
    for (const char* figure : {"time_ns", "switches", "parks", "steals", "wakeups", "sojourn_p99_ns"}) {
      const double *a = first.Find(figure), *b = second.Find(figure);
      ASSERT_EQ(a == nullptr, b == nullptr);
      if (a == nullptr) continue;
      EXPECT_EQ(*a, *b) << name << ": " << figure;
    }
  }
}

TEST(EveryWorkload, IsRefusedWhereThePluginsCannotStart) {
  Config config;
  config.scheduler = "fair:granularity=10ms,latency=1ms";
  const RunResult result = RunOne("skynet", "leaves=10", config);
  EXPECT_EQ(result.outcome, Outcome::kRefused);
  EXPECT_NE(result.error.find("granularity"), std::string::npos) << result.error;
}

}  // namespace
}  // namespace gyre::lab
