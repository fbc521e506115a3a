// Rows about what preemption and blocking calls take from those who compute. The peers have none like them.
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <vector>

#include "plugins/registry.h"
#include "tests/benchmarks/rows/rows.h"

namespace gyre::rows {

// Eight tasks that compute, each as much: how long it takes, and how often they were preempted.
Result Compute(const Options& options) {
  constexpr uint64_t kSteps = 1000;
  const int n = peers::Scaled(options, 1000000);
  double ms = 0, preemptions = 0;
  std::atomic<uint64_t> sum{0};
  Run([&] {
    WaitGroup group;
    const auto start = Clock::now();
    for (uint64_t task = 0; task < 8; ++task) {
      group.Go([&, task] {
        uint64_t x = task;
        for (int i = 0; i < n / 8; ++i) x = peers::Lcg(x, kSteps);
        sum += x;
      });
    }
    group.Wait();
    ms = peers::SecondsSince(start) * 1e3;
    preemptions = static_cast<double>(CurrentStats().preemptions);
  });
  uint64_t expected = 0;
  for (uint64_t task = 0; task < 8; ++task) {
    uint64_t x = task;
    if (options.scale <= 0.01) {
      for (int i = 0; i < n / 8; ++i) x = peers::Lcg(x, kSteps);
      expected += x;
    }
  }
  if (options.scale <= 0.01) peers::Check("sum", sum, expected);
  return {"ms", ms, {{"preemptions", preemptions}}};
}

// 200 tasks in a blocking call of 100 ms each, beside one that computes: how long they take, and the share of a processor that
// the computing one has meanwhile, by the steps it does.
Result Blocked(const Options& options) {
  const auto preemption = MakePreemption(ChosenConfig().preemption);
  if (options.threads == 1 && (!preemption.ok() || !preemption->plugin->traits().asynchronous)) {
    peers::Exit(2, "row blocked: beside a task that never yields one thread is enough only under --preemption=klt or "
                "signal, not %s", ChosenConfig().preemption.c_str());
  }
  const int n = peers::Scaled(options, 200);
  const auto steps_in = [](double seconds) {
    const auto start = Clock::now();
    uint64_t x = 1, steps = 0;
    for (; peers::SecondsSince(start) < seconds; steps += 1000) x = peers::Lcg(x, 1000);
    asm volatile("" : "+r"(x));
    return static_cast<double>(steps) / peers::SecondsSince(start);
  };
  const double alone = steps_in(0.2);
  double ms = 0, beside = 0;
  Run([&] {
    WaitGroup group, hog;
    std::atomic<bool> stop{false};
    hog.Go([&] {
      const auto start = Clock::now();
      uint64_t x = 1, steps = 0;
      for (; !stop.load(std::memory_order_relaxed); steps += 1000) x = peers::Lcg(x, 1000);
      asm volatile("" : "+r"(x));
      beside = static_cast<double>(steps) / peers::SecondsSince(start);
    });
    const auto start = Clock::now();
    for (int i = 0; i < n; ++i) group.Go([] { Blocking([] { return usleep(100'000); }); });
    group.Wait();
    ms = peers::SecondsSince(start) * 1e3;
    stop = true;
    hog.Wait();
  });
  return {"ms", ms, {{"hog_share", beside / alone}, {"calls", n}}};
}

}  // namespace gyre::rows
