// The engine of real programs: a machine is a kernel thread that sleeps on a futex, time is the machine's.
#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "runtime/core.h"
#include "runtime/engine.h"
#include "runtime/futex.h"
#include "runtime/netpoll.h"
#include "runtime/park.h"

namespace gyre::internal {

namespace {

constexpr size_t kMachineStack = 256 * 1024;  // the scheduler's loop, timers' callbacks and a policy's code need less
constexpr Nanos kMonitorSlice = 100'000;      // the kernel's shortest

// The calling thread runs seldom and shortly, and is wanted at once: it asks the kernel for turns of `slice` (from Linux 6.12
// on, EEVDF lets a waking thread with a shorter turn go before those with longer ones), and for timers that are exact. Both
// are wishes.
void AskForPromptness(Nanos slice) {
  prctl(PR_SET_TIMERSLACK, 1);
  struct {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
  } attributes = {};
  if (syscall(SYS_sched_getattr, 0, &attributes, sizeof(attributes), 0) != 0 || attributes.policy != SCHED_OTHER) return;
  attributes.runtime = static_cast<uint64_t>(slice);
  syscall(SYS_sched_setattr, 0, &attributes, 0);
}

// Starts a detached thread with all signals as the caller has them. 0 or an error number.
int StartThread(void* (*body)(void*), void* argument) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&attributes, kMachineStack);
  pthread_t thread;
  const int error = pthread_create(&thread, &attributes, body, argument);
  pthread_attr_destroy(&attributes);
  return error;
}

class ThreadsEngine final : public Engine {
 public:
  explicit ThreadsEngine(uint64_t seed) : seed_(seed) {
    if (seed_ == 0 && getrandom(&seed_, sizeof(seed_), 0) != sizeof(seed_)) seed_ = MonotonicClock();
  }

  Nanos Now() override { return MonotonicClock(); }
  absl::Time WallNow() override { return absl::Now(); }
  uint64_t Seed() override { return seed_; }

  absl::Status StartMachine(Machine* m) override {
    // The thread keeps the core alive.
    auto* start = new Start{m, m->core->shared_from_this()};
    const int error = StartThread(
        [](void* argument) -> void* {
          std::unique_ptr<Start> start(static_cast<Start*>(argument));
          start->core->MachineMain(start->machine);
          return nullptr;
        },
        start);
    if (error != 0) {
      delete start;
      return absl::ResourceExhaustedError(absl::StrCat("gyre: cannot start a kernel thread: ", std::strerror(error),
                                                       " (see ulimit -u and the container's limit of processes)"));
    }
    return absl::OkStatus();
  }

  bool ParkMachine(Machine* m, Nanos deadline) override {
    // Acquire: what the waker did before is visible.
    while (m->wake_word.exchange(0, std::memory_order_acquire) == 0) {
      if (deadline != kNever && Now() >= deadline) return m->wake_word.exchange(0, std::memory_order_acquire) != 0;
      FutexWait(m->wake_word, 0, deadline);
    }
    return true;
  }

  // The waker writes wake_word, then reads in_poller; the sleeper writes in_poller, then reads wake_word. In the single order of
  // these four one of the two sees the other.
  void UnparkMachine(Machine* m) override {
    m->wake_word.store(1);
    if (m->in_poller.load()) [[unlikely]] {
      poller_->WakeSleeper();
    } else {
      FutexWake(m->wake_word, 1);
    }
  }

  absl::StatusOr<std::shared_ptr<Poller>> MakePoller() override {
    absl::StatusOr<std::shared_ptr<Poller>> made = Poller::Create();
    if (made.ok()) poller_ = *made;
    return made;
  }

  bool ParkMachineInPoller(Machine* m, Nanos deadline, Poller& poller, PollBatch* batch) override {
    if (!poller.BeginSleep()) return ParkMachine(m, deadline);
    m->in_poller.store(true);
    bool woken;
    for (;;) {
      woken = m->wake_word.exchange(0) != 0;
      if (woken || batch->count != 0 || (deadline != kNever && Now() >= deadline)) break;
      poller.Sleep(deadline, batch);
    }
    m->in_poller.store(false);
    poller.EndSleep();
    return woken;
  }

  void Relax(int round) override {
    constexpr int kPatience = 32;  // rounds until the other thread has probably lost its CPU to us
    if (round >= kPatience) {
      sched_yield();
      return;
    }
    for (int i = 0; i < 20; ++i) __builtin_ia32_pause();
  }

  absl::Status StartMonitor(std::function<Nanos()> tick) override {
    tick_ = std::move(tick);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, kMachineStack);
    const int error = pthread_create(
        &monitor_, &attributes,
        [](void* self) -> void* {
          static_cast<ThreadsEngine*>(self)->RunMonitor();
          return nullptr;
        },
        this);
    pthread_attr_destroy(&attributes);
    if (error != 0) {
      return absl::ResourceExhaustedError(absl::StrCat("gyre: cannot start the monitor's thread: ", std::strerror(error)));
    }
    return absl::OkStatus();
  }

  int KernelThreads(int machines) const override {
    return machines + 2;  // the monitor's, and the one that waits in Run
  }

  void Work(Nanos d) override {
    // A gap in our own sequence of clock readings is time in which others ran: it does not count.
    constexpr Nanos kGap = 5'000;
    Nanos left = d;
    for (Nanos last = Now(); left > 0;) {
      CheckPreempt();
      const Nanos now = Now();
      if (now - last < kGap) left -= now - last;
      last = now;
    }
  }

  void WakeMonitor() override {
    // Not over kStopped.
    uint32_t expected = kWaiting;
    if (!monitor_word_.compare_exchange_strong(expected, kWoken, std::memory_order_release)) return;
    FutexWake(monitor_word_, 1);
  }

  void StopMonitor() override {
    monitor_word_.store(kStopped, std::memory_order_release);
    FutexWake(monitor_word_, 1);
    pthread_join(monitor_, nullptr);
  }

 private:
  struct Start {
    Machine* machine;
    std::shared_ptr<Core> core;
  };

  void RunMonitor() {
    AskForPromptness(kMonitorSlice);
    while (monitor_word_.load(std::memory_order_acquire) != kStopped) {
      const Nanos next = tick_();
      uint32_t expected = kWoken;
      if (monitor_word_.compare_exchange_strong(expected, kWaiting, std::memory_order_acq_rel)) continue;
      if (expected == kWaiting) FutexWait(monitor_word_, kWaiting, next);
    }
  }

  static constexpr uint32_t kWaiting = 0, kWoken = 1, kStopped = 2;
  uint64_t seed_;
  std::shared_ptr<Poller> poller_;
  std::function<Nanos()> tick_;
  pthread_t monitor_;
  std::atomic<uint32_t> monitor_word_{kWaiting};
};

}  // namespace

std::unique_ptr<Engine> MakeThreadsEngine(const Config& config) { return std::make_unique<ThreadsEngine>(config.seed); }

}  // namespace gyre::internal
