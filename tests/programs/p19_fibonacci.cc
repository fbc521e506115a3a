// Fibonacci numbers, two goroutines for each call. n.
#include "tests/programs/program.h"

namespace gyre::programs {
namespace {

std::atomic<int64_t> calls{0};

int64_t Fib(int n) {
  ++calls;
  if (n < 2) return n;
  Chan<int64_t> parts = MakeChan<int64_t>(2);
  for (int less : {1, 2}) Go([=] { parts.Send(Fib(n - less)); });
  const int64_t first = parts.Recv();
  return first + parts.Recv();
}

void Run(const Numbers& args) {
  const int64_t result = Fib(static_cast<int>(args[0]));
  absl::PrintF("%d with %d calls\n", result, calls.load());
  ExpectAlone();
}

const AddProgram added("P19", &Run);

}  // namespace
}  // namespace gyre::programs
