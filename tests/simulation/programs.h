// A program with a bit of everything, for tests that compare runs.
#ifndef GYRE_TESTS_SIMULATION_PROGRAMS_H_
#define GYRE_TESTS_SIMULATION_PROGRAMS_H_

#include "channels/chan.h"
#include "channels/select.h"
#include "channels/time.h"
#include "runtime/go.h"
#include "runtime/park.h"
#include "sync/mutex.h"
#include "sync/wait_group.h"

namespace gyre {

// Returns a number that depends on nothing but the program.
inline int MixedProgram() {
  constexpr int kWorkers = 8;
  constexpr int kTasks = 40;
  Chan<int> tasks = MakeChan<int>(3);
  Chan<int> results = MakeChan<int>(0);
  Mutex mu;
  int locked = 0;
  WaitGroup workers;
  for (int i = 0; i < kWorkers; ++i) {
    workers.Go([&, i] {
      for (int task : tasks) {
        Work(absl::Microseconds(internal::FastRandom() % 100));
        if (task % 5 == i % 5) Sleep(absl::Microseconds(10));
        {
          MutexLock hold(&mu);
          ++locked;
          Yield();
        }
        results.Send(task);
      }
    });
  }
  Go([&] {
    for (int i = 0; i < kTasks; ++i) tasks.Send(i);
    tasks.Close();
    workers.Wait();
    results.Close();
  });
  int sum = 0;
  for (bool open = true; open;) {
    Select(results.OnRecv([&](int result, bool ok) {
             if (ok) sum += result;
             open = ok;
           }),
           After(absl::Milliseconds(50)).OnRecv([](auto...) {}));
  }
  return sum + locked;
}
inline constexpr int kMixedProgramsAnswer = 39 * 40 / 2 + 40;

}  // namespace gyre

#endif  // GYRE_TESTS_SIMULATION_PROGRAMS_H_
