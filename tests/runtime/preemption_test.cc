// Nothing holds a processor: loops that call nothing, blocking calls, goroutines locked to their thread.
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "runtime/blocking.h"
#include "runtime/go.h"
#include "runtime/panic.h"
#include "runtime/park.h"
#include "tests/testing/runtime_test.h"

namespace gyre {
namespace {

using testing::Eventually;
using testing::RunWith;
using testing::Scaled;

pid_t ThreadId() { return static_cast<pid_t>(syscall(SYS_gettid)); }

// TSan holds signals back until the thread makes a call that it intercepts: a loop without calls is not interrupted there.
#if !defined(__SANITIZE_THREAD__)
void Compute(const std::atomic<bool>& stop) {
  while (!stop.load(std::memory_order_relaxed)) {
  }
}

TEST(Klt, PR_02_LoopsWithoutCallsDoNotStopOthers) {
  for (const char* config : {"preemption=klt:quantum=1ms,procs=1", "preemption=klt:quantum=200us,procs=2",
                             "preemption=klt:quantum=1ms,scheduler=global,procs=2", "preemption=klt:quantum=1ms,procs=4"}) {
    RunWith(config, [] {
      std::atomic<bool> stop{false};
      for (int i = 0; i < 6; ++i) Go([&] { Compute(stop); });
      int slept = 0;
      for (int i = 0; i < 20; ++i) {
        Sleep(absl::Microseconds(200));
        ++slept;
      }
      EXPECT_EQ(slept, 20);
      stop = true;
      EXPECT_TRUE(Eventually([] { return NumGoroutine() == 1; }));
    });
  }
}

TEST(Klt, GoroutinesLeftComputingDoNotKeepRunFromReturning) {
  Config config;
  ASSERT_TRUE(config.Apply("preemption=klt:quantum=1ms,procs=2").ok());
  static std::atomic<bool> never{false};
  Runtime runtime(config);
  EXPECT_FALSE(runtime.Run([] {
    for (int i = 0; i < 4; ++i) Go([] { Compute(never); });
    Sleep(absl::Milliseconds(5));
  }));
}
#endif

// What C++ code does all day, interrupted anywhere: the allocator's locks, thread-locals and exceptions in mid-flight.
TEST(Klt, PR_06_AnyCodeMayBeInterrupted) {
  RunWith("preemption=klt:quantum=100us,procs=2", [] {
    constexpr int kWorkers = 8;
    const int rounds = Scaled(400);
    std::atomic<long> total{0};
    std::atomic<int> ended{0};
    for (int w = 0; w < kWorkers; ++w) {
      Go([&, w] {
        long sum = 0;
        for (int i = 0; i < rounds; ++i) {
          std::map<std::string, int> counts;
          for (int k = 0; k < 20; ++k) counts[std::string(40, static_cast<char>('a' + (w + k) % 26))] += k;
          try {
            throw static_cast<int>(counts.size());
          } catch (int size) {
            sum += size;
          }
        }
        total += sum;
        ++ended;
      });
    }
    ASSERT_TRUE(Eventually([&] { return ended == kWorkers; }));
    EXPECT_EQ(total, long{kWorkers} * rounds * 20);
  });
}

TEST(Cooperative, PR_01_LoopsWithCheckpointsGiveWay) {
  RunWith("preemption=cooperative:quantum=1ms,procs=1", [] {
    std::atomic<bool> stop{false};
    for (int i = 0; i < 3; ++i) {
      Go([&] {
        while (!stop) Checkpoint();
      });
    }
    for (int i = 0; i < 10; ++i) Sleep(absl::Microseconds(200));
    stop = true;
    EXPECT_TRUE(Eventually([] { return NumGoroutine() == 1; }));
  });
}

GYRE_TEST(Processors, GR_09_SettingTheirNumberReturnsTheOldOne) {
  const int before = Procs();
  EXPECT_EQ(SetProcs(3), before);
  EXPECT_EQ(SetProcs(0), 3);
  EXPECT_EQ(SetProcs(-5), 3);
  EXPECT_EQ(Procs(), 3);
  EXPECT_EQ(SetProcs(1), 3);
  EXPECT_EQ(Procs(), 1);
  // Who was made on a processor that is gone still counts.
  std::atomic<int> ran{0};
  for (int i = 0; i < 10; ++i) Go([&] { ++ran; });
  EXPECT_TRUE(Eventually([&] { return ran == 10; }));
  EXPECT_EQ(SetProcs(before), 1);
}

TEST(Processors, TooManyAreRefusedInWords) {
  RunWith("procs=2", [] {
    try {
      SetProcs(5000);
      ADD_FAILURE();
    } catch (const PanicError& panic) {
      EXPECT_STREQ(panic.what(), "gyre::SetProcs(5000): there may be from 1 to 4096 processors");
    }
    EXPECT_EQ(Procs(), 2);
  });
  EXPECT_EQ(SetProcs(2), 0);  // a foreign thread
}

// Goroutines that compute, sleep, block and wake each other, while the number of processors goes up and down.
GYRE_TEST_ON_THREADS(Processors, GR_12_ChangingTheirNumberLosesNothing) {
  constexpr int kPairs = 10;
  const int rounds = Scaled(200);
  const int before = Procs();
  std::atomic<long> sum{0};
  std::atomic<int> ended{0};
  for (int i = 0; i < kPairs; ++i) {
    Go([&, i] {
      for (int k = 1; k <= rounds; ++k) {
        sum += k;
        Yield();
        if (k % 50 == i) Sleep(absl::Microseconds(300));
        if (k % 70 == i) Blocking([] { return usleep(100); });
        if (k % 90 == i) {
          std::atomic<bool> there{false};
          Go([&] { there = true; });
          EXPECT_TRUE(Eventually([&] { return there.load(); }));
        }
      }
      ++ended;
    });
  }
  int changes = 0;
  while (ended < kPairs) {
    for (int procs : {1, 2, 4, 8, 16, 8, 4, 2, 1}) {
      SetProcs(procs);
      EXPECT_EQ(Procs(), procs);
      Sleep(absl::Microseconds(500));
      ++changes;
    }
  }
  EXPECT_GE(changes, 9);
  EXPECT_EQ(sum, long{kPairs} * rounds * (rounds + 1) / 2);
  SetProcs(before);
}

#if !defined(__SANITIZE_THREAD__)
TEST(Processors, PR_03_LoopsWithoutCallsStopForIt) {
  RunWith("preemption=klt:quantum=1ms,procs=2", [] {
    std::atomic<bool> stop{false};
    for (int i = 0; i < 5; ++i) Go([&] { Compute(stop); });
    for (int procs : {4, 1, 3, 2, 8, 2}) SetProcs(procs);
    EXPECT_EQ(Procs(), 2);
    stop = true;
    EXPECT_TRUE(Eventually([] { return NumGoroutine() == 1; }));
  });
}
#endif

GYRE_TEST_ON_THREADS(BlockingCalls, SY_01_ACallThatLastsDoesNotHoldAProcessor) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  std::atomic<bool> read_done{false};
  std::atomic<int> counted{0};
  Go([&] {
    char byte = 0;
    const ssize_t n = Blocking([&] { return read(ends[0], &byte, 1); });
    EXPECT_EQ(n, 1);
    EXPECT_EQ(byte, 'x');
    read_done = true;
  });
  Go([&] {
    for (int i = 0; i < 100; ++i) {
      Yield();
      ++counted;
    }
  });
  EXPECT_TRUE(Eventually([&] { return counted == 100; }));
  EXPECT_FALSE(read_done);
  EXPECT_EQ(write(ends[1], "x", 1), 1);
  EXPECT_TRUE(Eventually([&] { return read_done.load(); }));
  close(ends[0]);
  close(ends[1]);
}

GYRE_TEST_ON_THREADS(BlockingCalls, SY_02_ManyAtOnceLeaveTheProcessorsFree) {
  constexpr int kReaders = 10;
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  std::atomic<int> done{0};
  for (int i = 0; i < kReaders; ++i) {
    Go([&] {
      char byte;
      if (Blocking([&] { return read(ends[0], &byte, 1); }) == 1) ++done;
    });
  }
  std::atomic<int> computed{0};
  for (int i = 0; i < 100; ++i) Go([&] { ++computed; });
  EXPECT_TRUE(Eventually([&] { return computed == 100; }));
  EXPECT_EQ(done, 0);
  EXPECT_EQ(write(ends[1], "0123456789", kReaders), kReaders);
  EXPECT_TRUE(Eventually([&] { return done == kReaders; }));
  close(ends[0]);
  close(ends[1]);
}

GYRE_TEST(BlockingCalls, SY_03_ShortCallsKeepTheirProcessorAndPassResultsAndExceptions) {
  int sum = 0;
  for (int i = 0; i < Scaled(1000); ++i) sum += Blocking([] { return 1; });
  EXPECT_EQ(sum, Scaled(1000));
  EXPECT_THROW(Blocking([]() -> int { throw 3; }), int);
  EXPECT_EQ(Blocking([] { return Blocking([] { return 5; }); }), 5);
}

TEST(BlockingCalls, SY_05_SettingTheThreadLimitReturnsTheOldOne) {
  RunWith("procs=2", [] {
    EXPECT_EQ(SetMaxThreads(500), 10000);
    EXPECT_EQ(SetMaxThreads(10000), 500);
  });
  EXPECT_EQ(SetMaxThreads(7), 0);  // a foreign thread
}

TEST(BlockingCallsDeathTest, SY_04_OneThreadTooManyIsFatal) {
  EXPECT_EXIT(RunWith("procs=2",
                      [] {
                        SetMaxThreads(10);
                        for (int i = 0; i < 100; ++i) {
                          Go([] {
                            LockOSThread();
                            Sleep(absl::Minutes(1));
                          });
                        }
                        Sleep(absl::Minutes(1));
                      }),
              ::testing::ExitedWithCode(2), "runtime: program exceeds 10-thread limit.*fatal error: thread exhaustion");
}

TEST(BlockingCalls, AForeignThreadJustCalls) {
  EXPECT_EQ(Blocking([] { return 7; }), 7);
}

GYRE_TEST_ON_THREADS(LockedThreads, GR_14_StayOnTheirThreadAlone) {
  std::atomic<bool> stop{false};
  std::atomic<int> others_there{0};
  std::atomic<pid_t> locked_thread{0};
  std::atomic<int> others{0};
  for (int i = 0; i < 8; ++i) {
    Go([&] {
      ++others;
      while (!stop) {
        if (ThreadId() == locked_thread) ++others_there;
        Yield();
      }
    });
  }
  std::atomic<bool> ended{false};
  Go([&] {
    LockOSThread();
    LockOSThread();
    locked_thread = ThreadId();
    std::set<pid_t> seen;
    for (int i = 0; i < 50; ++i) {
      Yield();
      seen.insert(ThreadId());
      Sleep(absl::Microseconds(20));
      seen.insert(ThreadId());
    }
    EXPECT_EQ(seen.size(), 1u);
    UnlockOSThread();
    Yield();
    EXPECT_EQ(ThreadId(), locked_thread);
    locked_thread = 0;
    UnlockOSThread();
    UnlockOSThread();  // one too many does nothing
    Yield();
    ended = true;
  });
  EXPECT_TRUE(Eventually([&] { return ended.load(); }));
  stop = true;
  EXPECT_TRUE(Eventually([&] { return NumGoroutine() == 1; }));
  EXPECT_EQ(others_there, 0);
}

GYRE_TEST_ON_THREADS(LockedThreads, GR_16_EndingWhileLockedEndsTheThread) {
  std::atomic<pid_t> thread{0};
  Go([&] {
    LockOSThread();
    thread = ThreadId();
  });
  ASSERT_TRUE(Eventually([&] { return thread != 0; }));
  EXPECT_TRUE(Eventually([&] { return access(("/proc/self/task/" + std::to_string(thread)).c_str(), F_OK) != 0; }));
}

}  // namespace
}  // namespace gyre
