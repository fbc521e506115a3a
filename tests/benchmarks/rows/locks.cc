// Rows whose cost is a mutex.
#include <array>
#include <cstdint>

#include "tests/benchmarks/rows/rows.h"

namespace gyre::rows {

Result MutexAlone(const Options& options) {
  const int n = peers::Scaled(options, 20000000);
  uint64_t count = 0;
  double seconds = 0;
  Run([&] {
    Mutex mutex;
    const auto start = Clock::now();
    for (int i = 0; i < n; ++i) {
      mutex.Lock();
      ++count;
      mutex.Unlock();
    }
    seconds = peers::SecondsSince(start);
  });
  peers::Check("count", count, n);
  return peers::NanosPerOp(seconds, n);
}

Result MutexContended(const Options& options) {
  constexpr int kTasks = 8, kSteps = 20;
  const int n = peers::Scaled(options, 500000);
  uint64_t shared = 0;
  std::array<uint64_t, kTasks> own = {};
  double seconds = 0;
  Run([&] {
    Mutex mutex;
    WaitGroup group;
    group.Add(kTasks);
    const auto start = Clock::now();
    for (int t = 0; t < kTasks; ++t) {
      gyre::Go([&, t] {
        uint64_t x = t;
        for (int i = 0; i < n; ++i) {
          mutex.Lock();
          shared = peers::Lcg(shared, kSteps);
          mutex.Unlock();
          x = peers::Lcg(x, kSteps);
        }
        own[t] = x;
        group.Done();
      });
    }
    group.Wait();
    seconds = peers::SecondsSince(start);
  });
  const uint64_t steps = uint64_t{kSteps} * n;
  peers::Check("state under the lock", shared, peers::Lcg(0, kTasks * steps));
  for (int t = 0; t < kTasks; ++t) peers::Check("a task's own state", own[t], peers::Lcg(t, steps));
  return peers::NanosPerOp(seconds, 1.0 * kTasks * n);
}

}  // namespace gyre::rows
