// Measures the part of a workload between Start and Stop: time, processor time, and what the runtime did meanwhile.
#ifndef GYRE_LAB_METER_H_
#define GYRE_LAB_METER_H_

#include <cstdint>
#include <vector>

#include "lab/result.h"
#include "plugins/task.h"
#include "runtime/stats.h"

namespace gyre::lab {

// Start and Stop: once each, by a goroutine of the runtime that is measured.
class Meter {
 public:
  void Start();
  void Stop();

  Nanos elapsed() const { return after_.time - before_.time; }

  // time_ns, cpu_ns, peak_memory_bytes, and the runtime's counters; in virtual time also wall_ns, events, events_per_s:
  // how long the simulator took for it.
  std::vector<Figure> Figures() const;

 private:
  struct Reading {
    Nanos time = 0;  // the engine's
    Nanos wall_time = 0;
    Nanos cpu_time = 0;  // the process's, in all threads
    RuntimeStats stats;
  };
  Reading before_, after_;
  uint64_t peak_memory_ = 0;
};

}  // namespace gyre::lab

#endif  // GYRE_LAB_METER_H_
