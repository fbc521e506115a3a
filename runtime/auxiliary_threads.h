// The runtime's own threads beside the machines: the debug server's, a profiler's. The deadlock detector counts them as
// ours (deadlock.cc), for they never make a goroutine runnable.
#ifndef GYRE_RUNTIME_AUXILIARY_THREADS_H_
#define GYRE_RUNTIME_AUXILIARY_THREADS_H_

#include <pthread.h>

#include <functional>

#include "absl/functional/function_ref.h"

namespace gyre::internal {

// A joinable thread. Every signal is blocked in it but SIGPROF, by which threads are profiled and stopped.
class AuxiliaryThread {
 public:
  AuxiliaryThread() = default;
  ~AuxiliaryThread() { Join(); }
  AuxiliaryThread(const AuxiliaryThread&) = delete;
  AuxiliaryThread& operator=(const AuxiliaryThread&) = delete;

  // `name`: at most 15 characters, as the kernel shows it. `body` must not make a goroutine runnable. Returns 0 or an
  // error number, and then nothing runs.
  int Start(const char* name, std::function<void()> body);
  void Join();  // if it was started

 private:
  struct Begin;
  pthread_t thread_{};
  bool started_ = false;
};

// Runs f() on a thread of its own, and returns when it has: for what needs more stack than a goroutine may have, as
// other people's libraries do. The goroutine counts as in a blocking call. On a foreign thread, a plain call.
void OnThreadStack(absl::FunctionRef<void()> f);

// Those that run now. Never more than the kernel counts: each counts itself once it runs, and no more before it ends.
int AuxiliaryThreads();

}  // namespace gyre::internal

#endif  // GYRE_RUNTIME_AUXILIARY_THREADS_H_
