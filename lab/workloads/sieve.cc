// sieve: prime numbers by a chain of filters, a goroutine for each prime, as in Hoare's paper on communicating
// processes (1978). Each number passes through unbuffered channels from filter to filter: it measures hand-offs along a
// chain.
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gyre.h"
#include "lab/workload.h"

namespace gyre::lab {

namespace {

// 2, 3, 4, ... until it is told to stop.
void Generate(const SendChan<int64_t>& numbers, const std::atomic<bool>& stop) {
  for (int64_t n = 2; !stop.load(std::memory_order_relaxed); ++n) numbers.Send(n);
  numbers.Close();
}

void Filter(const RecvChan<int64_t>& in, const SendChan<int64_t>& out, int64_t prime) {
  for (int64_t n : in) {
    if (n % prime != 0) out.Send(n);
  }
  out.Close();
}

// The n-th prime, by the sieve of Eratosthenes.
int64_t NthPrime(int64_t n) {
  // Rosser and Schoenfeld's bound, n (ln n + ln ln n), holds from the sixth on.
  const double real = static_cast<double>(n);
  const size_t limit = n < 6 ? 15 : static_cast<size_t>(real * (std::log(real) + std::log(std::log(real)))) + 1;
  std::vector<bool> composite(limit + 1);
  for (size_t i = 2; i <= limit; ++i) {
    if (composite[i]) continue;
    if (--n == 0) return static_cast<int64_t>(i);
    for (size_t k = i * i; k <= limit; k += i) composite[k] = true;
  }
  return 0;
}

absl::StatusOr<Report> Run(WorkloadContext& context) {
  const int64_t primes = context.parameters.Int("primes");
  std::atomic<bool> stop{false};
  WaitGroup all;

  context.meter.Start();
  Chan<int64_t> numbers = MakeChan<int64_t>();
  all.Go([numbers, &stop] { Generate(numbers, stop); });
  int64_t prime = 0;
  for (int64_t i = 0; i < primes; ++i) {
    prime = numbers.Recv();
    Chan<int64_t> filtered = MakeChan<int64_t>();
    all.Go([in = std::move(numbers), filtered, prime] { Filter(in, filtered, prime); });
    numbers = std::move(filtered);
  }
  context.meter.Stop();

  // The chain ends link by link, from the generator on, once nobody waits for a number to be taken.
  stop.store(true, std::memory_order_relaxed);
  while (numbers.Next()) {
  }
  all.Wait();
  return Report{.answer = absl::StrCat(prime),
                .expected = absl::StrCat(NthPrime(primes)),
                .operations = primes,
                .operation = "prime",
                .figures = {}};
}

const bool registered = RegisterWorkload({
    .name = "sieve",
    .help = "the n-th prime number by a chain of filters, each a goroutine, over unbuffered channels",
    .parameters = {IntOption("primes", 2500, 1, 1'000'000, "which prime to find: the 2500th is 22307")},
    .compare = {{"primes", "4000"}},
    .columns = {},
    .check = {},
    .run = Run,
});

}  // namespace

}  // namespace gyre::lab
