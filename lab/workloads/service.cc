// service: requests arrive at random times, whether or not the ones before have been served (an open loop, Poisson
// arrivals), and each is a goroutine that computes for its service time. It measures what a scheduling policy is judged
// by: the sojourn time (from the moment that a request was due, so that a generator that is late hides nothing) and the
// slowdown (sojourn / service).
//
// On real threads the requests are sent by a kernel thread of its own, which sleeps between distant arrivals and spins
// before near ones; it needs a share of a core. In the simulator a goroutine sends them. Requests that could not be
// sent in time are counted.
#include <time.h>

#include <sys/prctl.h>
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gyre.h"
#include "lab/distribution.h"
#include "lab/numbers.h"
#include "lab/workload.h"

namespace gyre::lab {

namespace {

struct Request {
  Nanos due;
  Nanos service;
  Nanos sent = 0;
  Nanos done = 0;
};

// What is asked for, worked out.
struct Plan {
  double per_second;
  int64_t requests;
  ServiceTimes times;
};

absl::StatusOr<Plan> MakePlan(const PluginOptions& parameters, int procs) {
  absl::StatusOr<ServiceTimes> times = ServiceTimes::Make(
      parameters.Choice("distribution"), static_cast<double>(parameters.Duration("mean")), parameters.Double("sigma"));
  if (!times.ok()) return times.status();
  const double load = parameters.Double("load"), rate = parameters.Double("rate"),
               seconds = parameters.Double("seconds");
  const double per_second = rate > 0 ? rate : load * procs * 1e9 / times->Mean();
  double requests = static_cast<double>(parameters.Int("requests"));
  if (requests == 0) requests = std::max(1.0, std::floor(per_second * seconds));
  constexpr double kMost = 100'000'000;
  if (requests > kMost) {
    return absl::InvalidArgumentError(absl::StrCat("these would be ", ShortCount(requests), " requests; at most ",
                                                   ShortCount(kMost), " can be kept: ask for fewer seconds"));
  }
  return Plan{per_second, static_cast<int64_t>(requests), *std::move(times)};
}

void WaitAsThread(Nanos until) {
  constexpr Nanos kSpin = 20'000;  // less than what a thread needs to fall asleep and wake up again
  Nanos left = until - NowNanos();
  if (left > kSpin) {
    left -= kSpin / 2;
    const timespec nap{left / 1'000'000'000, left % 1'000'000'000};
    nanosleep(&nap, nullptr);
  }
  while (NowNanos() < until) {
  }
}

void WaitAsGoroutine(Nanos until) {
  for (Nanos left; (left = until - NowNanos()) > 0;) Sleep(absl::Nanoseconds(left));
}

// Sends each request when it is due, or as soon after that as it can. Returns how many were sent: all, unless there was
// no memory for a goroutine.
template <typename Wait, typename Start>
size_t SendAll(std::vector<Request>& requests, WaitGroup& served, Wait wait_until, Start start) {
  for (size_t i = 0; i < requests.size(); ++i) {
    Request& request = requests[i];
    wait_until(request.due);
    request.sent = NowNanos();
    try {
      start([&request, &served] {
        Work(absl::Nanoseconds(request.service));
        request.done = NowNanos();
        served.Done();
      });
    } catch (const PanicError&) {
      return i;
    }
  }
  return requests.size();
}

// Returns how many requests were sent, after all of those have been served.
size_t Serve(Runtime& runtime, std::vector<Request>& requests, bool from_thread) {
  WaitGroup served;
  served.Add(static_cast<int32_t>(requests.size()));
  std::atomic<size_t> sent{0};
  const auto send = [&](auto wait_until, auto start) {
    sent = SendAll(requests, served, wait_until, start);
    served.Add(-static_cast<int32_t>(requests.size() - sent));
  };
  if (!from_thread) {
    send(&WaitAsGoroutine, [](auto&& serve) { Go({.name = "request"}, serve); });
    served.Wait();
    return sent;
  }
  std::thread generator([&] {
    prctl(PR_SET_TIMERSLACK, 1);  // nanoseconds by which the kernel may let it oversleep
    send(&WaitAsThread, [&](auto&& serve) { runtime.Go({.name = "request"}, serve); });
  });
  served.Wait();
  generator.join();
  return sent;
}

// mean, p50, p90, p99, p99.9 and max of what was measured for each request.
void AddPercentiles(const std::string& name, const std::string& unit, std::vector<double> values,
                    std::vector<Figure>* figures) {
  std::sort(values.begin(), values.end());
  double sum = 0;
  for (double value : values) sum += value;
  const auto add = [&](const char* which, double value) {
    figures->push_back({absl::StrCat(name, "_", which, unit), value});
  };
  add("mean", sum / static_cast<double>(values.size()));
  add("p50", PercentileOf(values, 50));
  add("p90", PercentileOf(values, 90));
  add("p99", PercentileOf(values, 99));
  add("p999", PercentileOf(values, 99.9));
  add("max", values.back());
}

absl::StatusOr<Report> Run(WorkloadContext& context) {
  const PluginOptions& parameters = context.parameters;
  const absl::StatusOr<Plan> plan = MakePlan(parameters, context.runtime.procs());
  if (!plan.ok()) return plan.status();
  const std::string& generator = parameters.Choice("generator");
  const bool real_time = absl::StartsWith(context.runtime.config().engine, "threads");
  if (generator == "thread" && !real_time) {
    return absl::InvalidArgumentError(
        "generator=thread: in the simulator time is virtual, and a kernel thread has another; use generator=goroutine");
  }
  const bool from_thread = generator == "thread" || (generator == "auto" && real_time);

  PoissonArrivals arrivals(plan->per_second, Random(context.seed, 1));
  Random services(context.seed, 2);
  std::vector<Request> requests(static_cast<size_t>(plan->requests));
  for (Request& request : requests) {
    request.due = static_cast<Nanos>(arrivals.Next());
    request.service = std::max<Nanos>(1, static_cast<Nanos>(plan->times.Sample(services)));
  }
  constexpr Nanos kPrepare = 2'000'000;  // for the generator's thread to be there when the first is due
  const Nanos begin = NowNanos() + kPrepare;
  for (Request& request : requests) request.due += begin;

  context.meter.Start();
  const size_t sent = Serve(context.runtime, requests, from_thread);
  context.meter.Stop();
  if (sent < requests.size()) {
    return absl::ResourceExhaustedError(
        absl::StrCat("there was no memory for a goroutine after ", sent, " of ", requests.size(), " requests"));
  }

  const Nanos tolerance = parameters.Duration("tolerance");
  int64_t complete = 0, late = 0;
  Nanos latest = 0, end = 0;
  std::vector<double> sojourns, slowdowns;
  for (const Request& request : requests) {
    if (request.done - request.sent >= request.service) ++complete;
    if (request.sent - request.due > tolerance) ++late;
    latest = std::max(latest, request.sent - request.due);
    end = std::max(end, request.done);
    sojourns.push_back(static_cast<double>(request.done - request.due));
    slowdowns.push_back(sojourns.back() / static_cast<double>(request.service));
  }
  Report report{
      .answer = absl::StrCat(complete, " requests served"),
      .expected = absl::StrCat(plan->requests, " requests served"),
      .operations = plan->requests,
      .operation = "request",
      .figures = {{"offered_per_s", plan->per_second},
                  {"throughput_per_s", static_cast<double>(plan->requests) * 1e9 / static_cast<double>(end - begin)},
                  {"late_requests", static_cast<double>(late)},
                  {"lateness_max_ns", static_cast<double>(latest)}}};
  AddPercentiles("sojourn", "_ns", std::move(sojourns), &report.figures);
  AddPercentiles("slowdown", "", std::move(slowdowns), &report.figures);
  return report;
}

const bool registered = RegisterWorkload({
    .name = "service",
    .help = "an open loop of requests with Poisson arrivals, each a goroutine that computes for its service time",
    .parameters = {ChoiceOption("distribution", ServiceTimes::Names(), "exponential", "of the service times"),
                   DurationOption("mean", "100us", 1, 3'600'000'000'000,
                                  "mean service time of fixed, exponential and lognormal"),
                   DoubleOption("sigma", 1, 0, 10, "of lognormal: the standard deviation of the logarithm"),
                   DoubleOption("load", 0.5, 0.001, 100,
                                "requests offered, as a part of what the processors can serve"),
                   DoubleOption("rate", 0, 0, 1e9, "requests a second; 0: as the load says"),
                   DoubleOption("seconds", 1, 0.001, 86400, "how long requests arrive"),
                   IntOption("requests", 0, 0, 100'000'000, "how many requests arrive; 0: as many as in these seconds"),
                   ChoiceOption("generator", {"auto", "thread", "goroutine"}, "auto",
                                "who sends them; auto: a kernel thread on the threads engine, else a goroutine"),
                   DurationOption("tolerance", "50us", 0, 3'600'000'000'000,
                                  "a request that is sent later than this counts as late")},
    .compare = {{"seconds", "2"}},
    .columns = {{"served/s", "throughput_per_s"},
                {"late", "late_requests"},
                {"p50", "sojourn_p50_ns"},
                {"p99", "sojourn_p99_ns"},
                {"p99.9", "sojourn_p999_ns"},
                {"slowdown p50", "slowdown_p50"},
                {"p99", "slowdown_p99"},
                {"p99.9", "slowdown_p999"}},
    .check = [](const PluginOptions& parameters) { return MakePlan(parameters, 1).status(); },
    .run = Run,
});

}  // namespace

}  // namespace gyre::lab
