// gyre's side of the comparison table: the rows of the peers (peers/README.md), the same work to the letter, over
// gyre's public API. main.cc has the command line; each other file has the rows on one subject.
#ifndef GYRE_TESTS_BENCHMARKS_ROWS_ROWS_H_
#define GYRE_TESTS_BENCHMARKS_ROWS_ROWS_H_

#include "absl/functional/function_ref.h"
#include "gyre.h"
#include "tests/benchmarks/peers/peer.h"

namespace gyre::rows {

using peers::Clock;
using peers::Options;
using peers::Result;

// What the flags and the environment chose, with as many processors as --threads says.
const Config& ChosenConfig();

// Runs `body` as the main goroutine of a runtime with that configuration.
void Run(absl::FunctionRef<void()> body);

// switching.cc
Result Yield(const Options& options);
Result SpawnJoin(const Options& options);
Result Skynet(const Options& options);
Result Fib(const Options& options);
// channels.cc
Result ChanUnbuffered(const Options& options);
Result ChanBuffered(const Options& options);
Result ChanMpmc(const Options& options);
Result SelectTwo(const Options& options);
Result Sieve(const Options& options);
// locks.cc
Result MutexAlone(const Options& options);
Result MutexContended(const Options& options);
// waiting.cc
Result Parked(const Options& options);
Result Timers(const Options& options);
Result Hogs(const Options& options);
Result Service(const Options& options);
// network.cc
Result Echo(const Options& options);
// preempting.cc
Result Compute(const Options& options);
Result Blocked(const Options& options);

}  // namespace gyre::rows

#endif  // GYRE_TESTS_BENCHMARKS_ROWS_ROWS_H_
