#include "lab/meter.h"

#include <time.h>

#include "lab/machine.h"
#include "runtime/go.h"
#include "runtime/runtime.h"

namespace gyre::lab {

namespace {

Nanos ProcessCpuTime() {
  timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

}  // namespace

void Meter::Start() {
  before_.stats = CurrentStats();
  before_.cpu_time = ProcessCpuTime();
  before_.time = NowNanos();
}

void Meter::Stop() {
  after_.time = NowNanos();
  after_.cpu_time = ProcessCpuTime();
  after_.stats = CurrentStats();
  // Now, before the workload works out what the answer should have been.
  peak_memory_ = PeakMemoryBytes();
}

std::vector<Figure> Meter::Figures() const {
  const RuntimeStats &a = before_.stats, &b = after_.stats;
  const auto count = [](uint64_t before, uint64_t after) { return static_cast<double>(after - before); };
  return {
      {"time_ns", static_cast<double>(elapsed())},
      {"cpu_ns", static_cast<double>(after_.cpu_time - before_.cpu_time)},
      {"peak_memory_bytes", static_cast<double>(peak_memory_)},
      {"spawned", count(a.spawned, b.spawned)},
      {"switches", count(a.switches, b.switches)},
      {"parks", count(a.parks, b.parks)},
      {"readies", count(a.readies, b.readies)},
      {"wakeups", count(a.wakeups, b.wakeups)},
      {"preemptions", count(a.preemptions, b.preemptions)},
      {"steals", count(a.policy.steals, b.policy.steals)},
      {"stolen", count(a.policy.stolen, b.policy.stolen)},
      {"overflows", count(a.policy.overflows, b.policy.overflows)},
      {"shared_picks", count(a.policy.shared_picks, b.policy.shared_picks)},
      {"stacks_grown", count(a.stacks.grown, b.stacks.grown)},
      {"stacks_shrunk", count(a.stacks.shrunk, b.stacks.shrunk)},
      {"hot_splits", count(a.stacks.hot_splits, b.stacks.hot_splits)},
      {"stack_reserved_bytes", static_cast<double>(b.stacks.reserved_bytes)},
  };
}

}  // namespace gyre::lab
