// hotsplit: a loop that calls a small function, at one depth of the stack after another. Under `segmented` the call
// crosses a segment's edge at one of the depths, and pays for that in each round: the hot split. Under the other
// allocators all depths cost the same. With csv=FILE it writes a line for each depth, to be plotted.
#include <algorithm>
#include <fstream>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gyre.h"
#include "lab/csv.h"
#include "lab/split/loops.h"
#include "lab/workload.h"

namespace gyre::lab {

namespace {

absl::Status Write(const std::string& file, const std::vector<LoopResult>& results, int64_t calls) {
  std::ofstream csv(file);
  csv << CsvLine({"depth", "ns_per_call"});
  for (size_t depth = 0; depth < results.size(); ++depth) {
    const double each = static_cast<double>(results[depth].elapsed) / static_cast<double>(calls);
    csv << CsvLine({absl::StrCat(depth), absl::StrCat(each)});
  }
  csv.close();
  if (!csv) return absl::InvalidArgumentError(absl::StrCat("csv=", file, ": the file cannot be written"));
  return absl::OkStatus();
}

absl::StatusOr<Report> Run(WorkloadContext& context) {
  const int64_t depths = context.parameters.Int("depths"), calls = context.parameters.Int("calls");
  std::vector<LoopResult> results(static_cast<size_t>(depths));
  context.meter.Start();
  for (int64_t depth = 0; depth < depths; ++depth) {
    LoopResult& best = results[static_cast<size_t>(depth)];
    // The shorter of two, for somebody else may have had the CPU during the other.
    for (int round = 0; round < 2; ++round) {
      LoopResult result;
      WaitGroup done;
      done.Add(1);
      StartLoopAt(static_cast<int>(depth), calls, &result, &done);
      done.Wait();
      best.elapsed = round == 0 ? result.elapsed : std::min(best.elapsed, result.elapsed);
      best.sum += result.sum;
    }
  }
  context.meter.Stop();
  int64_t sum = 0;
  std::vector<double> each;
  for (const LoopResult& result : results) {
    sum += result.sum;
    each.push_back(static_cast<double>(result.elapsed) / static_cast<double>(calls));
  }
  if (const std::string& file = context.parameters.String("csv"); !file.empty()) {
    if (absl::Status status = Write(file, results, calls); !status.ok()) return status;
  }
  std::sort(each.begin(), each.end());
  return Report{.answer = absl::StrCat(sum),
                .expected = absl::StrCat(2 * depths * calls),
                .operations = 2 * depths * calls,
                .operation = "call",
                .figures = {{"edge_ns", each.back()}, {"away_ns", each[each.size() / 2]}}};
}

const bool registered = RegisterWorkload({
    .name = "hotsplit",
    .help = "a loop of calls at each of many depths of the stack, one of which is a segment's edge",
    .parameters = {IntOption("depths", 40, 1, 1000, "depths, of some 50 bytes each"),
                   IntOption("calls", 1'000'000, 1, 1'000'000'000, "calls at each depth"),
                   StringOption("csv", "", "a file for the time per call at each depth")},
    .compare = {},
    .columns = {{"edge", "edge_ns"}, {"away", "away_ns"}, {"hot splits", "hot_splits"}},
    .check = {},
    .run = Run,
});

}  // namespace

}  // namespace gyre::lab
