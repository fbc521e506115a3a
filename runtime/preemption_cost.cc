#include "runtime/preemption_cost.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>

#include "runtime/core.h"
#include "runtime/futex.h"

namespace gyre::internal {

namespace {

constexpr int kTries = 200;

// A signal's way to its own thread, its handler on an alternate stack, the way back, and winding a timer.
Nanos CostOfSignal() {
  // A signal of its own, so that nobody's handler is in the way.
  const int signal = SIGRTMAX - 1;
  struct sigaction action, before;
  std::memset(&action, 0, sizeof(action));
  static std::atomic<int> handled{0};
  action.sa_handler = [](int) { handled.fetch_add(1, std::memory_order_relaxed); };
  action.sa_flags = SA_RESTART;
  sigaction(signal, &action, &before);
  sigset_t set, mask;
  sigemptyset(&set);
  sigaddset(&set, signal);
  pthread_sigmask(SIG_UNBLOCK, &set, &mask);
  const pid_t process = getpid(), thread = static_cast<pid_t>(syscall(SYS_gettid));
  sigevent event;
  std::memset(&event, 0, sizeof(event));
  event.sigev_notify = SIGEV_NONE;
  int timer = 0;
  const bool has_timer = syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &timer) == 0;
  const itimerspec later = {{1, 0}, {1, 0}};
  Nanos least = kNever;
  for (int i = 0; i < kTries; ++i) {
    const Nanos begin = MonotonicClock();
    syscall(SYS_tgkill, process, thread, signal);
    if (has_timer) syscall(SYS_timer_settime, timer, 0, &later, nullptr);
    least = std::min(least, MonotonicClock() - begin);
  }
  if (has_timer) syscall(SYS_timer_delete, timer);
  sigaction(signal, &before, nullptr);
  pthread_sigmask(SIG_SETMASK, &mask, nullptr);
  return least;
}

// From a thread to another on the same CPU, which is where the processor's next machine should run.
Nanos CostOfHandOver() {
  static std::atomic<uint32_t> turn{0};
  turn = 0;
  cpu_set_t before, here;
  const bool pinned = sched_getaffinity(0, sizeof(before), &before) == 0;
  if (pinned) {
    CPU_ZERO(&here);
    CPU_SET(sched_getcpu(), &here);
    sched_setaffinity(0, sizeof(here), &here);
  }
  pthread_t other;
  const auto play = [](uint32_t mine) {
    for (int i = 0; i < kTries; ++i) {
      while (turn.load(std::memory_order_acquire) != mine) FutexWait(turn, 1 - mine);
      turn.store(1 - mine, std::memory_order_release);
      FutexWake(turn, 1);
    }
  };
  static Nanos least;
  least = kNever;
  // It inherits the CPU.
  const int error = pthread_create(
      &other, nullptr,
      [](void* play_it) -> void* {
        (*static_cast<decltype(play)*>(play_it))(1);
        return nullptr;
      },
      const_cast<void*>(static_cast<const void*>(&play)));
  if (error == 0) {
    for (int i = 0; i < kTries; ++i) {
      const Nanos begin = MonotonicClock();
      while (turn.load(std::memory_order_acquire) != 0) FutexWait(turn, 1);
      turn.store(1, std::memory_order_release);
      FutexWake(turn, 1);
      while (turn.load(std::memory_order_acquire) != 0) FutexWait(turn, 1);
      least = std::min(least, MonotonicClock() - begin);
    }
    pthread_join(other, nullptr);
  }
  if (pinned) sched_setaffinity(0, sizeof(before), &before);
  return error == 0 ? least / 2 : 0;
}

}  // namespace

Nanos CostOfPreemption(PreemptionMeans means) {
  static RawLock lock;
  static Nanos signal = 0, hand_over = 0;
  RawLockHolder hold(lock);
  if (signal == 0) signal = CostOfSignal();
  if (means == PreemptionMeans::kCall) return signal;
  if (hand_over == 0) hand_over = CostOfHandOver();
  // To the spare thread, and from there to the next goroutine's own.
  return signal + 2 * hand_over;
}

Nanos Core::CostOf(PreemptionMeans means) { return virtual_ ? 0 : CostOfPreemption(means); }

}  // namespace gyre::internal
