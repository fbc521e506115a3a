// A prime sieve: a chain of filters, one for each prime, on unbuffered channels. n: how many primes.
#include "tests/programs/program.h"

namespace gyre::programs {
namespace {

void Filter(const RecvChan<int>& in, const SendChan<int>& out, int prime) {
  for (;;) {
    const int n = in.Recv();
    if (n % prime != 0) out.Send(n);
  }
}

void Run(const Numbers& args) {
  Chan<int> ch = MakeChan<int>();
  Go([ch] {
    for (int n = 2;; ++n) ch.Send(n);
  });
  int64_t sum = 0;
  int last = 0;
  std::string first;
  for (int64_t i = 0; i < args[0]; ++i) {
    last = ch.Recv();
    sum += last;
    if (i < 25) absl::StrAppendFormat(&first, "%s%d", i == 0 ? "" : " ", last);
    Chan<int> next = MakeChan<int>();
    Go([ch, next, last] { Filter(ch, next, last); });
    ch = next;
  }
  absl::PrintF("%s\nlast %d, sum %d\n", first, last, sum);
}

const AddProgram added("P01", &Run);

}  // namespace
}  // namespace gyre::programs
