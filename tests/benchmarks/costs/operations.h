// gyre's hot operations, each as a function that does it n times: what the micro-benchmark times, the instruction guard
// counts under callgrind, and the steady-state test counts allocations and locked instructions of.
#ifndef GYRE_TESTS_BENCHMARKS_COSTS_OPERATIONS_H_
#define GYRE_TESTS_BENCHMARKS_COSTS_OPERATIONS_H_

#include <vector>

namespace gyre::costs {

struct Operation {
  const char* name;
  // In a goroutine. Each call sets up what it needs anew, which is a constant cost: compare two lengths. `n` is a
  // multiple of kBatch.
  void (*run)(int n);
};

inline constexpr int kBatch = 100;  // goroutines alive at once in `spawn_join`

const std::vector<Operation>& Operations();

}  // namespace gyre::costs

#endif  // GYRE_TESTS_BENCHMARKS_COSTS_OPERATIONS_H_
