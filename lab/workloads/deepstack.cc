// deepstack: goroutines recurse deep, come back, park, and recurse again. It measures what growing costs, and whether
// the memory comes back while they are parked.
#include <fstream>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gyre.h"
#include "lab/split/loops.h"
#include "lab/workload.h"

namespace gyre::lab {

namespace {

double ResidentBytes() {
  double all = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> all >> resident;
  return resident * 4096;
}

absl::StatusOr<Report> Run(WorkloadContext& context) {
  const int64_t goroutines = context.parameters.Int("goroutines");
  const int64_t kib = context.parameters.Int("kib");
  const Nanos patience = context.parameters.Int("patience_s") * 1'000'000'000;
  // A frame of Descend has 960 bytes of its own and at least 16 more.
  GoOptions options;
  if (context.parameters.Bool("reserve")) options.stack_size = static_cast<size_t>(kib) * 1280 + (256 << 10);
  std::vector<uint64_t> sums(static_cast<size_t>(goroutines));
  context.meter.Start();
  const double before = ResidentBytes();
  const Nanos began = NowNanos();
  Chan<bool> deep = MakeChan<bool>(), again = MakeChan<bool>();
  WaitGroup all;
  all.Add(static_cast<int>(goroutines));
  for (int64_t i = 0; i < goroutines; ++i) {
    Go(options, [&, i] {
      uint64_t sum = Descend(kib, static_cast<uint64_t>(i), [] {});
      deep.Send(true);
      again.Recv();
      sum += Descend(kib, static_cast<uint64_t>(i) + 1, [] {});
      sums[static_cast<size_t>(i)] = sum;
      all.Done();
    });
  }
  for (int64_t i = 0; i < goroutines; ++i) deep.Recv();
  const double grow_ns = static_cast<double>(NowNanos() - began);
  const double grown = ResidentBytes();
  // Until nine tenths of it are back.
  const Nanos parked = NowNanos();
  while (ResidentBytes() > before + (grown - before) / 10 && NowNanos() - parked < patience)
    Sleep(absl::Milliseconds(10));
  const double shrink_ns = static_cast<double>(NowNanos() - parked);
  const double shrunk = ResidentBytes();
  again.Close();
  all.Wait();
  context.meter.Stop();
  uint64_t sum = 0, expected = 0;
  for (int64_t i = 0; i < goroutines; ++i) {
    sum += sums[static_cast<size_t>(i)];
    expected += SumOfDescent(kib, static_cast<uint64_t>(i)) + SumOfDescent(kib, static_cast<uint64_t>(i) + 1);
  }
  return Report{.answer = absl::StrCat(sum),
                .expected = absl::StrCat(expected),
                .operations = 2 * goroutines,
                .operation = "descent",
                .figures = {{"grown_bytes", grown - before},
                            {"parked_bytes", shrunk - before},
                            {"grow_ns", grow_ns},
                            {"shrink_ns", shrink_ns}}};
}

const bool registered = RegisterWorkload({
    .name = "deepstack",
    .help = "goroutines that recurse deep and then park, while their stacks shrink, and recurse again",
    .parameters = {IntOption("goroutines", 16, 1, 1'000'000, "how many"),
                   IntOption("kib", 4096, 1, 512 << 10, "depth of each, in frames of about a KiB"),
                   IntOption("patience_s", 10, 0, 3600, "how long to wait for the memory to come back"),
                   BoolOption("reserve", true, "ask for stacks of that size; without, the allocator's limit must do")},
    .compare = {{"goroutines", "8"}, {"kib", "1024"}, {"patience_s", "2"}},
    .columns = {{"grown bytes", "grown_bytes"}, {"parked bytes", "parked_bytes"}, {"shrink", "shrink_ns"}},
    .check = {},
    .run = Run,
});

}  // namespace

}  // namespace gyre::lab
