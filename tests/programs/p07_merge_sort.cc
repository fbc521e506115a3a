// A merge sort whose halves are sorted in goroutines. n: values.
#include <algorithm>

#include "tests/programs/program.h"

namespace gyre::programs {
namespace {

constexpr size_t kAlone = 1024;  // so few are sorted without spawning

void Sort(uint32_t* values, uint32_t* room, size_t n) {
  if (n < 2) return;
  const size_t half = n / 2;
  if (n < kAlone) {
    Sort(values, room, half);
    Sort(values + half, room + half, n - half);
  } else {
    WaitGroup wg;
    wg.Go([=] { Sort(values, room, half); });
    Sort(values + half, room + half, n - half);
    wg.Wait();
  }
  std::merge(values, values + half, values + half, values + n, room);
  std::copy(room, room + n, values);
}

void Run(const Numbers& args) {
  const auto n = static_cast<size_t>(args[0]);
  std::vector<uint32_t> values(n), room(n);
  Lcg lcg(1);
  for (uint32_t& v : values) v = lcg.Next();
  Sort(values.data(), room.data(), n);
  uint64_t sum = 0;
  Fnv fnv;
  for (uint32_t v : values) {
    sum += v;
    fnv.Add(v);
  }
  absl::PrintF("min %d, middle %d, max %d, sum %d, %s, sorted %d\n", values.front(), values[n / 2], values.back(), sum,
               fnv.Hex(), std::is_sorted(values.begin(), values.end()));
  ExpectAlone();
}

const AddProgram added("P07", &Run);

}  // namespace
}  // namespace gyre::programs
