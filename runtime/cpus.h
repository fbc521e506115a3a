// How many processors a program should have by default: as many as CPUs it may use, by its affinity mask and by the CPU
// quota of its control groups (Go's rule since 1.25: rounded up, and at least 2 where the mask allows them).
#ifndef GYRE_RUNTIME_CPUS_H_
#define GYRE_RUNTIME_CPUS_H_

#include <string>

namespace gyre::internal {

int UsableCpus();

// CPUs that the quota leaves, in fractions; 0: there is none. `root` stands for "" in /proc and /sys, for tests.
double CpuQuota(const std::string& root);

}  // namespace gyre::internal

#endif  // GYRE_RUNTIME_CPUS_H_
