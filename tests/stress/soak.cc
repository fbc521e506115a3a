// A soak: for a given time, one runtime after another, each with plug-ins, processors and activities chosen at random.
// What a runtime leaves behind (memory, threads, descriptors) is looked at after each; it must stay level.
//
//   bazel run -c opt //tests/stress:soak -- --seconds=3600 --seed=1
//
// Prints a line for each runtime (--verbose) and a table at the end. Exit code: 0; 1 if something was not level, 2 for
// wrong flags, a panic or a fatal error: a check of an activity, a deadlock, a runtime that does not end within two
// minutes (with all goroutines).
#include <dirent.h>
#include <malloc.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "absl/debugging/symbolize.h"
#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "gyre.h"
#include "plugins/registry.h"
#include "tests/model/seeds.h"
#include "tests/stress/activities.h"

ABSL_FLAG(int, seconds, 10, "how long");
ABSL_FLAG(uint64_t, seed, 0, "of the configurations and activities; 0: from the clock");
ABSL_FLAG(int, slice_ms, 300, "how long a runtime lives");
ABSL_FLAG(bool, verbose, false, "a line for each runtime");
ABSL_FLAG(std::string, only, "", "only activities with this in their name");

namespace gyre::stress {
namespace {

using testing::Random;

std::string doing;  // for the watchdog's message

void OnAlarm(int) {
  Fatal(absl::StrCat("soak: stuck under ", doing));
}

struct Level {
  int64_t memory = 0;  // bytes resident
  int threads = 0;
  int descriptors = 0;
};

int Entries(const char* folder) {
  DIR* dir = opendir(folder);
  if (dir == nullptr) return -1;
  int count = 0;
  while (const dirent* entry = readdir(dir)) count += entry->d_name[0] != '.';
  closedir(dir);
  return count;
}

Level Now() {
  malloc_trim(0);
  Level level;
  if (std::FILE* file = std::fopen("/proc/self/statm", "re")) {
    long long size = 0, resident = 0;
    if (std::fscanf(file, "%lld %lld", &size, &resident) == 2) level.memory = resident * sysconf(_SC_PAGESIZE);
    std::fclose(file);
  }
  // A runtime's threads have left it when Run returns, but are not gone yet.
  for (int i = 0; i < 5000 && (level.threads = Entries("/proc/self/task")) > 1; ++i) usleep(1000);
  level.descriptors = Entries("/proc/self/fd");
  return level;
}

std::vector<std::string> Names(PluginKind kind) {
  std::vector<std::string> names;
  for (const PluginInfo& info : ListPlugins(kind)) {
    if (!info.is_wrapper) names.push_back(info.name);
  }
  return names;
}

template <typename T>
const T& AnyOf(const std::vector<T>& all, Random& random) {
  return all[random.Below(static_cast<int>(all.size()))];
}

// A configuration that can start; others (stacks that a strategy does not work on) are drawn again.
std::unique_ptr<Runtime> AnyRuntime(Random& random) {
  static const std::vector<std::string> schedulers = Names(PluginKind::kScheduler), stacks = Names(PluginKind::kStack),
                                        preemptions = Names(PluginKind::kPreemption);
  for (;;) {
    Config config;
    config.scheduler = AnyOf(schedulers, random);
    config.stack = AnyOf(stacks, random);
    config.preemption = AnyOf(preemptions, random);
    if (config.preemption != "none" && random.OneIn(2)) config.preemption += ":quantum=200us";
    config.procs = 1 + random.Below(random.OneIn(4) ? 12 : 4);
    config.seed = random.Next();
    if (auto runtime = Runtime::Create(config); runtime.ok()) return std::move(*runtime);
  }
}

int Soak() {
  const Nanos end = absl::ToUnixNanos(absl::Now()) + int64_t{absl::GetFlag(FLAGS_seconds)} * 1'000'000'000;
  uint64_t seed = absl::GetFlag(FLAGS_seed);
  if (seed == 0) seed = static_cast<uint64_t>(absl::ToUnixNanos(absl::Now())) % 1'000'000;
  std::printf("soak: seed %llu\n", static_cast<unsigned long long>(seed));
  Random random(seed);
  std::vector<Activity> activities;
  for (const Activity& a : AllActivities()) {
    if (absl::StrContains(a.name, absl::GetFlag(FLAGS_only))) activities.push_back(a);
  }
  if (activities.empty()) {
    std::fprintf(stderr, "soak: --only=%s names no activity; there are:", absl::GetFlag(FLAGS_only).c_str());
    for (const Activity& a : AllActivities()) std::fprintf(stderr, " \"%s\"", a.name);
    std::fprintf(stderr, "\n");
    return 2;
  }
  std::vector<std::atomic<int64_t>> operations(activities.size());
  std::vector<Level> levels;
  int runtimes = 0;
  while (absl::ToUnixNanos(absl::Now()) < end) {
    std::unique_ptr<Runtime> runtime = AnyRuntime(random);
    doing = runtime->config().ToString();
    alarm(120);
    std::vector<size_t> chosen;
    for (int i = 1 + random.Below(4); i > 0; --i) {
      chosen.push_back(static_cast<size_t>(random.Below(static_cast<int>(activities.size()))));
      absl::StrAppend(&doing, i == 0 ? "" : ", ", activities[chosen.back()].name);
    }
    std::atomic<bool> stop{false};
    const bool stopped = runtime->Run([&] {
      WaitGroup wg;
      for (size_t which : chosen) {
        wg.Go([&, which, activity_seed = random.Next()] {
          activities[which].run(activity_seed, stop, operations[which]);
        });
      }
      Sleep(absl::Milliseconds(absl::GetFlag(FLAGS_slice_ms)));
      stop = true;
      wg.Wait();
      for (int i = 0; i < 10000 && NumGoroutine() != 1; ++i) Sleep(absl::Milliseconds(1));
      if (NumGoroutine() != 1) Panic(absl::StrCat("soak: goroutines are left behind under ", doing));
    });
    if (!stopped) Fatal(absl::StrCat("soak: a goroutine computes on under ", doing));
    runtime.reset();
    ++runtimes;
    levels.push_back(Now());
    if (absl::GetFlag(FLAGS_verbose)) {
      std::printf("%s: %lld KiB, %d threads, %d descriptors\n", doing.c_str(),
                  static_cast<long long>(levels.back().memory / 1024), levels.back().threads,
                  levels.back().descriptors);
      std::fflush(stdout);
    }
  }
  alarm(0);

  int64_t all = 0;
  std::printf("%d runtimes, %d s\n", runtimes, absl::GetFlag(FLAGS_seconds));
  for (size_t i = 0; i < activities.size(); ++i) {
    std::printf("  %-20s %14s operations\n", activities[i].name, absl::StrCat(operations[i].load()).c_str());
    all += operations[i];
  }
  std::printf("  %-20s %14s operations\n", "all", absl::StrCat(all).c_str());
  // The most of the first and of the last third.
  const auto most = [&](size_t from, size_t to, auto field) {
    int64_t result = 0;
    for (size_t i = from; i < to; ++i) result = std::max<int64_t>(result, levels[i].*field);
    return result;
  };
  const size_t n = levels.size(), third = std::max<size_t>(n / 3, 1);
  int failures = 0;
  const auto level = [&](const char* what, auto field, int64_t unit, int64_t slack) {
    const int64_t first = most(0, third, field), last = most(n - third, n, field);
    const bool holds = last <= first + first / 4 + slack;
    failures += !holds;
    std::printf("  most %-12s at first %8s, at last %8s%s\n", what, absl::StrCat(first / unit).c_str(),
                absl::StrCat(last / unit).c_str(), holds ? "" : ": NOT LEVEL");
  };
  level("KiB", &Level::memory, 1024, int64_t{32} << 20);
  level("threads", &Level::threads, 1, 4);
  level("descriptors", &Level::descriptors, 1, 2);
  return failures == 0 ? 0 : 1;
}

}  // namespace
}  // namespace gyre::stress

int main(int argc, char** argv) {
  absl::InitializeSymbolizer(argv[0]);
  absl::ParseCommandLine(argc, argv);
  signal(SIGALRM, &gyre::stress::OnAlarm);
  return gyre::stress::Soak();
}
