#include "lab/meter.h"

#include <time.h>

#include "lab/machine.h"
#include "runtime/go.h"
#include "runtime/runtime.h"

namespace gyre::lab {

namespace {

Nanos Read(clockid_t clock) {
  timespec now;
  clock_gettime(clock, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

}  // namespace

void Meter::Start() {
  before_.stats = CurrentStats();
  before_.cpu_time = Read(CLOCK_PROCESS_CPUTIME_ID);
  before_.wall_time = Read(CLOCK_MONOTONIC);
  before_.time = NowNanos();
}

void Meter::Stop() {
  after_.time = NowNanos();
  after_.wall_time = Read(CLOCK_MONOTONIC);
  after_.cpu_time = Read(CLOCK_PROCESS_CPUTIME_ID);
  after_.stats = CurrentStats();
  // Now, before the workload works out what the answer should have been.
  peak_memory_ = PeakMemoryBytes();
}

std::vector<Figure> Meter::Figures() const {
  const RuntimeStats &a = before_.stats, &b = after_.stats;
  const auto count = [](uint64_t before, uint64_t after) { return static_cast<double>(after - before); };
  std::vector<Figure> figures = {
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
  if (b.events != 0) {
    const double wall = static_cast<double>(after_.wall_time - before_.wall_time), events = count(a.events, b.events);
    figures.push_back({"wall_ns", wall});
    figures.push_back({"events", events});
    figures.push_back({"events_per_s", wall > 0 ? events * 1e9 / wall : 0});
  }
  return figures;
}

}  // namespace gyre::lab
