// lab top: what it makes of two readings, and how it behaves in a pipe and on a terminal, with a runtime of this
// process.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cmath>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "lab/metrics_client.h"
#include "lab/top_view.h"
#include "runtime/debug/server.h"
#include "runtime/go.h"
#include "runtime/runtime.h"
#include "tests/examples/child_process.h"
#include "tests/testing/runtime_test.h"

extern char** environ;

namespace gyre::lab {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kLab[] = "lab/lab";

TEST(MetricsClient, ReadsPrometheusText) {
  const Metrics metrics = ParseMetrics("# HELP a b\na 1\nb{c=\"d e\"} 2.5\nnonsense\n\nbad x\n");
  EXPECT_THAT(metrics, ::testing::UnorderedElementsAre(::testing::Pair("a", 1), ::testing::Pair("b{c=\"d e\"}", 2.5)));
}

TEST(MetricsClient, SaysWhyItCannot) {
  EXPECT_THAT(std::string(Fetch("6060", "/").status().message()), HasSubstr("is not HOST:PORT"));
  EXPECT_THAT(std::string(Fetch("127.0.0.1:1", "/").status().message()), HasSubstr("nobody answers at 127.0.0.1:1: "));
  EXPECT_THAT(std::string(Fetch("127.0.0.1:1", "/").status().message()), HasSubstr("--debug_http=127.0.0.1:1"));
}

TEST(TopView, ShowsRatesBetweenReadingsAndGauges) {
  const Metrics before = ParseMetrics(
      "gyre_sched_switches_total 1000\ngyre_sched_steals_total 10\nprocess_cpu_seconds_total 1\n"
      "gyre_sched_latencies_seconds_bucket{le=\"1e-06\"} 100\ngyre_sched_latencies_seconds_bucket{le=\"+Inf\"} 100\n");
  const Metrics now = ParseMetrics(
      "gyre_sched_switches_total 5000\ngyre_sched_steals_total 12\nprocess_cpu_seconds_total 4\n"
      "gyre_sched_goroutines_goroutines 7\ngyre_sched_goroutines_waiting_goroutines 5\n"
      "gyre_sched_policy{name=\"shared\"} 3\ngyre_sched_policy{proc=\"1\",name=\"queue\"} 9\n"
      "gyre_sched_latencies_seconds_bucket{le=\"1e-06\"} 190\ngyre_sched_latencies_seconds_bucket{le=\"+Inf\"} 200\n");
  const std::string text = TopView("title", before, now, 2);
  EXPECT_THAT(text, HasSubstr("title\n"));
  EXPECT_THAT(text, HasSubstr("goroutines  7 "));
  EXPECT_THAT(text, HasSubstr("waiting 5"));
  EXPECT_THAT(text, HasSubstr("switches 2000"));
  EXPECT_THAT(text, HasSubstr("steals 1"));
  EXPECT_THAT(text, HasSubstr("CPU 150 %"));
  EXPECT_THAT(text, ContainsRegex("run queues +shared 3"));
  EXPECT_THAT(text, ContainsRegex("P1 +queue 9"));
  EXPECT_DOUBLE_EQ(LatencyQuantile(before, now, 0.5), 1000);
  EXPECT_TRUE(std::isinf(LatencyQuantile(before, now, 0.99)));
  EXPECT_LT(LatencyQuantile(now, now, 0.5), 0);
  EXPECT_THAT(TopView("title", {}, now, 0), HasSubstr("switches -")) << "no rates at first";
}

// A runtime with something to see, and its server, for the life of the object.
class Running {
 public:
  Running() : server_(*DebugServer::Start("127.0.0.1:0")) {
    thread_ = std::thread([this] {
      Config config;
      config.procs = 2;
      config.debug_http = "on";  // has the runtime keep times
      Runtime runtime(config);
      runtime.Run([this] {
        for (int i = 0; i < 5; ++i) {
          Go([this] {
            while (!stop_) Sleep(absl::Milliseconds(1));
          });
        }
        while (!stop_) Sleep(absl::Milliseconds(1));
      });
    });
  }
  ~Running() {
    stop_ = true;
    thread_.join();
  }
  std::string address() const { return server_->address(); }
  void StopServer() { server_ = nullptr; }

 private:
  std::unique_ptr<DebugServer> server_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

TEST(Top, InAPipeItPrintsReadings) {
  Running running;
  const auto result = gyre::testing::RunChild({kLab, "top", running.address(), "--readings=2", "--interval=0.2"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr(absl::StrCat("gyre top  ", running.address())));
  EXPECT_THAT(result.out, HasSubstr("\ngoroutines  6 "));
  EXPECT_THAT(result.out, HasSubstr("run queues"));
  EXPECT_THAT(result.out, ContainsRegex("p50 < [0-9]"));
  EXPECT_THAT(result.out, Not(HasSubstr("\x1b"))) << "no terminal, no control codes";
}

TEST(Top, RefusesWhatMakesNoSense) {
  EXPECT_EQ(gyre::testing::RunChild({kLab, "top"}).exit_code, 2);
  EXPECT_EQ(gyre::testing::RunChild({kLab, "top", "127.0.0.1:1"}).exit_code, 2);
  EXPECT_EQ(gyre::testing::RunChild({kLab, "top", "127.0.0.1:1", "--interval=0"}).exit_code, 2);
  EXPECT_EQ(gyre::testing::RunChild({kLab, "top", "127.0.0.1:1", "--readings=-1"}).exit_code, 2);
  EXPECT_EQ(gyre::testing::RunChild({kLab, "top", "nonsense"}).exit_code, 2);
}

// lab top on a pseudo-terminal.
class OnTerminal {
 public:
  explicit OnTerminal(const std::string& address) {
    master_ = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    EXPECT_GE(master_, 0);
    EXPECT_EQ(grantpt(master_), 0);
    EXPECT_EQ(unlockpt(master_), 0);
    const std::string slave = ptsname(master_);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, slave.c_str(), O_RDWR, 0);
    posix_spawn_file_actions_adddup2(&actions, 0, 1);
    posix_spawn_file_actions_adddup2(&actions, 0, 2);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
    std::string words[] = {kLab, "top", address, "--interval=0.2"};
    char* pointers[] = {words[0].data(), words[1].data(), words[2].data(), words[3].data(), nullptr};
    EXPECT_EQ(posix_spawn(&child_, kLab, &actions, &attributes, pointers, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
  }
  ~OnTerminal() { close(master_); }

  void Type(const std::string& keys) {
    EXPECT_EQ(write(master_, keys.data(), keys.size()), static_cast<ssize_t>(keys.size()));
  }

  // Reads until the screen has shown `text`, for half a minute at most; true if it has.
  bool Awaits(const std::string& text) {
    for (int rounds = 0; rounds < 300 && shown_.find(text) == std::string::npos; ++rounds) ReadSome();
    return shown_.find(text) != std::string::npos;
  }

  int ExitCode() {
    int status = 0;
    while (waitpid(child_, &status, WNOHANG) == 0) ReadSome();
    ReadSome();
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  const std::string& shown() const { return shown_; }

 private:
  void ReadSome() {
    pollfd ready{master_, POLLIN, 0};
    if (poll(&ready, 1, 100) <= 0) return;
    char buffer[4096];
    const ssize_t n = read(master_, buffer, sizeof(buffer));
    if (n > 0) shown_.append(buffer, static_cast<size_t>(n));
  }

  int master_ = -1;
  pid_t child_ = 0;
  std::string shown_;
};

TEST(Top, OnATerminalItHasAScreenOfItsOwnUntilQIsPressed) {
  Running running;
  OnTerminal top(running.address());
  EXPECT_TRUE(top.Awaits("\x1b[?1049h")) << "the other screen";
  EXPECT_TRUE(top.Awaits("goroutines  6 ")) << top.shown();
  EXPECT_TRUE(top.Awaits("p99 < ")) << top.shown();
  top.Type("q");
  EXPECT_EQ(top.ExitCode(), 0) << top.shown();
  EXPECT_TRUE(top.Awaits("\x1b[?1049l")) << "the screen of before";
}

TEST(Top, EndsWithTheProgram) {
  Running running;
  OnTerminal top(running.address());
  EXPECT_TRUE(top.Awaits("goroutines  6 ")) << top.shown();
  running.StopServer();
  EXPECT_EQ(top.ExitCode(), 0) << top.shown();
  EXPECT_THAT(top.shown(), HasSubstr("does not answer any more"));
}

}  // namespace
}  // namespace gyre::lab
