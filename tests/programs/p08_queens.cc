// The ways to place n queens, a goroutine for each place of the first. n: up to.
#include "tests/programs/program.h"

namespace gyre::programs {
namespace {

int64_t Count(int n, int row, uint32_t columns, uint32_t left, uint32_t right) {
  if (row == n) return 1;
  int64_t count = 0;
  for (uint32_t free = ~(columns | left | right) & ((1u << n) - 1); free != 0; free &= free - 1) {
    const uint32_t queen = free & -free;
    count += Count(n, row + 1, columns | queen, (left | queen) << 1, (right | queen) >> 1);
  }
  return count;
}

void Run(const Numbers& args) {
  for (int n = 1; n <= args[0]; ++n) {
    Chan<int64_t> counts = MakeChan<int64_t>();
    for (int column = 0; column < n; ++column) {
      Go([=] {
        const uint32_t queen = 1u << column;
        counts.Send(Count(n, 1, queen, queen << 1, queen >> 1));
      });
    }
    int64_t sum = 0;
    for (int column = 0; column < n; ++column) sum += counts.Recv();
    absl::PrintF("%s%d", n == 1 ? "" : " ", sum);
  }
  absl::PrintF("\n");
  ExpectAlone();
}

const AddProgram added("P08", &Run);

}  // namespace
}  // namespace gyre::programs
