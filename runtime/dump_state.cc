#include "runtime/dump_state.h"

#include <signal.h>

#include <atomic>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "runtime/core.h"
#include "runtime/dump.h"
#include "runtime/live_cores.h"
#include "runtime/no_preempt.h"

namespace gyre {

namespace internal {

std::vector<TransitionCount> Core::Transitions() {
  uint64_t spawned = static_cast<uint64_t>(injected_spawns_.load(std::memory_order_relaxed));
  uint64_t readies = injected_readies_.load(std::memory_order_relaxed);
  uint64_t exited = 0, dispatches = 0, parks = 0, calls = 0, in_calls = 0;
  for (ProcId id = 0; id < procs_made_; ++id) {
    Processor& p = procs_[id];
    exited += p.exited.Get();
    parks += p.parks.Get();
    readies += p.readies.Get();
    dispatches += p.dispatches.Get();
    calls += p.syscalls.Get();
    spawned += p.spawned.Get();
    in_calls += p.in_call.load(std::memory_order_relaxed) != nullptr;
  }
  const uint64_t returned = returned_calls_.load(std::memory_order_relaxed);
  const uint64_t away = returned + in_calls + static_cast<uint64_t>(retaken_.load(std::memory_order_relaxed));
  const uint64_t in_place = preempted_in_place_.load(std::memory_order_relaxed);
  // Giving way is not counted, for that is a hot path; but who begins to run was made, readied, brought back or gave way.
  uint64_t runnable = 0;
  ForEachGoroutine([&](G* g) { runnable += g->state.load(std::memory_order_relaxed) == GState::kRunnable; });
  const uint64_t brought = spawned + readies + returned + in_place;
  const uint64_t yields = dispatches + runnable > brought ? dispatches + runnable - brought : 0;
  std::vector<TransitionCount> counts = {
      {GState::kIdle, GState::kRunnable, spawned},
      {GState::kRunnable, GState::kRunning, dispatches},
      {GState::kRunning, GState::kRunnable, yields},
      {GState::kRunning, GState::kWaiting, parks},
      {GState::kWaiting, GState::kRunnable, readies},
      {GState::kRunning, GState::kSyscall, calls},
      {GState::kSyscall, GState::kRunning, calls > away ? calls - away : 0},
      {GState::kSyscall, GState::kRunnable, returned},
      {GState::kRunning, GState::kPreempted, in_place},
      // But for those whose processor has not found its next machine yet.
      {GState::kPreempted, GState::kRunnable, in_place},
      {GState::kRunning, GState::kDead, exited},
      {GState::kDead, GState::kIdle, exited},
  };
  return counts;
}

namespace {

std::string Summary(Core* core) {
  std::map<GState, int64_t> states;
  core->ForEachGoroutine([&](G* g) { ++states[g->state.load(std::memory_order_relaxed)]; });
  std::string text = "goroutines:";
  const char* separator = " ";
  for (const auto& [state, count] : states) {
    absl::StrAppend(&text, separator, count, " ", GStateName(state));
    separator = ", ";
  }
  text += "\nchanges of state so far:\n";
  for (const TransitionCount& one : core->Transitions()) {
    const std::string name = absl::StrCat(GStateName(one.from), " > ", GStateName(one.to));
    absl::StrAppendFormat(&text, "  %-22s %d\n", name, one.count);
  }
  return text + "\n";
}

std::atomic<bool> quit_asked{false};
std::atomic<Core*> quit_core{nullptr};

void OnQuit(int) {
  quit_asked.store(true, std::memory_order_seq_cst);
  // Its end clears the pointer first, and lives on for the other machines' sake.
  if (Core* core = quit_core.load(std::memory_order_seq_cst)) core->engine().WakeMonitor();
}

}  // namespace

void DumpOnQuitSignal() {
  struct sigaction action = {};
  action.sa_handler = &OnQuit;
  action.sa_flags = static_cast<int>(SA_RESETHAND) | SA_ONSTACK | SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(SIGQUIT, &action, nullptr);
}

void SetQuitRuntime(Core* core) {
  quit_core.store(core, std::memory_order_seq_cst);
}

void DieIfQuit() {
  if (!quit_asked.load(std::memory_order_relaxed)) return;
  SaveTraces();
  DieWith(absl::StrCat("SIGQUIT: quit\n\n", DumpState()));
}

}  // namespace internal

std::string DumpState() {
  internal::NoPreempt off;
  std::string text;
  if (internal::Machine* m = internal::This().m; m != nullptr) {
    text = internal::Summary(m->core);
  } else {
    internal::ForEachLiveCore([&](internal::Core* core) { text += internal::Summary(core); });
  }
  return text + internal::DumpGoroutines(nullptr, 0);
}

}  // namespace gyre
