#include "runtime/debug/metrics.h"

#include <sys/resource.h>
#include <unistd.h>

#include <cmath>
#include <fstream>
#include <map>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "runtime/core.h"
#include "runtime/live_cores.h"
#include "runtime/no_preempt.h"

namespace gyre::internal {

namespace {

// Prometheus' text exposition format.
class Exposition {
 public:
  void Head(const std::string& name, const char* type, const char* help) {
    absl::StrAppend(&text_, "# HELP ", name, " ", help, "\n# TYPE ", name, " ", type, "\n");
  }
  template <typename T>
  void Line(const std::string& name, T value) {
    absl::StrAppend(&text_, name, " ", value, "\n");
  }
  template <typename T>
  void One(const std::string& name, const char* type, const char* help, T value) {
    Head(name, type, help);
    Line(name, value);
  }
  std::string text() && { return std::move(text_); }

 private:
  std::string text_;
};

struct Totals {
  std::map<std::string, int64_t> states;  // by name
  uint64_t latencies[LatencyCounts::kBuckets] = {};
  uint64_t latency_sum = 0;
  int procs = 0;
  int idle = 0;
  int machines = 0;
  bool timed = false;
  RuntimeStats stats;
};

// A policy's own numbers, under a name that Prometheus allows.
class PolicyNumbers final : public StateWriter {
 public:
  explicit PolicyNumbers(std::map<std::string, int64_t>* numbers) : numbers_(numbers) {}
  void Number(absl::string_view name, int64_t value) override {
    (*numbers_)[absl::StrCat("{name=\"", Clean(name), "\"}")] += value;
  }
  void ProcNumber(ProcId proc, absl::string_view name, int64_t value) override {
    (*numbers_)[absl::StrCat("{proc=\"", proc, "\",name=\"", Clean(name), "\"}")] += value;
  }

 private:
  static std::string Clean(absl::string_view name) {
    std::string clean(name);
    for (char& c : clean) {
      if (c == '"' || c == '\\' || c == '\n') c = '_';
    }
    return clean;
  }
  std::map<std::string, int64_t>* numbers_;
};

const char* MetricState(GState state) {
  switch (state) {
    case GState::kRunnable:
    case GState::kPreempted:
      return "runnable";
    case GState::kRunning:
    case GState::kCopyStack:
      return "running";
    case GState::kSyscall:
      return "not_in_go";  // Go's word for it
    default:
      return "waiting";
  }
}

void Collect(Core* core, Totals* all, std::map<std::string, int64_t>* policy) {
  const RuntimeStats stats = core->Stats();
  all->stats.spawned += stats.spawned;
  all->stats.exited += stats.exited;
  all->stats.switches += stats.switches;
  all->stats.parks += stats.parks;
  all->stats.readies += stats.readies;
  all->stats.wakeups += stats.wakeups;
  all->stats.preemptions += stats.preemptions;
  all->stats.policy.steals += stats.policy.steals;
  all->stats.policy.stolen += stats.policy.stolen;
  all->stats.policy.overflows += stats.policy.overflows;
  all->stats.policy.shared_picks += stats.policy.shared_picks;
  all->stats.stacks.live += stats.stacks.live;
  all->stats.stacks.cached += stats.stacks.cached;
  all->stats.stacks.grown += stats.stacks.grown;
  all->stats.stacks.shrunk += stats.stacks.shrunk;
  all->stats.stacks.reserved_bytes += stats.stacks.reserved_bytes;
  all->procs += core->proc_count();
  all->idle += core->IdleProcs();
  all->machines += core->machines_alive();
  all->timed |= core->timed();
  for (ProcId id = 0; id < core->proc_count(); ++id) {
    const LatencyCounts& latencies = core->proc(id).latencies;
    for (int i = 0; i < LatencyCounts::kBuckets; ++i) all->latencies[i] += latencies.Count(i);
    all->latency_sum += latencies.Sum();
  }
  core->ForEachGoroutine([&](G* g) { ++all->states[MetricState(g->state.load(std::memory_order_relaxed))]; });
  PolicyNumbers numbers(policy);
  core->policy().DumpState(numbers);
}

void Latencies(Exposition& out, const Totals& all) {
  const std::string name = "gyre_sched_latencies_seconds";
  out.Head(name, "histogram", "How long goroutines were runnable before they ran.");
  uint64_t sum = 0;
  for (int i = 0; i < LatencyCounts::kBuckets - 1; ++i) {
    sum += all.latencies[i];
    out.Line(absl::StrFormat("%s_bucket{le=\"%.9g\"}", name, std::ldexp(1e-9, i)), sum);
  }
  sum += all.latencies[LatencyCounts::kBuckets - 1];
  out.Line(name + "_bucket{le=\"+Inf\"}", sum);
  out.Line(name + "_sum", static_cast<double>(all.latency_sum) * 1e-9);
  out.Line(name + "_count", sum);
}

void Process(Exposition& out) {
  rusage usage;
  if (getrusage(RUSAGE_SELF, &usage) == 0) {
    const auto seconds = [](const timeval& t) {
      return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
    };
    out.One("process_cpu_seconds_total", "counter", "CPU time, of the user and the system.",
            seconds(usage.ru_utime) + seconds(usage.ru_stime));
  }
  std::ifstream statm("/proc/self/statm");
  uint64_t pages = 0, resident = 0;
  if (statm >> pages >> resident) {
    out.One("process_resident_memory_bytes", "gauge", "Resident memory.",
            resident * static_cast<uint64_t>(sysconf(_SC_PAGESIZE)));
  }
}

}  // namespace

std::string MetricsText() {
  Totals all;
  all.states = {{"runnable", 0}, {"running", 0}, {"not_in_go", 0}, {"waiting", 0}};
  std::map<std::string, int64_t> policy;
  {
    NoPreempt off;
    ForEachLiveCore([&](Core* core) { Collect(core, &all, &policy); });
  }
  Exposition out;
  int64_t live = 0;
  for (const auto& [state, count] : all.states) live += count;
  out.One("gyre_sched_goroutines_goroutines", "gauge", "Goroutines that exist.", live);
  for (const auto& [state, count] : all.states) {
    const std::string name = absl::StrCat("gyre_sched_goroutines_", state, "_goroutines");
    out.One(name, "gauge", "Goroutines in this state.", count);
  }
  out.One("gyre_sched_goroutines_created_goroutines_total", "counter", "Goroutines made.", all.stats.spawned);
  out.One("gyre_sched_gomaxprocs_threads", "gauge", "Processors.", all.procs);
  out.One("gyre_sched_idle_procs", "gauge", "Processors that sleep.", all.idle);
  out.One("gyre_sched_threads_total_threads", "gauge", "Machines: kernel threads that run goroutines, or may.",
          all.machines);
  if (all.timed) Latencies(out, all);
  out.One("gyre_sched_switches_total", "counter", "Times that a goroutine was given a processor.", all.stats.switches);
  out.One("gyre_sched_parks_total", "counter", "Times that a goroutine began to wait.", all.stats.parks);
  out.One("gyre_sched_readies_total", "counter", "Times that one was made runnable again.", all.stats.readies);
  out.One("gyre_sched_wakeups_total", "counter", "Times that a sleeping processor was woken for work.",
          all.stats.wakeups);
  out.One("gyre_sched_preemptions_total", "counter", "Slices that the monitor ended.", all.stats.preemptions);
  out.One("gyre_sched_steals_total", "counter", "Searches that took work from another processor.",
          all.stats.policy.steals);
  out.One("gyre_sched_stolen_goroutines_total", "counter", "Goroutines that moved so.", all.stats.policy.stolen);
  out.One("gyre_sched_overflows_total", "counter", "Times that a full local queue spilled.",
          all.stats.policy.overflows);
  out.One("gyre_sched_shared_picks_total", "counter", "Goroutines that came from a queue shared by all.",
          all.stats.policy.shared_picks);
  out.Head("gyre_sched_policy", "gauge", "The policy's view of itself: queue lengths, mostly.");
  for (const auto& [labels, value] : policy) out.Line("gyre_sched_policy" + labels, value);
  out.One("gyre_stacks_live", "gauge", "Stacks handed out.", all.stats.stacks.live);
  out.One("gyre_stacks_cached", "gauge", "Stacks ready to be handed out.", all.stats.stacks.cached);
  out.One("gyre_stacks_grown_total", "counter", "Times that a stack was enlarged.", all.stats.stacks.grown);
  out.One("gyre_stacks_shrunk_total", "counter", "Times that one was made smaller.", all.stats.stacks.shrunk);
  out.One("gyre_stacks_reserved_bytes", "gauge", "Address space of all stacks.", all.stats.stacks.reserved_bytes);
  Process(out);
  return std::move(out).text();
}

}  // namespace gyre::internal
