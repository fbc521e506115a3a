// All goroutines are asleep: nobody in the process can ever wake one.
//
// That is certain when every processor of every runtime in the process is quiet (asleep after an exhaustive look that found
// nothing), no timer is pending, and the process has no thread but the runtimes' own. A foreign thread might call Ready at any
// time, so while there is one nothing is reported.
#include <cstdio>

#include "runtime/auxiliary_threads.h"
#include "runtime/core.h"
#include "runtime/dump.h"
#include "runtime/live_cores.h"
#include "runtime/panic.h"
#include "runtime/sanitizers.h"

namespace gyre::internal {

namespace {

// The kernel's own count. The names in /proc/self/task would do no good: that listing ends early when it meets a thread that
// ends just then.
int ThreadsOfProcess() {
  FILE* status = std::fopen("/proc/self/status", "re");
  if (status == nullptr) return -1;  // cannot tell
  int count = -1;
  char line[256];
  while (count < 0 && std::fgets(line, sizeof(line), status) != nullptr) std::sscanf(line, "Threads: %d", &count);
  std::fclose(status);
  return count;
}

constexpr Nanos kLookAgain = 50'000'000;

constexpr int kSanitizerThreads = sanitizers::kThread ? 1 : 0;  // TSan runs one of its own

}  // namespace

bool Core::IsAsleepForEver() {
  if (retaken_.load(std::memory_order_seq_cst) != 0) return false;  // the kernel will let some goroutine go on
  if (Poller* poller = PollerInUse(); poller != nullptr && poller->HasWaiters()) return false;  // so it will here
  if (idle_word_.load(std::memory_order_seq_cst) >> 32 != static_cast<uint64_t>(proc_count_)) return false;
  for (ProcId id = 0; id < proc_count_; ++id) {
    Processor& p = procs_[id];
    if (p.m.load(std::memory_order_relaxed) != nullptr && !p.quiet.load(std::memory_order_seq_cst)) return false;
    if (p.timers.size() != 0) return false;
  }
  // Once more: a processor that woke during the look has left the count.
  return idle_word_.load(std::memory_order_seq_cst) >> 32 == static_cast<uint64_t>(proc_count_) && !stopping();
}

Nanos Core::CheckDeadlock() {
  if (!IsAsleepForEver()) return kNever;
  if (virtual_) {
    // Only its own thread may call into this runtime: there is nobody else to ask.
    if (!engine_->Deadlocked()) ReportDeadlock();
    return kNever;
  }
  // The number of threads of all runtimes if everybody is asleep, else 0.
  const auto all_asleep = [] {
    int own_threads = kSanitizerThreads + AuxiliaryThreads();
    bool asleep = true;
    ForEachLiveCore([&](Core* core) {
      own_threads += core->KernelThreads();
      asleep &= core->IsAsleepForEver();
    });
    return asleep ? own_threads : 0;
  };
  // Looked at before and after the process's threads are counted: a foreign thread may wake somebody and then end, or have a machine
  // started that makes up for it in the count.
  // And no goroutine may have run meanwhile: it could have gone to sleep where the first look had already been (in a descriptor's
  // slot, say), and its processor where the look had not yet been.
  const auto dispatches = [] {
    uint64_t sum = 0;
    ForEachLiveCore([&sum](Core* core) {
      const int made = core->procs_made_.load(std::memory_order_relaxed);
      for (ProcId id = 0; id < made; ++id) sum += core->procs_[id].dispatches.Get();
    });
    return sum;
  };
  const uint64_t ran = dispatches();
  const int own_threads = all_asleep();
  const bool certain = own_threads != 0 && ThreadsOfProcess() == own_threads && all_asleep() == own_threads &&
                       dispatches() == ran;
  // A foreign thread may be one that is about to end. Looking again now and then costs next to nothing.
  if (!certain) return Now() + kLookAgain;
  ReportDeadlock();
}

void Core::ReportDeadlock() {
  if (LiveGoroutines() == 0) Fatal("no goroutines (main called gyre::Goexit) - deadlock!");
  Fatal("all goroutines are asleep - deadlock!");
}

}  // namespace gyre::internal
