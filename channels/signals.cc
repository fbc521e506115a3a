// A handler marks its signal as pending and writes to an eventfd; a thread reads that and sends. So nothing but two system calls'
// worth happens in a handler, wherever it interrupts.
#include "channels/signals.h"

#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <string>
#include <vector>

#include "runtime/panic.h"
#include "runtime/raw_lock.h"

namespace gyre {

namespace {

constexpr int kSignals = 65;  // 1 to 64

std::atomic<uint64_t> pending{0};  // a bit for each signal, less one
int wake_up = -1;                  // the eventfd; written before any handler is installed

void OnSignal(int signal) {
  const int error = errno;
  const uint64_t bit = uint64_t{1} << (signal - 1);
  // Whoever marks the first since the thread's last look wakes it. Sequentially consistent, as the thread's exchange is.
  if (pending.fetch_or(bit, std::memory_order_seq_cst) == 0) {
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = write(wake_up, &one, sizeof(one));
  }
  errno = error;
}

enum class Effect : uint8_t { kBefore, kNotify, kIgnore };

struct Listener {
  Chan<int> channel;
  uint64_t wanted = 0;  // as `pending`
};

struct State {
  internal::RawLock lock;
  std::vector<Listener> listeners ABSL_GUARDED_BY(lock);
  Effect effect[kSignals] ABSL_GUARDED_BY(lock) = {};
  struct sigaction before[kSignals] ABSL_GUARDED_BY(lock);
};

// Never destroyed: the thread stays.
State& TheState() {
  static auto* state = new State;
  return *state;
}

void SendAll(uint64_t signals) {
  State& state = TheState();
  std::vector<Listener> listeners;
  {
    internal::RawLockHolder hold(state.lock);
    listeners = state.listeners;
  }
  for (int signal = 1; signal < kSignals; ++signal) {
    const uint64_t bit = uint64_t{1} << (signal - 1);
    if ((signals & bit) == 0) continue;
    for (Listener& listener : listeners) {
      if ((listener.wanted & bit) == 0) continue;
      try {
        (void)listener.channel.TrySend(signal);
      } catch (const PanicError&) {
        // Closed: its owner is done with it, and should have said so.
      }
    }
  }
}

void* Deliver(void*) {
  // Signals that the process gets are for other threads.
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
  for (;;) {
    uint64_t count;
    if (read(wake_up, &count, sizeof(count)) < 0 && errno != EINTR) return nullptr;
    if (const uint64_t signals = pending.exchange(0, std::memory_order_seq_cst); signals != 0) SendAll(signals);
  }
}

void StartThread() {
  static const bool started = [] {
    wake_up = eventfd(0, EFD_CLOEXEC);
    pthread_t thread;
    if (wake_up < 0 || pthread_create(&thread, nullptr, &Deliver, nullptr) != 0) {
      Panic("gyre::NotifySignal: no thread to deliver signals can be started: " + std::string(std::strerror(errno)));
    }
    pthread_detach(thread);
    return true;
  }();
  (void)started;
}

bool Catchable(int signal) {
  switch (signal) {
    case SIGKILL:
    case SIGSTOP:
    case SIGSEGV:
    case SIGBUS:
    case SIGFPE:
    case SIGILL:
    case SIGURG:
      return false;
    default:
      // Between the standard ones and SIGRTMIN are libc's own.
      return signal >= 1 && signal < kSignals && (signal < 32 || signal >= SIGRTMIN);
  }
}

std::vector<int> Chosen(const char* who, std::initializer_list<int> signals) {
  std::vector<int> chosen(signals);
  for (int signal : chosen) {
    if (!Catchable(signal)) {
      Panic(std::string(who) + ": signal " + std::to_string(signal) +
            " is none that a program may handle; those are all but SIGKILL, SIGSTOP, the faults' and SIGURG");
    }
  }
  if (chosen.empty()) {
    for (int signal = 1; signal < kSignals; ++signal) {
      if (Catchable(signal)) chosen.push_back(signal);
    }
  }
  return chosen;
}

void SetEffect(State& state, int signal, Effect effect) ABSL_EXCLUSIVE_LOCKS_REQUIRED(state.lock) {
  Effect& now = state.effect[signal];
  if (now == effect) return;
  struct sigaction action;
  std::memset(&action, 0, sizeof(action));
  action.sa_flags = SA_RESTART | SA_ONSTACK;
  sigemptyset(&action.sa_mask);
  action.sa_handler = effect == Effect::kNotify ? &OnSignal : SIG_IGN;
  const struct sigaction* next = effect == Effect::kBefore ? &state.before[signal] : &action;
  sigaction(signal, next, now == Effect::kBefore ? &state.before[signal] : nullptr);
  now = effect;
}

// No channel wants `signal`.
void Unwant(State& state, int signal) ABSL_EXCLUSIVE_LOCKS_REQUIRED(state.lock) {
  for (Listener& listener : state.listeners) listener.wanted &= ~(uint64_t{1} << (signal - 1));
}

}  // namespace

void NotifySignal(const Chan<int>& c, std::initializer_list<int> signals) {
  if (c == Chan<int>()) Panic("gyre::NotifySignal: the channel is nil");
  const std::vector<int> chosen = Chosen("gyre::NotifySignal", signals);
  StartThread();
  State& state = TheState();
  internal::RawLockHolder hold(state.lock);
  auto found = std::find_if(state.listeners.begin(), state.listeners.end(),
                            [&](const Listener& listener) { return listener.channel == c; });
  if (found == state.listeners.end()) found = state.listeners.insert(found, {c, 0});
  for (int signal : chosen) {
    found->wanted |= uint64_t{1} << (signal - 1);
    SetEffect(state, signal, Effect::kNotify);
  }
}

void StopSignal(const Chan<int>& c) {
  State& state = TheState();
  internal::RawLockHolder hold(state.lock);
  std::erase_if(state.listeners, [&](const Listener& listener) { return listener.channel == c; });
  uint64_t wanted = 0;
  for (const Listener& listener : state.listeners) wanted |= listener.wanted;
  for (int signal = 1; signal < kSignals; ++signal) {
    if (state.effect[signal] == Effect::kNotify && (wanted >> (signal - 1) & 1) == 0) {
      SetEffect(state, signal, Effect::kBefore);
    }
  }
}

void IgnoreSignal(std::initializer_list<int> signals) {
  const std::vector<int> chosen = Chosen("gyre::IgnoreSignal", signals);
  State& state = TheState();
  internal::RawLockHolder hold(state.lock);
  for (int signal : chosen) {
    Unwant(state, signal);
    SetEffect(state, signal, Effect::kIgnore);
  }
}

void ResetSignal(std::initializer_list<int> signals) {
  const std::vector<int> chosen = Chosen("gyre::ResetSignal", signals);
  State& state = TheState();
  internal::RawLockHolder hold(state.lock);
  for (int signal : chosen) {
    Unwant(state, signal);
    SetEffect(state, signal, Effect::kBefore);
  }
}

bool SignalIgnored(int signal) {
  State& state = TheState();
  internal::RawLockHolder hold(state.lock);
  return signal >= 1 && signal < kSignals && state.effect[signal] == Effect::kIgnore;
}

}  // namespace gyre
