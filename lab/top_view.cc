#include "lab/top_view.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "lab/numbers.h"

namespace gyre::lab {

namespace {

double Value(const Metrics& metrics, const std::string& name) {
  const auto place = metrics.find(name);
  return place != metrics.end() ? place->second : 0;
}

// What stands behind `key="` in a metric's labels.
std::string LabelOf(const std::string& metric, const std::string& key) {
  const std::string begin = key + "=\"";
  const size_t at = metric.find(begin);
  if (at == std::string::npos) return "";
  return metric.substr(at + begin.size(), metric.find('"', at + begin.size()) - at - begin.size());
}

// The counts of each bucket alone, between the readings, by upper end in seconds.
std::vector<std::pair<double, double>> Buckets(const Metrics& before, const Metrics& now) {
  const std::string prefix = "gyre_sched_latencies_seconds_bucket{";
  std::vector<std::pair<double, double>> buckets;
  for (const auto& [name, value] : now) {
    if (!absl::StartsWith(name, prefix)) continue;
    const std::string end = LabelOf(name, "le");
    double seconds = std::numeric_limits<double>::infinity();
    if (end != "+Inf" && !absl::SimpleAtod(end, &seconds)) continue;
    buckets.emplace_back(seconds, value - Value(before, name));
  }
  std::sort(buckets.begin(), buckets.end());
  for (size_t i = buckets.size(); i-- > 1;) buckets[i].second -= buckets[i - 1].second;
  return buckets;
}

std::string Time(double nanos) {
  if (nanos < 0) return "-";
  if (std::isinf(nanos)) return "more";
  return ShowFigure("time_ns", nanos);
}

}  // namespace

double LatencyQuantile(const Metrics& before, const Metrics& now, double quantile) {
  const auto buckets = Buckets(before, now);
  double total = 0;
  for (const auto& [end, count] : buckets) total += count;
  if (total <= 0) return -1;
  double sum = 0;
  for (const auto& [end, count] : buckets) {
    sum += count;
    if (sum >= quantile * total) return end * 1e9;
  }
  return -1;
}

std::string TopView(const std::string& title, const Metrics& before, const Metrics& now, double seconds) {
  const auto rate = [&](const std::string& name) {
    if (before.empty() || seconds <= 0) return std::string("-");
    return ShortCount(std::max(0.0, (Value(now, name) - Value(before, name)) / seconds));
  };
  const auto gauge = [&](const std::string& name) { return ShortCount(Value(now, name)); };
  std::string text = title + "\n\n";
  absl::StrAppend(&text, "goroutines  ", gauge("gyre_sched_goroutines_goroutines"), "   runnable ",
                  gauge("gyre_sched_goroutines_runnable_goroutines"), "   running ",
                  gauge("gyre_sched_goroutines_running_goroutines"), "   in calls ",
                  gauge("gyre_sched_goroutines_not_in_go_goroutines"), "   waiting ",
                  gauge("gyre_sched_goroutines_waiting_goroutines"), "\n");
  absl::StrAppend(&text, "processors  ", gauge("gyre_sched_gomaxprocs_threads"), "   idle ",
                  gauge("gyre_sched_idle_procs"), "   threads ", gauge("gyre_sched_threads_total_threads"));
  if (!before.empty() && seconds > 0) {
    const double cpu = Value(now, "process_cpu_seconds_total") - Value(before, "process_cpu_seconds_total");
    absl::StrAppendFormat(&text, "   CPU %.0f %%", 100 * cpu / seconds);
  }
  absl::StrAppendFormat(&text, "   memory %.1f MiB\n\n", Value(now, "process_resident_memory_bytes") / (1 << 20));

  absl::StrAppend(&text, "per second  made ", rate("gyre_sched_goroutines_created_goroutines_total"), "   switches ",
                  rate("gyre_sched_switches_total"), "   parks ", rate("gyre_sched_parks_total"), "   wake-ups ",
                  rate("gyre_sched_wakeups_total"), "   preemptions ", rate("gyre_sched_preemptions_total"), "\n");
  absl::StrAppend(&text, "stealing    steals ", rate("gyre_sched_steals_total"), "   stolen ",
                  rate("gyre_sched_stolen_goroutines_total"), "   overflows ", rate("gyre_sched_overflows_total"),
                  "   from shared queues ", rate("gyre_sched_shared_picks_total"), "\n");

  // The policy's own numbers: those of all processors, and those of each.
  std::string shared;
  std::map<int, std::string> of_procs;
  for (const auto& [name, value] : now) {
    if (!absl::StartsWith(name, "gyre_sched_policy{")) continue;
    const std::string number = absl::StrCat(" ", LabelOf(name, "name"), " ", ShortCount(value));
    int proc;
    absl::StrAppend(absl::SimpleAtoi(LabelOf(name, "proc"), &proc) ? &of_procs[proc] : &shared, " ", number);
  }
  absl::StrAppend(&text, "\nrun queues ", shared.empty() && of_procs.empty() ? " (the policy says nothing)" : shared,
                  "\n");
  for (const auto& [proc, numbers] : of_procs) absl::StrAppendFormat(&text, "  P%-8d%s\n", proc, numbers);

  const auto buckets = Buckets(before, now);
  absl::StrAppend(&text, "\nlatency from runnable to running",
                  buckets.empty()  ? ": times are not kept\n"
                  : before.empty() ? ", since the start\n"
                                   : "\n");
  if (buckets.empty()) return text;
  text += "          ";
  for (const auto& [name, quantile] :
       {std::pair("p50", 0.5), std::pair("p90", 0.9), std::pair("p99", 0.99), std::pair("p99.9", 0.999)}) {
    absl::StrAppend(&text, "  ", name, " < ", Time(LatencyQuantile(before, now, quantile)));
  }
  text += "\n";
  double most = 0;
  for (const auto& [end, count] : buckets) most = std::max(most, count);
  for (size_t i = 0; i < buckets.size(); ++i) {
    const auto& [end, count] = buckets[i];
    if (count <= 0) continue;
    const int stars = static_cast<int>(std::lround(40 * count / most));
    absl::StrAppendFormat(&text, "  < %-9s %-7s %s\n", Time(end * 1e9), ShortCount(count), std::string(stars, '#'));
  }
  return text;
}

}  // namespace gyre::lab
