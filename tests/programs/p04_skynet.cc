// Skynet: a tree of goroutines, ten below each; sums of their ordinals flow up. n: leaves, a power of ten.
#include "tests/programs/program.h"

namespace gyre::programs {
namespace {

void Node(const SendChan<int64_t>& up, int64_t first, int64_t size) {
  if (size == 1) {
    up.Send(first);
    return;
  }
  Chan<int64_t> sums = MakeChan<int64_t>();
  for (int i = 0; i < 10; ++i) Go([=] { Node(sums, first + i * (size / 10), size / 10); });
  int64_t sum = 0;
  for (int i = 0; i < 10; ++i) sum += sums.Recv();
  up.Send(sum);
}

void Run(const Numbers& args) {
  Chan<int64_t> sum = MakeChan<int64_t>();
  Go([=, n = args[0]] { Node(sum, 0, n); });
  absl::PrintF("%d\n", sum.Recv());
  ExpectAlone();
}

const AddProgram added("P04", &Run);

}  // namespace
}  // namespace gyre::programs
