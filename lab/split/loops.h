// Loops and recursions that ask for room on their stack: compiled with -fsplit-stack, for the workloads hotsplit and
// deepstack. Under allocators that have no segments they run like any other code.
#ifndef GYRE_LAB_SPLIT_LOOPS_H_
#define GYRE_LAB_SPLIT_LOOPS_H_

#include <cstdint>
#include <functional>

#include "plugins/task.h"
#include "sync/wait_group.h"

namespace gyre::lab {

struct LoopResult {
  int64_t sum = 0;    // of the calls' results: as many as there were calls
  Nanos elapsed = 0;  // in the loop
};

// Starts a goroutine that descends `depth` frames of some 50 bytes, calls a function with a frame of 200 bytes `calls`
// times there, and then says that it is done. The descent takes place on the goroutine's first stack segment, if it has
// one.
void StartLoopAt(int depth, int64_t calls, LoopResult* result, WaitGroup* done);

// Descends `depth` frames of about a KiB, each written with numbers that follow from `seed`, calls `at_the_bottom`, and
// returns the sum of all that it wrote, read on the way back.
uint64_t Descend(int64_t depth, uint64_t seed, const std::function<void()>& at_the_bottom);
// What it returns.
uint64_t SumOfDescent(int64_t depth, uint64_t seed);

}  // namespace gyre::lab

#endif  // GYRE_LAB_SPLIT_LOOPS_H_
