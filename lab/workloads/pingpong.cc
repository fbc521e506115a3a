// pingpong: a value goes back and forth between two goroutines over two unbuffered channels. It measures the latency of
// a hand-off; with several pairs, how well they keep out of each other's way.
#include <cstdint>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gyre.h"
#include "lab/workload.h"

namespace gyre::lab {

namespace {

absl::StatusOr<Report> Run(WorkloadContext& context) {
  const int64_t rounds = context.parameters.Int("rounds"), pairs = context.parameters.Int("pairs");
  std::vector<int64_t> last(static_cast<size_t>(pairs));
  context.meter.Start();
  WaitGroup all;
  for (int64_t& result : last) {
    Chan<int64_t> ping = MakeChan<int64_t>(), pong = MakeChan<int64_t>();
    all.Go([ping, pong] {
      for (int64_t value : ping) pong.Send(value + 1);
    });
    all.Go([ping, pong, rounds, &result] {
      int64_t value = 0;
      for (int64_t i = 0; i < rounds; ++i) {
        ping.Send(value);
        value = pong.Recv();
      }
      ping.Close();
      result = value;
    });
  }
  all.Wait();
  context.meter.Stop();
  int64_t sum = 0;
  for (int64_t result : last) sum += result;
  return Report{.answer = absl::StrCat(sum),
                .expected = absl::StrCat(rounds * pairs),
                .operations = rounds * pairs,
                .operation = "round trip",
                .figures = {}};
}

const bool registered = RegisterWorkload({
    .name = "pingpong",
    .help = "pairs of goroutines that send a value back and forth over two unbuffered channels",
    .parameters = {IntOption("rounds", 1'000'000, 1, 1'000'000'000'000, "round trips of each pair"),
                   IntOption("pairs", 1, 1, 100'000, "pairs that play at the same time")},
    .compare = {{"rounds", "2000000"}},
    .columns = {},
    .check = {},
    .run = Run,
});

}  // namespace

}  // namespace gyre::lab
