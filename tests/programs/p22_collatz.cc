// The longest Collatz chain from below 1000001, in 8 ranges.
#include "tests/programs/program.h"

namespace gyre::programs {
namespace {

void Run(const Numbers&) {
  Mutex mu;
  int64_t best_start = 0, best_length = 0;
  WaitGroup wg;
  for (int range = 0; range < 8; ++range) {
    wg.Go([&, range] {
      for (int64_t start = range * 125000 + 1; start <= (range + 1) * 125000; ++start) {
        int64_t length = 1;
        for (int64_t n = start; n != 1; n = n % 2 == 0 ? n / 2 : 3 * n + 1) ++length;
        MutexLock hold(&mu);
        if (length > best_length || (length == best_length && start < best_start)) {
          best_length = length;
          best_start = start;
        }
      }
    });
  }
  wg.Wait();
  absl::PrintF("%d with %d terms\n", best_start, best_length);
  ExpectAlone();
}

const AddProgram added("P22", &Run);

}  // namespace
}  // namespace gyre::programs
