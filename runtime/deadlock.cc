// All goroutines are asleep: nobody in the process can ever wake one.
//
// That is certain when every processor of every runtime in the process is quiet (asleep after an exhaustive look that found
// nothing), no timer is pending, and the process has no thread but the runtimes' own. A foreign thread might call Ready at any
// time, so while there is one nothing is reported.
#include <dirent.h>

#include "runtime/core.h"
#include "runtime/dump.h"
#include "runtime/live_cores.h"
#include "runtime/panic.h"
#include "runtime/sanitizers.h"

namespace gyre::internal {

namespace {

int ThreadsOfProcess() {
  DIR* tasks = opendir("/proc/self/task");
  if (tasks == nullptr) return -1;  // cannot tell
  int count = 0;
  while (dirent* entry = readdir(tasks)) count += entry->d_name[0] != '.';
  closedir(tasks);
  return count;
}

constexpr Nanos kLookAgain = 50'000'000;

constexpr int kSanitizerThreads = sanitizers::kThread ? 1 : 0;  // TSan runs one of its own

}  // namespace

bool Core::IsAsleepForEver() {
  if (retaken_.load(std::memory_order_seq_cst) != 0) return false;  // the kernel will let some goroutine go on
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
  // The threads come first, then, once more, the processors: a foreign thread that has ended since the look above may have made
  // a goroutine runnable before it did.
  const int threads = ThreadsOfProcess();
  int own_threads = kSanitizerThreads;
  bool all_asleep = true;
  ForEachLiveCore([&](Core* core) {
    own_threads += core->KernelThreads();
    all_asleep &= core->IsAsleepForEver();
  });
  // A foreign thread may be one that is about to end. Looking again now and then costs next to nothing.
  if (!all_asleep || threads != own_threads) return Now() + kLookAgain;
  ReportDeadlock();
}

void Core::ReportDeadlock() {
  if (LiveGoroutines() == 0) Fatal("no goroutines (main called gyre::Goexit) - deadlock!");
  Fatal("all goroutines are asleep - deadlock!");
}

}  // namespace gyre::internal
