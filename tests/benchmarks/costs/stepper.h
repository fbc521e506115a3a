// Counts what a piece of code executes, by running it in a child process one instruction at a time (ptrace): each
// instruction once, with no hook in the code that is counted. Slow, some hundred thousand instructions a second.
//
//   absl::StatusOr<StepCounts> counts = StepThrough([] { ...; StepBegin(); work; StepEnd(); ... });
#ifndef GYRE_TESTS_BENCHMARKS_COSTS_STEPPER_H_
#define GYRE_TESTS_BENCHMARKS_COSTS_STEPPER_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"

namespace gyre::costs {

// What the thread executed between one StepBegin and the next StepEnd.
struct StepCounts {
  uint64_t instructions = 0;
  std::map<uintptr_t, uint64_t> at;      // how often each address was executed
  std::map<uintptr_t, uint64_t> locked;  // of these, the atomic read-modify-writes: lock prefix, or xchg with memory
};

// In the child only: the calling thread's window begins, and ends. Windows do not nest, and are on one thread at a
// time.
inline void StepBegin() {
  asm volatile("int3" : : : "memory");
}
inline void StepEnd() {
  asm volatile("int3" : : : "memory");
}

// Runs `child` in a forked process, which then exits, and returns a result for each window. The caller has one thread.
// An error: it may not trace here, or the child did not end well.
absl::StatusOr<std::vector<StepCounts>> StepThrough(absl::FunctionRef<void()> child);

// The functions that the instruction at `address` of this program comes from, the innermost inlined one first. Empty
// where there is no addr2line.
std::vector<std::string> FunctionsAt(uintptr_t address);

}  // namespace gyre::costs

#endif  // GYRE_TESTS_BENCHMARKS_COSTS_STEPPER_H_
