#include "runtime/fault.h"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string>

#include "absl/debugging/symbolize.h"
#include "absl/strings/str_cat.h"
#include "runtime/core.h"
#include "runtime/dump.h"
#include "runtime/no_preempt.h"

namespace gyre::internal {

namespace {

constexpr size_t kSignalStack = 64 * 1024;

struct sigaction previous_segv;
struct sigaction previous_bus;

// The faulting goroutine's frames, by its frame pointers: the top of a stack that overflowed is worth more than its middle.
int FramesFrom(const ucontext_t* at, G* g, void** frames, int max) {
#if defined(__x86_64__)
  int count = 0;
  frames[count++] = reinterpret_cast<char*>(at->uc_mcontext.gregs[REG_RIP]) + 1;
  char* frame = reinterpret_cast<char*>(at->uc_mcontext.gregs[REG_RBP]);
  char* below = nullptr;
  // Where a stack has several parts, the next frame need not lie higher.
  const bool parts = g->core->stack_traits().needs_switch_hooks;
  const auto holds = [g](char* address) {
    return g->core->stacks().Holds(g->stack, reinterpret_cast<uintptr_t>(address));
  };
  while (count < max && (parts ? frame != below : frame > below) && holds(frame) && holds(frame + 15)) {
    void* return_address = reinterpret_cast<void**>(frame)[1];
    if (return_address == nullptr) break;
    frames[count++] = return_address;
    below = frame;
    frame = *reinterpret_cast<char**>(frame);
  }
  return count;
#else
  return 0;
#endif
}

[[noreturn]] void ReportOverflow(G* g, FaultAction action, uintptr_t address, const ucontext_t* at) {
  constexpr int kFrames = 50;
  void* frames[kFrames];
  const int count = FramesFrom(at, g, frames, kFrames);
  const std::string who = absl::StrCat("goroutine ", g->id, g->name != nullptr ? absl::StrCat(" (", g->name, ")") : "");
  std::string text;
  if (action == FaultAction::kOverflow) {
    text = absl::StrCat("runtime: ", who, " stack exceeds ", g->core->stacks().LimitAt(g->stack, address),
                        "-byte limit\nfatal error: stack overflow\n\n");
  } else {
    text = absl::StrCat("runtime: ", who, " stack cannot grow: no memory\nfatal error: out of memory\n\n");
  }
  DieWith(text + DumpGoroutine(g, frames, count));
}

void PassOn(const struct sigaction& previous, int signal, siginfo_t* info, void* context) {
  if ((previous.sa_flags & SA_SIGINFO) != 0) {
    previous.sa_sigaction(signal, info, context);
  } else if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) {
    previous.sa_handler(signal);
  } else {
    // The instruction faults again, and then as it would have without us.
    sigaction(signal, &previous, nullptr);
  }
}

void OnFault(int signal, siginfo_t* info, void* context) {
  G* g = This().g;
  if (g != nullptr && g->kind == GKind::kGoroutine) {
    // In any other state than "running" somebody else may change it.
    const bool running = g->state.load(std::memory_order_relaxed) == GState::kRunning;
    if (running) ChangeState<GState::kRunning, GState::kCopyStack>(g->state, g);
    const FaultAction action = g->core->stacks().OnFault(g->stack, reinterpret_cast<uintptr_t>(info->si_addr));
    if (running) ChangeState<GState::kCopyStack, GState::kRunning>(g->state, g);
    if (action == FaultAction::kRetry) return;
    if (action != FaultAction::kNotMine) {
      ReportOverflow(g, action, reinterpret_cast<uintptr_t>(info->si_addr), static_cast<ucontext_t*>(context));
    }
  }
  PassOn(signal == SIGSEGV ? previous_segv : previous_bus, signal, info, context);
}

}  // namespace

void InstallFaultHandler() {
  static std::once_flag once;
  std::call_once(once, [] {
    struct sigaction action;
    std::memset(&action, 0, sizeof(action));
    action.sa_sigaction = &OnFault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    sigemptyset(&action.sa_mask);
    sigaddset(&action.sa_mask, SIGURG);  // no preemption in the middle of a stack's growth
    sigaction(SIGSEGV, &action, &previous_segv);
    sigaction(SIGBUS, &action, &previous_bus);
  });
}

AlternateSignalStack::AlternateSignalStack() {
  stack_t now;
  if (sigaltstack(nullptr, &now) == 0 && (now.ss_flags & SS_DISABLE) == 0) return;
  void* memory = mmap(nullptr, kSignalStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return;  // an overflow will then be an ordinary crash
  stack_t ours{};
  ours.ss_sp = memory;
  ours.ss_size = kSignalStack;
  if (sigaltstack(&ours, nullptr) != 0) {
    munmap(memory, kSignalStack);
    return;
  }
  mine_ = memory;
}

AlternateSignalStack::~AlternateSignalStack() {
  if (mine_ == nullptr) return;
  stack_t off{};
  off.ss_flags = SS_DISABLE;
  sigaltstack(&off, nullptr);
  munmap(mine_, kSignalStack);
}

}  // namespace gyre::internal
