// A chain of goroutines, each passing on what it hears and one more. n: how many.
#include "tests/programs/program.h"

namespace gyre::programs {
namespace {

void Run(const Numbers& args) {
  const Chan<int> leftmost = MakeChan<int>();
  Chan<int> left = leftmost;
  for (int64_t i = 0; i < args[0]; ++i) {
    Chan<int> right = MakeChan<int>();
    Go([=] { left.Send(1 + right.Recv()); });
    left = right;
  }
  Go([=] { left.Send(1); });
  absl::PrintF("%d\n", leftmost.Recv());
  ExpectAlone();
}

const AddProgram added("P18", &Run);

}  // namespace
}  // namespace gyre::programs
