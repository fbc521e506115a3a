// Under `valgrind --tool=callgrind`: dumps what each operation costs, at two lengths, as "NAME LENGTH". Without
// Valgrind it only runs them. instructions_test.py takes the differences.
#include <cstdio>
#include <string>

#include "gyre.h"
#include "tests/benchmarks/costs/operations.h"

#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#else
// The program is of no use then, and the test says that Valgrind is missing.
#define CALLGRIND_ZERO_STATS
#define CALLGRIND_DUMP_STATS_AT(text) (void)(text)
#endif

int main() {
  constexpr int kShort = 5 * gyre::costs::kBatch, kLong = 15 * gyre::costs::kBatch;
  gyre::Config config;
  config.procs = 1;
  config.preemption = "none";  // nothing that depends on time
  config.seed = 1;
  gyre::Runtime runtime(config);
  runtime.Run([] {
    for (const gyre::costs::Operation& operation : gyre::costs::Operations()) {
      operation.run(kLong);  // caches fill, the stack pool too
      for (const int length : {kShort, kLong}) {
        const std::string label = std::string(operation.name) + " " + std::to_string(length);
        CALLGRIND_ZERO_STATS;
        operation.run(length);
        CALLGRIND_DUMP_STATS_AT(label.c_str());
      }
    }
  });
}
