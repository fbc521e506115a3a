// Rows whose cost is waiting: for a channel in great number, for time, for a processor that others keep.
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <vector>

#include "absl/time/time.h"
#include "plugins/registry.h"
#include "tests/benchmarks/peers/service.h"
#include "tests/benchmarks/rows/rows.h"

namespace gyre::rows {

Result Parked(const Options& options) {
  const int n = peers::Scaled(options, 1000000);
  std::atomic<int> started = 0, woken = 0;
  double create = 0, wake = 0, bytes = 0;
  Run([&] {
    WaitGroup group;
    group.Add(n);
    const Chan<int> channel = MakeChan<int>();
    const double before = peers::ResidentBytes();
    auto start = Clock::now();
    for (int i = 0; i < n; ++i) {
      gyre::Go([&] {
        ++started;
        int v;
        if (!channel.Recv(v)) ++woken;
        group.Done();
      });
    }
    while (started < n) gyre::Yield();
    create = peers::SecondsSince(start);
    gyre::Sleep(absl::Milliseconds(50));  // the last ones are on their way to the channel
    bytes = peers::ResidentBytes() - before;
    start = Clock::now();
    channel.Close();
    group.Wait();
    wake = peers::SecondsSince(start);
  });
  peers::Check("tasks woken by close", woken, n);
  return {"bytes_per_task", bytes / n, {{"create_ms", create * 1e3}, {"wake_ms", wake * 1e3}, {"tasks", n}}};
}

Result Timers(const Options& options) {
  const int n = peers::Scaled(options, 100000);
  std::vector<double> late(n);
  double cpu = 0;
  Run([&] {
    peers::Random random(1);
    WaitGroup group;
    group.Add(n);
    const double before = peers::CpuSeconds();
    for (double& lateness : late) {
      const int64_t ms = 1 + static_cast<int64_t>(random.Next() % 1000);
      gyre::Go([&group, &lateness, ms] {
        const auto start = Clock::now();
        gyre::Sleep(absl::Milliseconds(ms));
        lateness = peers::SecondsSince(start) * 1e6 - static_cast<double>(ms) * 1e3;
        group.Done();
      });
    }
    group.Wait();
    cpu = peers::CpuSeconds() - before;
  });
  double sum = 0;
  for (const double l : late) {
    if (l < 0) peers::Exit(1, "a sleep ended %.1f us early", -l);
    sum += l;
  }
  return {"cpu_s", cpu, {{"mean_lateness_us", sum / n}, {"p99_lateness_us", peers::Percentile(late, 0.99)}}};
}

Result Hogs(const Options& options) {
  const auto preemption = MakePreemption(ChosenConfig().preemption);
  if (!preemption.ok() || !preemption->plugin->traits().asynchronous) {
    peers::Exit(2, "row hogs: tasks that never yield need --preemption=klt or signal, not %s", ChosenConfig().preemption.c_str());
  }
  const int n = peers::Scaled(options, 500);
  std::vector<double> late(n);
  Run([&] {
    for (uint64_t i = 0; i < 4; ++i) {
      gyre::Go([i] {
        for (uint64_t x = i;;) x = peers::Lcg(x, 1000);
      });
    }
    for (double& lateness : late) {
      const auto start = Clock::now();
      gyre::Sleep(absl::Milliseconds(1));
      lateness = peers::SecondsSince(start) * 1e3 - 1;
    }
  });
  if (*std::min_element(late.begin(), late.end()) < 0) peers::Exit(1, "a sleep ended early");
  return {"lateness_p50_ms",
          peers::Percentile(late, 0.5),
          {{"lateness_p99_ms", peers::Percentile(late, 0.99)}, {"sleeps", n}}};
}

Result Service(const Options& options) {
  std::vector<peers::Request> requests = peers::Schedule(options);
  const double per_us = peers::Calibrate();
  int sent_late = 0;  // by more than 10 us
  Run([&] {
    WaitGroup group;
    group.Add(static_cast<int32_t>(requests.size()));
    const auto start = Clock::now() + std::chrono::milliseconds(1);
    auto now_us = [start] { return peers::SecondsSince(start) * 1e6; };
    gyre::Go([&] {
      for (peers::Request& request : requests) {
        double now = now_us();
        for (; now < request.at_us; now = now_us()) gyre::Yield();
        if (now > request.at_us + 10) ++sent_late;
        gyre::Go([&group, &request, now_us, per_us] {
          request.answer = peers::Serve(request, per_us);
          request.sojourn_us = now_us() - request.at_us;
          group.Done();
        });
      }
    });
    group.Wait();
  });
  return peers::ServiceResult(options, requests, per_us, sent_late);
}

}  // namespace gyre::rows
