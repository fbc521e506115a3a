// Each call of the runtime's to the kernel fails in turn: the program comes out right all the same, or ends with a
// sentence and exit code 2; it is never killed by a signal, never hangs, and never ends in silence.
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/examples/child_process.h"

namespace gyre::testing {
namespace {

struct Fault {
  const char* call;
  const char* config;
};

class Faults : public ::testing::TestWithParam<Fault> {};

INSTANTIATE_TEST_SUITE_P(
    Calls, Faults,
    ::testing::Values(Fault{"pthread_create", "procs=4"}, Fault{"pthread_create", "procs=2,preemption=klt"},
                      Fault{"mmap", "procs=2"}, Fault{"mmap", "procs=2,stack=fixed"}, Fault{"madvise", "procs=2"},
                      Fault{"mprotect", "procs=2,stack=fixed"},
                      Fault{"mprotect", "procs=2,stack=contiguous:grow=double"}, Fault{"sigaltstack", "procs=2"},
                      Fault{"timer_create", "procs=2,preemption=klt"}, Fault{"epoll_create1", "procs=2"},
                      Fault{"epoll_ctl", "procs=2"}, Fault{"eventfd", "procs=2"}),
    [](const ::testing::TestParamInfo<Fault>& info) {
      std::string name = absl::StrCat(info.param.call, "_", info.param.config);
      for (char& c : name) c = std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
      return name;
    });

TEST_P(Faults, EndWellOrWithASentence) {
  const Fault& fault = GetParam();
  const char* asan = std::getenv("ASAN_OPTIONS");
  bool came = true;
  for (int n = 1; came && n <= 60; n += n < 12 ? 1 : 7) {
    came = false;
    for (bool for_good : {false, true}) {
      std::vector<std::string> words = {"timeout", "100", "tests/faults/faulty_program", fault.call, absl::StrCat(n)};
      if (for_good) words.emplace_back("for-good");
      const ChildResult result =
          RunChild(words, {.folder = "",
                           .environment = {{"GYRE", fault.config},
                                           {"ASAN_OPTIONS", absl::StrCat(asan ? asan : "", ":detect_leaks=0")}}});
      const std::string what = absl::StrCat(fault.call, " call ", n, for_good ? " and on" : "", " under ", fault.config,
                                            "\n", result.out, result.err);
      if (result.exit_code == 0) {
        EXPECT_EQ(result.out, "right\n") << what;
      } else {
        EXPECT_EQ(result.exit_code, 2) << "signal " << result.signal << ", " << what;
        const bool sentence = absl::StartsWith(result.err, "refused: ") ||
                              absl::StartsWith(result.err, "fatal error: ") ||
                              absl::StartsWith(result.err, "panic: ") || absl::StartsWith(result.err, "runtime: ");
        EXPECT_TRUE(sentence) << what;
      }
      came |= !absl::StrContains(result.err, "it was not called so often");
      if (::testing::Test::HasFailure()) return;
    }
  }
}

}  // namespace
}  // namespace gyre::testing
