// pipeline: items pass through a line of stages, a goroutine each, with a buffered channel before each. It measures
// throughput where everybody is busy, and, as the result depends on the items' order, that channels keep it.
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "gyre.h"
#include "lab/workload.h"

namespace gyre::lab {

namespace {

// What stage `stage` makes of an item.
uint64_t Transform(uint64_t item, int64_t stage) {
  item ^= item >> 31;
  return item * 0xd6e8feb86659fd93 + static_cast<uint64_t>(stage);
}

// What the items before and `item` after them add up to.
uint64_t Fold(uint64_t sum, uint64_t item) {
  return (sum ^ item) * 0x100000001b3;
}

absl::StatusOr<Report> Run(WorkloadContext& context) {
  const int64_t stages = context.parameters.Int("stages"), items = context.parameters.Int("items");
  const int64_t buffer = context.parameters.Int("buffer");

  context.meter.Start();
  Chan<uint64_t> source = MakeChan<uint64_t>(buffer);
  Go([source, items] {
    for (int64_t i = 0; i < items; ++i) source.Send(static_cast<uint64_t>(i));
    source.Close();
  });
  RecvChan<uint64_t> last = source;
  for (int64_t stage = 0; stage < stages; ++stage) {
    Chan<uint64_t> next = MakeChan<uint64_t>(buffer);
    Go([in = std::move(last), next, stage] {
      for (uint64_t item : in) next.Send(Transform(item, stage));
      next.Close();
    });
    last = next;
  }
  uint64_t sum = 0;
  int64_t count = 0;
  for (uint64_t item : last) {
    sum = Fold(sum, item);
    ++count;
  }
  context.meter.Stop();

  uint64_t expected = 0;
  for (int64_t i = 0; i < items; ++i) {
    uint64_t item = static_cast<uint64_t>(i);
    for (int64_t stage = 0; stage < stages; ++stage) item = Transform(item, stage);
    expected = Fold(expected, item);
  }
  return Report{.answer = absl::StrFormat("%d items, checksum %016x", count, sum),
                .expected = absl::StrFormat("%d items, checksum %016x", items, expected),
                .operations = items,
                .operation = "item",
                .figures = {}};
}

const bool registered = RegisterWorkload({
    .name = "pipeline",
    .help = "items that pass through a line of stages, each a goroutine, over buffered channels",
    .parameters = {IntOption("stages", 8, 1, 100'000, "stages between the source and the sink"),
                   IntOption("items", 500'000, 1, 1'000'000'000'000, "items that pass through"),
                   IntOption("buffer", 64, 0, 1'000'000, "capacity of each channel")},
    .compare = {{"items", "2000000"}},
    .columns = {},
    .check = {},
    .run = Run,
});

}  // namespace

}  // namespace gyre::lab
