// Rows whose cost is starting goroutines and switching between them.
#include <array>
#include <cstdint>

#include "tests/benchmarks/rows/rows.h"

namespace gyre::rows {

Result Yield(const Options& options) {
  const int n = peers::Scaled(options, 2000000);
  std::array<uint64_t, 2> done = {};
  double seconds = 0;
  Run([&] {
    WaitGroup group;
    group.Add(2);
    const auto start = Clock::now();
    for (uint64_t& count : done) {
      gyre::Go([&group, &count, n] {
        for (int i = 0; i < n; ++i) gyre::Yield();
        count = n;
        group.Done();
      });
    }
    group.Wait();
    seconds = peers::SecondsSince(start);
  });
  peers::Check("yields", done[0] + done[1], uint64_t{2} * n);
  return peers::NanosPerOp(seconds, 2.0 * n);
}

Result SpawnJoin(const Options& options) {
  const int batches = peers::Scaled(options, 1000);
  constexpr int kBatch = 1000;
  double seconds = 0;
  Run([&] {
    const auto start = Clock::now();
    for (int b = 0; b < batches; ++b) {
      WaitGroup group;
      group.Add(kBatch);
      for (int i = 0; i < kBatch; ++i) gyre::Go([&group] { group.Done(); });
      group.Wait();  // returns only when all have run: the row's own check
    }
    seconds = peers::SecondsSince(start);
  });
  return peers::NanosPerOp(seconds, 1.0 * batches * kBatch);
}

namespace {

// A parent outlives its children's sends, so they need no share in its channel.
void SkynetNode(const Chan<uint64_t>& out, int64_t num, int64_t size) {
  if (size == 1) {
    out.Send(num);
    return;
  }
  const Chan<uint64_t> in = MakeChan<uint64_t>();
  for (int i = 0; i < 10; ++i) {
    gyre::Go([&in, num, size, i] { SkynetNode(in, num + i * (size / 10), size / 10); });
  }
  uint64_t sum = 0;
  for (int i = 0; i < 10; ++i) sum += in.Recv();
  out.Send(sum);
}

uint64_t FibTask(int n) {
  if (n < 2) return n;
  uint64_t x;
  WaitGroup child;
  child.Add(1);
  gyre::Go([&x, &child, n] {
    x = FibTask(n - 1);
    child.Done();
  });
  const uint64_t y = FibTask(n - 2);
  child.Wait();
  return x + y;
}

}  // namespace

Result Skynet(const Options& options) {
  const int64_t leaves = peers::SkynetLeaves(options);
  uint64_t sum = 0;
  double seconds = 0;
  Run([&] {
    const auto start = Clock::now();
    const Chan<uint64_t> out = MakeChan<uint64_t>();
    gyre::Go([&out, leaves] { SkynetNode(out, 0, leaves); });
    sum = out.Recv();
    seconds = peers::SecondsSince(start);
  });
  peers::Check("sum", sum, static_cast<uint64_t>(leaves) * (leaves - 1) / 2);
  return {"ms", seconds * 1e3, {{"leaves", static_cast<double>(leaves)}}};
}

Result Fib(const Options& options) {
  const int n = peers::FibArgument(options);
  uint64_t got = 0;
  double seconds = 0;
  Run([&] {
    const auto start = Clock::now();
    got = FibTask(n);
    seconds = peers::SecondsSince(start);
  });
  peers::Check("fib", got, peers::FibNumber(n));
  return {"ms", seconds * 1e3, {{"n", n}, {"spawns", peers::FibNumber(n + 1) - 1.0}}};
}

}  // namespace gyre::rows
