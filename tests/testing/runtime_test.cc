#include "tests/testing/runtime_test.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "plugins/registry.h"
#include "runtime/go.h"
#include "runtime/panic.h"
#include "runtime/symbols.h"
#include "runtime/trace/checker.h"

namespace gyre::testing {

namespace {

constexpr const char kSimulation[] = "simulation";
constexpr int kProcs[] = {1, 2, 4, 8};

// What the user asked for through GYRE; the defaults otherwise. `fixed_plugins`: it names at least one.
Config Asked(bool* fixed_plugins) {
  absl::StatusOr<Config> config = Config::FromEnvironment();
  if (!config.ok()) {
    ADD_FAILURE() << config.status();
    std::abort();
  }
  const char* text = std::getenv("GYRE");
  *fixed_plugins = text != nullptr && *text != '\0';
  return *config;
}

// Death tests start the test program anew: a fork of a process that had threads is a poor place to start some, and no
// place at all for TSan. Not by assigning to the flag here and now: GoogleTest's own globals may not have been made
// yet.
class ThreadsafeDeathTests final : public ::testing::Environment {
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};
const ::testing::Environment* const threadsafe_death_tests =
    ::testing::AddGlobalTestEnvironment(new ThreadsafeDeathTests);

std::string running;  // the configuration that a body runs under

void OnTimeout(int) {
  Fatal(absl::StrCat("the test took longer than ", kTimeoutSeconds, " seconds under ", running));
}

// Kills a test that hangs. A signal, not a thread: a foreign thread would switch deadlock detection off.
class Watchdog {
 public:
  Watchdog() {
    signal(SIGALRM, &OnTimeout);
    alarm(kTimeoutSeconds);
  }
  ~Watchdog() { alarm(0); }
};

// Traces a run and judges the trace.
class TraceCheck {
 public:
  explicit TraceCheck(const Config& config) : config_(config) {
    const char* asked = std::getenv("GYRE_CHECK_TRACES");
    if (asked == nullptr || std::string(asked) != "1") return;
    if ((config.procs != 2 && config.procs != 4) || !config.trace.empty()) return;
    internal::LookUpLines(false);
    config_.trace = absl::StrCat(::testing::TempDir(), "/checked.", getpid(), ".", ++count_);
    checks_ = true;
  }
  ~TraceCheck() {
    if (checks_) std::remove(config_.trace.c_str());
  }
  const Config& config() const { return config_; }

  void Check() {
    if (!checks_) return;
    std::ifstream file(config_.trace, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    const absl::StatusOr<trace::Summary> summary = trace::CheckTraceBytes(text.str());
    ASSERT_TRUE(summary.ok()) << summary.status();
    EXPECT_GT(summary->starts, 0u);
    EXPECT_EQ(summary->ended, summary->goroutines);
    EXPECT_EQ(summary->parks, summary->readies);
  }

 private:
  static inline int count_ = 0;
  Config config_;
  bool checks_ = false;
};

std::vector<Config> WithProcs(Config config) {
  if (config.procs != 0) return {config};
  std::vector<Config> configs;
  for (int procs : kProcs) {
    config.procs = procs;
    configs.push_back(config);
  }
  return configs;
}

void Append(std::vector<Config>& all, const std::vector<Config>& more) {
  all.insert(all.end(), more.begin(), more.end());
}

}  // namespace

// Whether this build, with its sanitizer perhaps, can have them.
static bool StacksWorkHere(const std::string& spec) {
  const auto stacks = MakeStackAllocator(spec);
  return stacks.ok() && !absl::IsFailedPrecondition(stacks->plugin->Start(1, stacks->options));
}

std::vector<Config> SmallMatrix() {
  bool fixed;
  Config asked = Asked(&fixed);
  std::vector<Config> configs = WithProcs(asked);
  if (fixed) return configs;
  asked.engine = kSimulation;
  for (int procs : {1, 4}) {
    asked.procs = procs;
    configs.push_back(asked);
  }
  return configs;
}

std::vector<Config> Matrix() {
  bool fixed;
  const Config asked = Asked(&fixed);
  if (fixed) return WithProcs(asked);
  std::vector<Config> configs;
  for (const char* scheduler : {"gmp", "global"}) {
    for (const char* stack : {"contiguous", "fixed"}) {
      for (const char* preemption : {"none", "cooperative"}) {
        Config config = asked;
        config.scheduler = scheduler;
        config.stack = stack;
        config.preemption = preemption;
        Append(configs, WithProcs(config));
      }
    }
  }
  auto others = [&](PluginKind kind, std::string Config::*which, std::vector<std::string> known) {
    for (const PluginInfo& plugin : ListPlugins(kind)) {
      if (plugin.is_wrapper || std::find(known.begin(), known.end(), plugin.name) != known.end()) continue;
      for (int procs : {1, 4}) {
        Config config = asked;
        config.*which = plugin.name;
        config.procs = procs;
        if (kind == PluginKind::kStack && !StacksWorkHere(plugin.name)) continue;
        configs.push_back(config);
      }
    }
  };
  others(PluginKind::kScheduler, &Config::scheduler, {"gmp", "global"});
  others(PluginKind::kStack, &Config::stack, {"contiguous", "fixed"});
  others(PluginKind::kPreemption, &Config::preemption, {"none", "cooperative"});
  for (const PluginInfo& scheduler : ListPlugins(PluginKind::kScheduler)) {
    if (scheduler.is_wrapper) continue;
    for (int procs : {1, 4}) {
      Config config = asked;
      config.engine = kSimulation;
      config.scheduler = scheduler.name;
      config.procs = procs;
      configs.push_back(config);
    }
  }
  return configs;
}

std::vector<Config> OnThreads(std::vector<Config> configs) {
  std::erase_if(configs, [](const Config& config) { return config.engine.rfind(kSimulation, 0) == 0; });
  return configs;
}

void RunUnder(const std::vector<Config>& configs, const std::function<void()>& body) {
  for (const Config& config : configs) {
    SCOPED_TRACE(config.ToString());
    const bool failed_before = ::testing::Test::HasFailure();
    running = config.ToString();
    Watchdog watchdog;
    TraceCheck trace(config);
    absl::StatusOr<std::unique_ptr<Runtime>> runtime = Runtime::Create(trace.config());
    ASSERT_TRUE(runtime.ok()) << runtime.status();
    int64_t left = -1;
    const bool stopped = (*runtime)->Run([&] {
      body();
      Eventually([] { return NumGoroutine() == 1; });
      left = NumGoroutine();
    });
    EXPECT_TRUE(stopped) << "a goroutine computes on";
    EXPECT_EQ(left, 1) << "goroutines were left behind";
    trace.Check();
    if (!failed_before && ::testing::Test::HasFailure()) {
      ADD_FAILURE() << "first failure under " << config.ToString();
      return;
    }
  }
}

void RunWith(const std::string& text, const std::function<void()>& body) {
  Config config;
  const absl::Status status = config.Apply(text);
  ASSERT_TRUE(status.ok()) << status;
  RunUnder({config}, body);
}

bool Eventually(const std::function<bool()>& condition) {
  const Nanos give_up = NowNanos() + 10'000'000'000;
  for (int round = 0; NowNanos() < give_up; ++round) {
    if (condition()) return true;
    if (round < 100) {
      Yield();
    } else {
      Sleep(absl::Milliseconds(1));
    }
  }
  return condition();
}

}  // namespace gyre::testing
