// skynet: a tree of goroutines. Each leaf sends its number to its parent, each parent the sum of its children's. It
// measures how fast goroutines come and go, in great numbers.
#include <algorithm>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "gyre.h"
#include "lab/workload.h"

namespace gyre::lab {

namespace {

// The subtree over the numbers [first, first + count).
void Node(SendChan<int64_t> up, int64_t first, int64_t count, int64_t children) {
  if (count == 1) {
    up.Send(first);
    return;
  }
  const int64_t parts = std::min(children, count);
  Chan<int64_t> sums = MakeChan<int64_t>();
  int64_t begin = first;
  for (int64_t i = 0; i < parts; ++i) {
    const int64_t size = count / parts + (i < count % parts ? 1 : 0);
    Go([sums, begin, size, children] { Node(sums, begin, size, children); });
    begin += size;
  }
  int64_t sum = 0;
  for (int64_t i = 0; i < parts; ++i) sum += sums.Recv();
  up.Send(sum);
}

// The nodes of that subtree.
int64_t Nodes(int64_t count, int64_t children) {
  if (count == 1) return 1;
  const int64_t parts = std::min(children, count), larger = count % parts;
  return 1 + (parts - larger) * Nodes(count / parts, children) +
         (larger > 0 ? larger * Nodes(count / parts + 1, children) : 0);
}

absl::StatusOr<Report> Run(WorkloadContext& context) {
  const int64_t leaves = context.parameters.Int("leaves"), children = context.parameters.Int("children");
  context.meter.Start();
  Chan<int64_t> result = MakeChan<int64_t>();
  Go([&] { Node(result, 0, leaves, children); });
  const int64_t sum = result.Recv();
  context.meter.Stop();
  return Report{.answer = absl::StrCat(sum),
                .expected = absl::StrCat(leaves * (leaves - 1) / 2),
                .operations = Nodes(leaves, children),
                .operation = "goroutine",
                .figures = {}};
}

const bool registered = RegisterWorkload({
    .name = "skynet",
    .help = "a tree of goroutines with a million leaves, whose numbers are added up towards the root",
    .parameters = {IntOption("leaves", 1'000'000, 1, 1'000'000'000, "leaves of the tree"),
                   IntOption("children", 10, 2, 1'000'000, "children of each node")},
    .compare = {{"leaves", "100000"}},  // a policy that goes breadth first has all of them at once
    .columns = {},
    .check = {},
    .run = Run,
});

}  // namespace

}  // namespace gyre::lab
