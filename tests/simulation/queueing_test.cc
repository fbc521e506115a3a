// The simulator against queueing theory: mean sojourn times of M/M/1, M/M/k and M/G/1 with processor sharing, with all
// modelled costs zero, within 2 % of the exact values. Each case has one seed and is the same run each time.
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "runtime/go.h"
#include "runtime/simulation/simulate.h"
#include "runtime/timer.h"
#include "sync/wait_group.h"

namespace gyre {
namespace {

constexpr const char kFree[] =
    "simulation:switch=0ns,steal=0ns,notify=0ns,wake=0ns,call=0ns,preempt=0ns,syscall=0ns,relax=0ns,monitor=0ns";
constexpr double kTolerance = 0.02;
constexpr Nanos kQuantum = 50'000;

enum class Service { kExponential, kDeterministic, kHyperexponential };

struct Queue {
  const char* name;
  int servers = 1;
  double load = 0;
  Service service = Service::kExponential;
  double mean = 0;  // of the service times, in nanoseconds
  int jobs = 0;
  std::string scheduler = "global";
  std::string preemption = "none";
  uint32_t seed = 1;
};

// A job that arrives: its timer starts a goroutine that computes for its service time.
struct Job : internal::Timer {
  Job() : Timer(&Arrive) {}
  static void Arrive(Timer* timer, Nanos) {
    auto* job = static_cast<Job*>(timer);
    Go([job] {
      Work(absl::Nanoseconds(job->service));
      job->left = NowNanos();
      job->jobs->Done();
    });
  }
  Nanos arrival = 0;
  Nanos service = 0;
  Nanos left = 0;
  WaitGroup* jobs = nullptr;
};

// The mean time in the system, in mean service times.
double MeanSojourn(const Queue& queue) {
  std::mt19937_64 random(queue.seed);
  auto uniform = [&] { return std::generate_canonical<double, 53>(random); };
  auto exponential = [&](double mean) { return -std::log1p(-uniform()) * mean; };
  std::vector<double> gaps(queue.jobs), services(queue.jobs);
  double all_gaps = 0, all_services = 0;
  for (int i = 0; i < queue.jobs; ++i) {
    gaps[i] = exponential(1);
    switch (queue.service) {
      case Service::kExponential:
        services[i] = exponential(1);
        break;
      case Service::kDeterministic:
        services[i] = 1;
        break;
      case Service::kHyperexponential:
        services[i] = uniform() < 0.2 ? exponential(3) : exponential(0.5);
        break;
    }
    all_gaps += gaps[i];
    all_services += services[i];
  }
  // The sample has exactly the load that the formula is given: most of the sampling error comes from there.
  const double gap_unit = queue.mean / (queue.load * queue.servers) * queue.jobs / all_gaps;
  const double service_unit = queue.mean * queue.jobs / all_services;

  Config config;
  config.engine = kFree;
  config.procs = queue.servers;
  config.scheduler = queue.scheduler;
  config.preemption = queue.preemption;
  double sojourns = 0;
  const SimulationResult result = Simulate({config}, [&] {
    auto jobs = std::make_unique<Job[]>(queue.jobs);
    WaitGroup running;
    running.Add(queue.jobs);
    double at = 0;
    for (int i = 0; i < queue.jobs; ++i) {
      at += gaps[i] * gap_unit;
      jobs[i].arrival = static_cast<Nanos>(at);
      jobs[i].service = static_cast<Nanos>(services[i] * service_unit);
      jobs[i].jobs = &running;
      jobs[i].Start(jobs[i].arrival);
    }
    running.Wait();
    for (int i = 0; i < queue.jobs; ++i) sojourns += static_cast<double>(jobs[i].left - jobs[i].arrival);
  });
  EXPECT_EQ(result.failure, "");
  return sojourns / queue.jobs / queue.mean;
}

// Erlang's C: the probability of waiting in M/M/k.
double ErlangC(int k, double load) {
  const double offered = k * load;
  double term = 1, sum = 0;
  for (int i = 0; i < k; ++i) {
    sum += term;
    term *= offered / (i + 1);
  }
  const double waiting = term / (1 - load);
  return waiting / (sum + waiting);
}

class Queueing : public ::testing::TestWithParam<Queue> {};

TEST_P(Queueing, MeanSojournIsExact) {
  const Queue& queue = GetParam();
  // M/G/1 with processor sharing has the mean of M/M/1, whatever the distribution.
  const double exact = queue.servers == 1 ? 1 / (1 - queue.load)
                                          : 1 + ErlangC(queue.servers, queue.load) / (queue.servers * (1 - queue.load));
  const double measured = MeanSojourn(queue);
  RecordProperty("exact", std::to_string(exact));
  RecordProperty("measured", std::to_string(measured));
  EXPECT_NEAR(measured / exact, 1, kTolerance) << "measured " << measured << ", exact " << exact;
}

constexpr double kService = 100'000;

INSTANTIATE_TEST_SUITE_P(FirstComeFirstServed, Queueing,
                         ::testing::Values(Queue{"MM1", 1, 0.3, Service::kExponential, kService, 200'000},
                                           Queue{"MM1", 1, 0.6, Service::kExponential, kService, 400'000},
                                           Queue{"MM1", 1, 0.9, Service::kExponential, kService, 2'000'000},
                                           Queue{"MMk", 4, 0.3, Service::kExponential, kService, 200'000},
                                           Queue{"MMk", 4, 0.6, Service::kExponential, kService, 400'000},
                                           Queue{"MMk", 4, 0.9, Service::kExponential, kService, 1'000'000},
                                           Queue{"MMk", 16, 0.9, Service::kExponential, kService, 1'000'000}),
                         [](const auto& info) {
                           return std::string(info.param.name) + std::to_string(info.param.servers) + "At" +
                                  std::to_string(static_cast<int>(info.param.load * 100));
                         });

// `slices` make up a mean service: sharing in turns has an error of the order of their inverse.
Queue Sharing(const char* name, Service service, double load, int jobs, int slices) {
  return {name, 1, load, service, slices * static_cast<double>(kQuantum), jobs, "global", "cooperative:quantum=50us",
          1};
}

INSTANTIATE_TEST_SUITE_P(ProcessorSharing, Queueing,
                         ::testing::Values(Sharing("Deterministic", Service::kDeterministic, 0.3, 100'000, 100),
                                           Sharing("Deterministic", Service::kDeterministic, 0.6, 100'000, 100),
                                           Sharing("Deterministic", Service::kDeterministic, 0.9, 500'000, 100),
                                           Sharing("Hyperexponential", Service::kHyperexponential, 0.3, 100'000, 50),
                                           Sharing("Hyperexponential", Service::kHyperexponential, 0.6, 200'000, 50),
                                           Sharing("Hyperexponential", Service::kHyperexponential, 0.9, 300'000, 50)),
                         [](const auto& info) {
                           return std::string(info.param.name) + "At" +
                                  std::to_string(static_cast<int>(info.param.load * 100));
                         });

}  // namespace
}  // namespace gyre
