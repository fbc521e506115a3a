// Every program of examples/, under the configuration that the suite runs with and under another one: it exits with 0
// and prints what its twin in Go prints, in the same order where Go's order is certain.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <ostream>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "tests/examples/child_process.h"

namespace gyre::testing {
namespace {

enum class Order { kCertain, kAny };

struct Example {
  const char* name;
  const char* output;
  Order order = Order::kCertain;

  friend void PrintTo(const Example& example, std::ostream* out) { *out << example.name; }
};

const Example kExamples[] = {
    {"hello_goroutine", "Hello, Goroutine!\nMain function\n", Order::kAny},
    {"leak_blocked_channel", "left behind: 1\n"},
    {"leak_infinite_loop", "left behind: 1\n"},
    {"leak_no_timeout", "left behind: 1\n"},
    {"cure_context", "Goroutine exiting\n"},
    {"cure_close", "1\n"},
    {"cure_timeout", "Timeout\n"},
    {"mutex", "count: 5\n"},
    {"rwmutex", "colour: blue\ncolour: blue\nshape: round\n", Order::kAny},
    {"trylock", "The lock was acquired successfully.\nFailed to acquire the lock.\n"},
    {"waitgroup", "All Goroutines finished\nGoroutine 0\nGoroutine 1\nGoroutine 2\n", Order::kAny},
    {"cond", "Condition met\n"},
    {"once", "This will only run once\n"},
    {"producer_consumer", "Consumed: 0\nConsumed: 1\nConsumed: 2\nConsumed: 3\nConsumed: 4\n"},
    {"timeout", "Timeout\n"},
    {"bounded_concurrency", "100 requests, never more than 10 at a time\n"},
    {"pipeline", "4\n9\n16\n"},
    {"context_timeout", "Timeout: context deadline exceeded\n"},
    {"context_value", "Processing request for user: 12345\n"},
};

// What they print is up to who runs when: they have tests of their own below.
const char* const kOthers[] = {"context_cancel", "worker_pool"};

const char* const kConfigurations[] = {"", "scheduler=global,stack=fixed"};

// Their goroutines still exist at the end, with the channel that they wait for: LeakSanitizer says so, and is right.
const char* const kLeaks[] = {"leak_blocked_channel", "leak_no_timeout", "timeout"};

// Empty: what the suite runs with.
ChildResult RunExample(const std::string& name, const std::string& configuration) {
  ChildOptions options;
  if (!configuration.empty()) options.environment = {{"GYRE", configuration}};
  if (std::find(std::begin(kLeaks), std::end(kLeaks), name) != std::end(kLeaks)) {
    const char* asan = std::getenv("ASAN_OPTIONS");
    options.environment.emplace_back("ASAN_OPTIONS", absl::StrCat(asan != nullptr ? asan : "", ":detect_leaks=0"));
  }
  ChildResult result = RunChild({"examples/" + name}, options);
  EXPECT_EQ(result.exit_code, 0) << name << " under \"" << configuration << "\": signal " << result.signal << "\n"
                                 << result.out << result.err;
  EXPECT_EQ(result.err, "");
  return result;
}

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines = absl::StrSplit(text, '\n');
  EXPECT_EQ(lines.back(), "") << "the last line has no end";
  lines.pop_back();
  return lines;
}

std::string Sorted(const std::string& text) {
  std::vector<std::string> lines = Lines(text);
  std::sort(lines.begin(), lines.end());
  return absl::StrJoin(lines, "\n") + "\n";
}

class ExampleTest : public ::testing::TestWithParam<std::tuple<Example, const char*>> {};

TEST_P(ExampleTest, PrintsWhatItsTwinPrints) {
  const auto& [example, configuration] = GetParam();
  const ChildResult result = RunExample(example.name, configuration);
  EXPECT_EQ(example.order == Order::kAny ? Sorted(result.out) : result.out, example.output);
}

INSTANTIATE_TEST_SUITE_P(All, ExampleTest,
                         ::testing::Combine(::testing::ValuesIn(kExamples), ::testing::ValuesIn(kConfigurations)),
                         [](const auto& test) {
                           return std::string(std::get<0>(test.param).name) +
                                  (*std::get<1>(test.param) == '\0' ? "" : "_global_fixed");
                         });

class OtherExampleTest : public ::testing::TestWithParam<const char*> {};

TEST_P(OtherExampleTest, WorkerPoolDoesEachTaskOnce) {
  const ChildResult result = RunExample("worker_pool", GetParam());
  std::set<int> tasks;
  for (const std::string& line : Lines(result.out)) {
    int worker = 0, task = 0;
    ASSERT_EQ(std::sscanf(line.c_str(), "Worker %d processing task %d", &worker, &task), 2) << line;
    EXPECT_TRUE(worker >= 1 && worker <= 3) << line;
    EXPECT_TRUE(tasks.insert(task).second) << line;
  }
  EXPECT_EQ(tasks, (std::set<int>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}));
}

TEST_P(OtherExampleTest, ContextCancelWorksAndThenExits) {
  const ChildResult result = RunExample("context_cancel", GetParam());
  std::vector<std::string> lines = Lines(result.out);
  ASSERT_GE(lines.size(), 2u) << result.out;
  EXPECT_EQ(lines.back(), "Goroutine exiting");
  lines.pop_back();
  for (const std::string& line : lines) EXPECT_EQ(line, "Working...");
}

INSTANTIATE_TEST_SUITE_P(All, OtherExampleTest, ::testing::ValuesIn(kConfigurations),
                         [](const auto& test) { return std::string(*test.param == '\0' ? "suite" : "global_fixed"); });

TEST(Examples, EachIsTested) {
  std::set<std::string> tested(std::begin(kOthers), std::end(kOthers)), there;
  for (const Example& example : kExamples) tested.insert(example.name);
  for (const auto& file : std::filesystem::directory_iterator("examples")) {
    if (file.is_regular_file()) there.insert(file.path().filename().string());
  }
  EXPECT_EQ(tested, there);
}

}  // namespace
}  // namespace gyre::testing
