// Runs one workload under one configuration, in this process.
#ifndef GYRE_LAB_EXECUTE_H_
#define GYRE_LAB_EXECUTE_H_

#include "lab/result.h"
#include "lab/workload.h"
#include "plugins/config.h"

namespace gyre::lab {

struct Execution {
  RunResult result;
  // False: a goroutine computes on, and the process is to end with _exit.
  bool stopped = true;
  // What went wrong is the user's: a parameter that cannot be used here (a folder that does not exist).
  bool usage_error = false;
};

// `config.seed` 0 is replaced by a seed that was drawn. A panic that the workload does not catch ends the process.
Execution Execute(const Workload& workload, const CheckedParameters& parameters, Config config);

// A seed for a run that was given none, from the operating system; small enough to be typed.
uint64_t DrawSeed();

}  // namespace gyre::lab

#endif  // GYRE_LAB_EXECUTE_H_
