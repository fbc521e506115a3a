// Peer "tbb": the fork-join rows of gyre's comparison table, on oneTBB.
// TBB's tasks run to completion, so the other rows have no counterpart.

#include <tbb/global_control.h>
#include <tbb/task_arena.h>
#include <tbb/task_group.h>
#include <tbb/version.h>

#include <array>
#include <cstdint>
#include <string>

#include "../peer.h"

namespace {

using peers::Clock;
using peers::Options;
using peers::Result;

// Runs `body` with `threads` threads, the caller among them, and returns the
// seconds it took.
template <typename Body>
double Timed(int threads, Body body) {
  tbb::global_control limit(tbb::global_control::max_allowed_parallelism,
                            threads);
  tbb::task_arena arena(threads);
  double seconds = 0;
  arena.execute([&] {
    const auto start = Clock::now();
    body();
    seconds = peers::SecondsSince(start);
  });
  return seconds;
}

Result SpawnJoin(const Options& options) {
  const int batches = peers::Scaled(options, 1000);
  constexpr int kBatch = 1000;
  const double seconds = Timed(options.threads, [&] {
    for (int b = 0; b < batches; ++b) {
      tbb::task_group group;
      for (int i = 0; i < kBatch; ++i) group.run([] {});
      group.wait();
    }
  });
  return peers::NanosPerOp(seconds, 1.0 * batches * kBatch);
}

uint64_t FibTask(int n) {
  if (n < 2) return n;
  uint64_t x;
  tbb::task_group group;
  group.run([&x, n] { x = FibTask(n - 1); });
  const uint64_t y = FibTask(n - 2);
  group.wait();
  return x + y;
}

Result Fib(const Options& options) {
  const int n = peers::FibArgument(options);
  uint64_t got = 0;
  const double seconds = Timed(options.threads, [&] { got = FibTask(n); });
  peers::Check("fib", got, peers::FibNumber(n));
  return {"ms",
          seconds * 1e3,
          {{"n", n}, {"spawns", peers::FibNumber(n + 1) - 1.0}}};
}

uint64_t SkynetNode(int64_t num, int64_t size) {
  if (size == 1) return num;
  std::array<uint64_t, 10> sums;
  tbb::task_group group;
  for (int i = 0; i < 10; ++i) {
    group.run([&sums, i, num, size] {
      sums[i] = SkynetNode(num + i * (size / 10), size / 10);
    });
  }
  group.wait();
  uint64_t sum = 0;
  for (const uint64_t s : sums) sum += s;
  return sum;
}

Result Skynet(const Options& options) {
  const int64_t leaves = peers::SkynetLeaves(options);
  uint64_t got = 0;
  const double seconds =
      Timed(options.threads, [&] { got = SkynetNode(0, leaves); });
  peers::Check("sum", got, static_cast<uint64_t>(leaves) * (leaves - 1) / 2);
  return {"ms", seconds * 1e3, {{"leaves", static_cast<double>(leaves)}}};
}

}  // namespace

int main(int argc, char** argv) {
  const std::string version = std::to_string(TBB_VERSION_MAJOR) + "." +
                              std::to_string(TBB_VERSION_MINOR);
  return peers::Main(
      argc, argv, "tbb", version.c_str(),
      {{"spawn_join", SpawnJoin}, {"skynet", Skynet}, {"fib", Fib}});
}
