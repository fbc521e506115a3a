// Goroutines that are interrupted anywhere, under the strategies that do that: nothing is lost, whatever they were at.
//
// The soak takes a second for each strategy; GYRE_SOAK_SECONDS=600 in the environment makes it ten minutes.
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "plugins/registry.h"
#include "runtime/blocking.h"
#include "runtime/go.h"
#include "runtime/park.h"
#include "tests/testing/runtime_test.h"

namespace gyre {
namespace {

using testing::Eventually;
using testing::RunWith;
using testing::Scaled;

#if defined(__SANITIZE_THREAD__)
constexpr bool kThreadSanitizer = true;  // holds signals back until the thread makes a call that it intercepts
#else
constexpr bool kThreadSanitizer = false;
#endif

double SoakSeconds() {
  const char* text = std::getenv("GYRE_SOAK_SECONDS");
  return text != nullptr ? std::atof(text) : 1;
}

// ---- counters of threads ----

std::mutex counters_lock;
std::vector<std::shared_ptr<long>> counters;

struct ThreadCounter {
  ThreadCounter() {
    const std::lock_guard<std::mutex> hold(counters_lock);
    counters.push_back(count);
  }
  std::shared_ptr<long> count = std::make_shared<long>(0);
};

// Read, added to and written back, in a function of its own: it may be interrupted in the middle, and its thread must be the
// same afterwards.
[[gnu::noinline]] void CountOnThisThread() {
  static thread_local ThreadCounter mine;
  long value = *mine.count;
  for (int i = 0; i < 10; ++i) asm volatile("" : "+r"(value));
  *mine.count = value + 1;
}

// ---- the soak ----

class Work {
 public:
  explicit Work(std::FILE* file) : file_(file) {}

  // One round of what C++ code does all day. Returns what must be the same every time.
  long Round(int seed, bool with_locks) {
    long sum = 0;
    std::vector<std::unique_ptr<char[]>> blocks;
    for (int i = 1; i <= 16; ++i) {
      blocks.push_back(std::make_unique<char[]>(static_cast<size_t>(i * 37)));
      std::memset(blocks.back().get(), seed + i, static_cast<size_t>(i * 37));
    }
    void* block = std::malloc(5000);
    std::memset(block, seed, 5000);
    block = std::realloc(block, 9000);
    sum += static_cast<unsigned char*>(block)[4999] == static_cast<unsigned char>(seed);
    std::free(block);
    for (int i = 1; i <= 16; ++i) sum += blocks[static_cast<size_t>(i - 1)][static_cast<size_t>(i * 37 - 1)] == static_cast<char>(seed + i);
    std::map<std::string, int> names;
    for (int i = 0; i < 20; ++i) names["a name that is too long for the object " + std::to_string((seed + i) % 10)] += i;
    for (const auto& [name, count] : names) sum += count;
    try {
      try {
        throw std::runtime_error(std::string(100, 'x'));
      } catch (const std::exception& error) {
        sum += static_cast<long>(std::strlen(error.what()));
        throw 7;
      }
    } catch (int seven) {
      sum += seven;
    }
    char text[200];
    sum += std::snprintf(text, sizeof(text), "%d %s %.3f", 12345, "words", 0.125);
    if (with_locks) {
      std::fprintf(file_, "%s\n", text);
      const std::lock_guard<std::mutex> hold(mutex_);
      ++locked_;
    }
    return sum;
  }

  long locked() const { return locked_; }

 private:
  std::FILE* const file_;
  std::mutex mutex_;
  long locked_ = 0;
};

void Soak(const std::string& config, bool with_locks) {
  std::FILE* file = std::fopen("/dev/null", "w");
  ASSERT_NE(file, nullptr);
  Work work(file);
  const long expected = work.Round(0, false);
  {
    const std::lock_guard<std::mutex> hold(counters_lock);
    counters.clear();
  }
  RunWith(config, [&] {
    constexpr int kWorkers = 8;
    alarm(static_cast<unsigned>(SoakSeconds()) + testing::kTimeoutSeconds);  // the watchdog's, for long soaks
    const Nanos end = NowNanos() + static_cast<Nanos>(SoakSeconds() * 1e9);
    std::atomic<long> rounds{0}, wrong{0};
    std::atomic<int> ended{0};
    for (int w = 0; w < kWorkers; ++w) {
      Go([&, w] {
        long mine = 0;
        do {
          if (work.Round(w, with_locks) != expected) ++wrong;
          if (with_locks) CountOnThisThread();
          ++mine;
        } while (NowNanos() < end);
        rounds += mine;
        ++ended;
      });
    }
    while (ended < kWorkers) {
      Sleep(absl::Milliseconds(5));
      ASSERT_LT(NowNanos(), end + 60'000'000'000) << "somebody hangs";
    }
    EXPECT_EQ(wrong, 0);
    if (with_locks) {
      EXPECT_EQ(work.locked(), rounds);
    }
    long counted = 0;
    const std::lock_guard<std::mutex> hold(counters_lock);
    for (const auto& count : counters) counted += *count;
    if (with_locks) {
      EXPECT_EQ(counted, rounds);
    }
    if (!kThreadSanitizer) {
      EXPECT_GT(CurrentStats().preemptions, 0u);
    }
  });
  std::fclose(file);
}

TEST(Soak, KltInterruptsAnyCode) { Soak("preemption=klt:quantum=100us,force=on,procs=2", true); }
TEST(Soak, KltInterruptsAnyCodeOnOneProcessor) { Soak("preemption=klt:quantum=100us,force=on,procs=1", true); }
TEST(Soak, KltUnderTheSharedQueue) { Soak("preemption=klt:quantum=100us,force=on,scheduler=global,procs=2", true); }
// Not over locks and counters that threads share: what it says that a program must not do.
TEST(Soak, SignalInterruptsTheProgramsOwnCode) { Soak("preemption=signal:quantum=100us,force=on,procs=2", false); }

// ---- preemption by a call ----

void Compute(const std::atomic<bool>& stop) {
  while (!stop.load(std::memory_order_relaxed)) {
  }
}

TEST(Signal, PR_02_LoopsWithoutCallsDoNotStopOthers) {
  if (kThreadSanitizer) GTEST_SKIP() << "ThreadSanitizer holds signals back in loops without calls";
  for (const char* config : {"preemption=signal:quantum=1ms,procs=1", "preemption=signal:quantum=1ms,procs=2",
                             "preemption=signal:quantum=1ms,scheduler=global,procs=2",
                             "preemption=signal:quantum=1ms,stack=fixed,procs=4"}) {
    RunWith(config, [] {
      std::atomic<bool> stop{false};
      for (int i = 0; i < 6; ++i) Go([&] { Compute(stop); });
      int slept = 0;
      for (int i = 0; i < 20; ++i) {
        Sleep(absl::Microseconds(200));
        ++slept;
      }
      EXPECT_EQ(slept, 20);
      EXPECT_GT(CurrentStats().preempted_by_call, 0u);
      EXPECT_EQ(CurrentStats().preempted_in_place, 0u);
      stop = true;
      EXPECT_TRUE(Eventually([] { return NumGoroutine() == 1; }));
    });
  }
}

// Integer, vector and x87 registers, and the flags, over thousands of interruptions between any two instructions.
[[gnu::noinline]] double Churn(uint64_t seed, int steps) {
  double a = 1.0 + static_cast<double>(seed % 7), b = 0.5, c[8] = {1, 2, 3, 4, 5, 6, 7, 8};
  long double wide = 1.0L;
  uint64_t x = seed, carry = 0;
  for (int i = 0; i < steps; ++i) {
    x = x * 6364136223846793005u + 1442695040888963407u;
    carry += __builtin_add_overflow(x, seed, &x) ? 1 : 0;
    a = a * 0.999 + static_cast<double>(x >> 40) * 1e-9;
    for (double& lane : c) lane = lane * 0.75 + a;
    b += c[i & 7] * 1e-3;
    wide = wide * 0.9999L + 1e-5L * static_cast<long double>(i & 15);
  }
  return a + b + static_cast<double>(wide) + static_cast<double>(carry) + c[3];
}

TEST(Signal, EveryRegisterComesBack) {
  const int steps = Scaled(2000000);
  std::vector<double> expected;
  for (uint64_t w = 0; w < 4; ++w) expected.push_back(Churn(w, steps));
  RunWith("preemption=signal:quantum=50us,force=on,procs=2", [&] {
    std::atomic<int> ended{0}, moved{0};
    std::vector<double> results(4);
    for (size_t w = 0; w < 4; ++w) {
      Go([&, w] {
        const auto thread = syscall(SYS_gettid);
        errno = static_cast<int>(w);
        results[w] = Churn(w, steps);
        if (errno != static_cast<int>(w) || syscall(SYS_gettid) != thread) ++moved;
        ++ended;
      });
    }
    EXPECT_TRUE(Eventually([&] { return ended == 4; }));
    EXPECT_EQ(results, expected);
    EXPECT_EQ(moved, 0) << "a goroutine came back on another thread, or with another errno";
  });
}

// The threads of goroutines that wait to come back to them are kept by others, who block or lock them.
TEST(Signal, ThreadsThatOthersKeepAreLeftToThoseWhoMustComeBack) {
  if (kThreadSanitizer) GTEST_SKIP() << "ThreadSanitizer holds signals back in loops without calls";
  RunWith("preemption=signal:quantum=100us,force=on,procs=2", [] {
    std::atomic<bool> stop{false};
    std::atomic<int> blocked{0};
    for (int i = 0; i < 4; ++i) Go([&] { Compute(stop); });
    for (int i = 0; i < 20; ++i) {
      Go([&] {
        Blocking([] { return usleep(2000); });
        LockOSThread();
        Sleep(absl::Milliseconds(1));
        UnlockOSThread();
        ++blocked;
      });
    }
    EXPECT_TRUE(Eventually([&] { return blocked == 20; }));
    stop = true;
    EXPECT_TRUE(Eventually([] { return NumGoroutine() == 1; }));
  });
}

class NarrowStacks final : public StackAllocator {
 public:
  absl::Status Start(int, const PluginOptions&) override { return absl::OkStatus(); }
  Stack Allocate(ProcContext&, size_t) override { return {}; }
  void Free(ProcContext&, Stack) override {}
  void ForEach(absl::FunctionRef<void(const Stack&)>) override {}
  StackStats Stats() const override { return {}; }
  StackTraits traits() const override { return {.can_signal_on_stack = false}; }
};

TEST(Signal, StacksWithoutRoomForItsFrameAreRefusedInWords) {
  Config config;
  ASSERT_TRUE(config.Apply("preemption=signal,stack=narrow").ok());
  EXPECT_EQ(Runtime::Create(config).status().message(),
            "preemption signal puts a frame on the stack of the goroutine that it interrupts, where stack narrow may have no "
            "room; use preemption klt, cooperative or none, or stack contiguous or fixed");
}

// ---- slices ----

TEST(Slices, APolicysSliceIsObeyed) {
  if (kThreadSanitizer) GTEST_SKIP() << "ThreadSanitizer holds signals back in loops without calls";
  // The strategy's own quantum is ten seconds: without the policy's, nothing would be preempted.
  for (const char* strategy : {"klt", "signal"}) {
    RunWith(std::string("scheduler=cfcfs:quantum=1ms,procs=1,preemption=") + strategy + ":quantum=10s", [] {
      std::atomic<bool> stop{false};
      for (int i = 0; i < 3; ++i) Go([&] { Compute(stop); });
      for (int i = 0; i < 5; ++i) Sleep(absl::Milliseconds(1));
      EXPECT_GE(CurrentStats().preemptions, 5u);
      stop = true;
      EXPECT_TRUE(Eventually([] { return NumGoroutine() == 1; }));
    });
  }
}

// ---- what else happens to a process ----

TEST(BlockingCalls, TwoHundredAtOnceTakeAsLongAsOne) {
  for (const char* strategy : {"klt", "cooperative"}) {
    RunWith(std::string("procs=2,preemption=") + strategy, [] {
      constexpr int kCalls = 200;
      std::atomic<int> done{0}, cut_short{0};
      for (int i = 0; i < kCalls; ++i) {
        Go([&] {
          // usleep does not go on after a signal: none may come.
          if (Blocking([] { return usleep(100'000); }) != 0) ++cut_short;
          ++done;
        });
      }
      EXPECT_TRUE(Eventually([&] { return done == kCalls; }));
      EXPECT_EQ(cut_short, 0);
    });
  }
}

// Timers, SIGCHLD, SIGPROF and SIGURG in great number, from a thread of its own.
TEST(Storm, SignalsLoseNoWakeUp) {
  static std::atomic<long> seen{0};
  struct sigaction count = {}, before[2];
  count.sa_handler = [](int) { ++seen; };
  count.sa_flags = SA_RESTART | SA_ONSTACK;
  sigaction(SIGPROF, &count, &before[0]);
  sigaction(SIGCHLD, &count, &before[1]);
  for (const char* strategy : {"klt:quantum=200us,force=on", "signal:quantum=200us,force=on", "cooperative"}) {
    std::atomic<bool> stop{false};
    std::thread storm([&] {
      while (!stop) {
        for (int signal : {SIGPROF, SIGURG, SIGCHLD}) kill(getpid(), signal);
        usleep(100);
      }
    });
    RunWith(std::string("procs=2,preemption=") + strategy, [] {
      const int rounds = Scaled(2000);
      std::atomic<int> ended{0};
      for (int pair = 0; pair < 4; ++pair) {
        Go([&] {
          for (int i = 0; i < rounds; ++i) {
            std::atomic<bool> there{false};
            Go([&] { there = true; });
            while (!there) Yield();
            if (i % 100 == 0) Sleep(absl::Microseconds(100));
            if (i % 100 == 50) Blocking([] { return usleep(10); });
          }
          ++ended;
        });
      }
      EXPECT_TRUE(Eventually([&] { return ended == 4; }));
    });
    stop = true;
    storm.join();
  }
  EXPECT_GT(seen, 0);
  sigaction(SIGPROF, &before[0], nullptr);
  sigaction(SIGCHLD, &before[1], nullptr);
}

TEST(Processes, ForkAndExecFromAGoroutine) {
  for (const char* strategy : {"klt:quantum=1ms", "signal:quantum=1ms", "cooperative"}) {
    RunWith(std::string("procs=2,preemption=") + strategy, [] {
      std::atomic<bool> stop{false};
      std::atomic<int> right{0};
      if (!kThreadSanitizer) Go([&] { Compute(stop); });
      for (int i = 0; i < 4; ++i) {
        Go([&, i] {
          const pid_t child = fork();
          if (child == 0) {
            const std::string code = "exit " + std::to_string(i + 3);
            execl("/bin/sh", "sh", "-c", code.c_str(), nullptr);
            _exit(1);
          }
          int status = 0;
          const pid_t waited = Blocking([&] { return waitpid(child, &status, 0); });
          if (waited == child && WIFEXITED(status) && WEXITSTATUS(status) == i + 3) ++right;
        });
      }
      EXPECT_TRUE(Eventually([&] { return right == 4; }));
      stop = true;
      EXPECT_TRUE(Eventually([] { return NumGoroutine() == 1; }));
    });
  }
}

}  // namespace
}  // namespace gyre

GYRE_REGISTER_STACK("narrow", gyre::NarrowStacks, "has no room for a signal's frame");
