// How often this program has asked for memory. Linking this in puts a counter in front of malloc and its relatives,
// which operator new calls.
#ifndef GYRE_TESTS_BENCHMARKS_COSTS_ALLOCATIONS_H_
#define GYRE_TESTS_BENCHMARKS_COSTS_ALLOCATIONS_H_

#include <cstdint>

namespace gyre::costs {

// Calls of malloc, calloc, realloc and aligned_alloc so far, by all threads.
uint64_t Allocations();

// False under a sanitizer, whose malloc cannot be stood in for.
bool CountsAllocations();

}  // namespace gyre::costs

#endif  // GYRE_TESTS_BENCHMARKS_COSTS_ALLOCATIONS_H_
