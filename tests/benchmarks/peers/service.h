// What the C++ peers share of the `service` row: the arrivals, the work, the
// figures. A peer sends each request at its time, in a task of its own.

#ifndef GYRE_TESTS_BENCHMARKS_PEERS_SERVICE_H_
#define GYRE_TESTS_BENCHMARKS_PEERS_SERVICE_H_

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "peer.h"

namespace peers {

// A two-point distribution of service times in microseconds.
struct Mix {
  double short_us, long_us, long_share;
};

inline Mix FindMix(const std::string& name) {
  if (name == "issue8") return {5, 1000, 0.005};
  if (name == "extreme-bimodal") return {0.5, 500, 0.005};
  if (name == "high-bimodal") return {1, 100, 0.5};
  Exit(2,
       "no --dist \"%s\"; there are issue8, extreme-bimodal and high-bimodal",
       name.c_str());
}

struct Request {
  double at_us, service_us;
  double sojourn_us = 0;
  uint64_t answer = 0;
};

inline std::vector<Request> Schedule(const Options& options) {
  const Mix mix = FindMix(options.dist);
  const double mean =
      mix.short_us * (1 - mix.long_share) + mix.long_us * mix.long_share;
  const double gap = mean / (options.load * options.threads);
  Random random(1);
  std::vector<Request> requests;
  for (double at = 0;;) {
    at -= std::log(random.Unit()) * gap;
    if (at >= 10e6 * options.scale && !requests.empty()) return requests;
    const bool is_long = random.Unit() <= mix.long_share;
    requests.push_back({at, is_long ? mix.long_us : mix.short_us});
  }
}

// The steps of Lcg that an undisturbed microsecond holds. Service is counted
// in steps, not read off a clock, so that a preempted request still owes its
// work.
inline double Calibrate() {
  constexpr int kSteps = 100000;
  double best = std::numeric_limits<double>::infinity();
  uint64_t x = 0;
  for (int i = 0; i < 100; ++i) {
    const auto start = Clock::now();
    x = Lcg(x, kSteps);
    asm volatile("" : "+r"(x));
    best = std::min(best, SecondsSince(start) * 1e6);
  }
  return kSteps / best;
}

// A request's work.
inline uint64_t Serve(const Request& request, double per_us) {
  return Lcg(static_cast<uint64_t>(request.at_us),
             static_cast<uint64_t>(request.service_us * per_us));
}

// Checks that all were served, and sums up.
inline Result ServiceResult(const Options& options,
                            const std::vector<Request>& requests, double per_us,
                            int sent_late) {
  const int n = requests.size();
  std::vector<double> sojourns, slowdowns;
  for (int i = 0; i < n; ++i) {
    const Request& request = requests[i];
    if (request.sojourn_us <= 0) Exit(1, "request %d was not served", i);
    if (i % 1000 == 0) {
      Check("a request's answer", request.answer, Serve(request, per_us));
    }
    sojourns.push_back(request.sojourn_us);
    slowdowns.push_back(request.sojourn_us / request.service_us);
  }
  return {"sojourn_p50_us",
          Percentile(sojourns, 0.5),
          {{"sojourn_p99_us", Percentile(sojourns, 0.99)},
           {"sojourn_p999_us", Percentile(sojourns, 0.999)},
           {"slowdown_p50", Percentile(slowdowns, 0.5)},
           {"slowdown_p99", Percentile(slowdowns, 0.99)},
           {"slowdown_p999", Percentile(slowdowns, 0.999)},
           {"requests", n},
           {"load", options.load},
           {"sent_late", sent_late},
           {"steps_per_us", per_us}}};
}

}  // namespace peers

#endif  // GYRE_TESTS_BENCHMARKS_PEERS_SERVICE_H_
