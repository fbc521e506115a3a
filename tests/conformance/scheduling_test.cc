// Fairness and progress (rows SC), preemption (PR), what blocks and what does not (SY), threads (GR-15).
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <deque>
#include <functional>
#include <set>
#include <vector>

#include "channels/chan.h"
#include "channels/select.h"
#include "runtime/blocking.h"
#include "runtime/core.h"
#include "runtime/go.h"
#include "runtime/simulation/simulate.h"
#include "sync/cond.h"
#include "sync/mutex.h"
#include "sync/wait_group.h"
#include "tests/channels/watched.h"
#include "tests/testing/runtime_test.h"

namespace gyre {
namespace {

using testing::Eventually;
using testing::Matrix;
using testing::OnThreads;
using testing::RunUnder;
using testing::RunWith;
using testing::Scaled;
using testing::Watched;

pid_t ThreadId() {
  return static_cast<pid_t>(syscall(SYS_gettid));
}

// The kernel's count of this process's threads.
int Threads() {
  FILE* status = std::fopen("/proc/self/status", "re");
  int count = -1;
  char line[256];
  while (count < 0 && std::fgets(line, sizeof(line), status) != nullptr) std::sscanf(line, "Threads: %d", &count);
  std::fclose(status);
  return count;
}

Nanos ProcessCpuTime() {
  timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return t.tv_sec * 1'000'000'000 + t.tv_nsec;
}

// ---- Fairness ----

TEST(Fairness, SC_01_TheNewestFirstThenTheRestInOrder) {
  RunWith("scheduler=gmp,preemption=none,procs=1", [] {
    std::vector<int> order;
    WaitGroup wg;
    for (int i = 0; i < 10; ++i) wg.Go([&order, i] { order.push_back(i); });
    wg.Wait();
    EXPECT_EQ(order, (std::vector<int>{9, 0, 1, 2, 3, 4, 5, 6, 7, 8}));
  });
}

TEST(Fairness, SC_02_TwoYieldersAlternate) {
  for (const char* config : {"scheduler=gmp,preemption=none,procs=1", "scheduler=global,preemption=none,procs=1",
                             "engine=simulation,scheduler=gmp,procs=1"}) {
    RunWith(config, [] {
      std::vector<int> order;
      WaitGroup wg;
      for (int who = 0; who < 2; ++who) {
        wg.Go([&order, who] {
          for (int i = 0; i < 50; ++i) {
            order.push_back(who);
            Yield();
          }
        });
      }
      wg.Wait();
      ASSERT_EQ(order.size(), 100u);
      for (size_t i = 1; i < order.size(); ++i) ASSERT_NE(order[i], order[i - 1]) << i;
    });
  }
}

void SpinnerDoesNotStarve(bool locked) {
  Chan<int> message = MakeChan<int>(), acknowledged = MakeChan<int>();
  Watched spinner([=] {
    if (locked) LockOSThread();
    for (;;) {
      if (std::optional<int> got = message.TryRecv()) {
        acknowledged.Send(*got + 1);
        break;
      }
      Yield();
    }
    if (locked) UnlockOSThread();
  });
  Sleep(absl::Milliseconds(2));
  message.Send(6);
  EXPECT_EQ(acknowledged.Recv(), 7);
  EXPECT_TRUE(spinner.Ends());
}

GYRE_TEST(Fairness, SC_03_AYieldingSpinnerStarvesNobody) {
  SpinnerDoesNotStarve(false);
}
GYRE_TEST_ON_THREADS(Fairness, SC_03_NorOneThatIsLockedToItsThread) {
  SpinnerDoesNotStarve(true);
}

// As many goroutines as processors hand a turn round, each spinning for its own: all of them must be running at the
// same time, or give way.
GYRE_TEST_ON_THREADS(Fairness, SC_04_NestedSpinnersAllRun) {
  const int n = std::min(Procs(), 4);
  Chan<Unit> park = MakeChan<Unit>();
  for (int i = 0; i < 4; ++i) Go([=] { park.Recv(); });  // warm up: wake and park the other machines
  Yield();
  park.Close();
  std::atomic<int> turn{0};
  WaitGroup wg;
  wg.Go([&] {
    for (int g = 0; g < n; ++g) {
      wg.Go([&, g] {
        for (int round = 0; round < 5; ++round) {
          while (turn.load(std::memory_order_acquire) != round * n + g) Checkpoint(), Yield();
          turn.fetch_add(1, std::memory_order_release);
        }
      });
    }
  });
  wg.Wait();
  EXPECT_EQ(turn, 5 * n);
}

GYRE_TEST(Fairness, SC_05_RespawningGoroutinesDoNotKeepOthersOut) {
  std::atomic<bool> stop{false};
  std::atomic<int64_t> generations{0};
  struct Respawn {
    std::atomic<bool>* stop;
    std::atomic<int64_t>* generations;
    void operator()() const {
      ++*generations;
      if (!stop->load()) Go(Respawn(*this));
    }
  };
  for (int i = 0; i < 2; ++i) Go(Respawn{&stop, &generations});
  for (int i = 0; i < 20; ++i) Sleep(absl::Microseconds(100));
  stop = true;
  EXPECT_TRUE(Eventually([] { return NumGoroutine() == 1; }));
  EXPECT_GT(generations, 2);
}

// In the simulator, so that there are processors enough and nobody else takes their time.
TEST(Fairness, SC_09_IdleProcessorsHelpAProducer) {
  for (const char* scheduler : {"gmp", "global", "lifo", "cfcfs"}) {
    SimulateOptions options;
    options.config.scheduler = scheduler;
    options.config.procs = 4;
    constexpr int kTasks = 4000;
    std::set<int> used;
    const SimulationResult result = Simulate(options, [&] {
      WaitGroup wg;
      for (int i = 0; i < kTasks; ++i) {
        wg.Go([&] {
          Work(absl::Microseconds(50));
          used.insert(internal::Self()->last_proc);
        });
      }
      wg.Wait();
    });
    EXPECT_EQ(result.failure, "");
    EXPECT_GE(used.size(), 3u) << scheduler;
    EXPECT_LT(result.elapsed, kTasks * absl::Microseconds(50) / 2) << scheduler;
  }
}

// Nobody else can run these tasks: their maker goes on computing until they have been.
TEST(Fairness, SC_09_AMakerThatDoesNotYieldIsHelped) {
  for (const char* config : {"scheduler=gmp,procs=4,preemption=none", "scheduler=global,procs=2,preemption=none"}) {
    RunWith(config, [] {
      std::atomic<int> ran{0};
      for (int i = 0; i < 100; ++i) Go([&] { ++ran; });
      const Nanos give_up = NowNanos() + 30'000'000'000;
      while (ran != 100 && NowNanos() < give_up) {
      }
      EXPECT_EQ(ran, 100);
    });
  }
}

TEST(Fairness, SC_10_AWokenPartnerDoesNotWaitForItsWaker) {
  for (const char* config : {"scheduler=gmp,procs=2,preemption=none", "scheduler=global,procs=2,preemption=none",
                             "scheduler=gmp,procs=4,preemption=cooperative"}) {
    RunWith(config, [] {
      for (int round = 0; round < 20; ++round) {
        Chan<int> ch = MakeChan<int>(1);
        std::atomic<bool> received{false};
        Watched partner([&] {
          ch.Recv();
          received = true;
        });
        ASSERT_TRUE(partner.Blocks(WaitReason::kChanReceive));
        ch.Send(round);
        const Nanos give_up = NowNanos() + 30'000'000'000;
        while (!received && NowNanos() < give_up) {  // computes on: calls nothing that gives way
        }
        ASSERT_TRUE(received);
        ASSERT_TRUE(partner.Ends());
      }
    });
  }
  SimulateOptions options;
  options.config.procs = 2;
  const SimulationResult result = Simulate(options, [] {
    Chan<int> ch = MakeChan<int>(1);
    std::vector<Nanos> delays;
    Nanos sent = 0;
    Go([&] {
      while (ch.Recv() >= 0) delays.push_back(NowNanos() - sent);
    });
    for (int i = 0; i < 21; ++i) {
      Sleep(absl::Milliseconds(1));
      sent = NowNanos();
      ch.Send(i);
      Work(absl::Milliseconds(5));
    }
    std::sort(delays.begin(), delays.end());
    ASSERT_EQ(delays.size(), 21u);
    EXPECT_LT(delays[10], 1'000'000);
    ch.Send(-1);
    Sleep(absl::Milliseconds(1));
  });
  EXPECT_EQ(result.failure, "");
}

// CPU time: what else the machine does has no part in it.
TEST(Fairness, SC_11_AnIdleRuntimeSleeps) {
  for (const char* scheduler : {"gmp", "global", "lifo", "las", "fair"}) {
    for (const char* preemption : {"cooperative", "klt"}) {
      RunWith(absl::StrCat("procs=4,scheduler=", scheduler, ",preemption=", preemption), [&] {
        Chan<Unit> never = MakeChan<Unit>();
        for (int i = 0; i < 100; ++i) Go([=] { never.Recv(); });
        Sleep(absl::Milliseconds(20));
        const Nanos before = ProcessCpuTime();
        Sleep(absl::Milliseconds(500));
        EXPECT_LT(ProcessCpuTime() - before, 20'000'000) << scheduler;
        never.Close();
      });
    }
  }
}

TEST(Fairness, SC_12_ABlockedGoroutineIsNoThread) {
  for (const char* config :
       {"scheduler=gmp,procs=4", "scheduler=global,procs=2", "scheduler=gmp,procs=2,preemption=klt"}) {
    RunWith(config, [config] {
      const int n = Scaled(10000);
      Chan<Unit> release = MakeChan<Unit>();
      Mutex mu, of_cond;
      Cond cond(&of_cond);
      std::atomic<bool> stop{false};
      std::atomic<int> started{0};
      mu.Lock();
      WaitGroup wg;
      for (int i = 0; i < n; ++i) {
        wg.Go([&, i] {
          ++started;
          switch (i % 5) {
            case 0:
              release.Recv();
              break;
            case 1:
              Select(release.OnRecv([] {}), Chan<int>().OnRecv([] {}));
              break;
            case 2: {
              MutexLock hold(&mu);
              break;
            }
            case 3: {
              MutexLock hold(&of_cond);
              while (!stop) cond.Wait();
              break;
            }
            default:
              while (!stop) Sleep(absl::Milliseconds(5));
          }
        });
      }
      ASSERT_TRUE(Eventually([&] { return started == n; }));
      // And the test's own, and a sanitizer's. Under klt there are spare threads besides, and goroutines that are
      // interrupted, not blocked, keep theirs.
      const bool in_place = std::string(config).find("klt") != std::string::npos;
      EXPECT_LE(Threads(), Procs() + 8 + 2 + (in_place ? Procs() + 16 : 0));
      release.Close();
      mu.Unlock();
      of_cond.Lock();
      stop = true;
      of_cond.Unlock();
      cond.Broadcast();
      wg.Wait();
    });
  }
}

// ---- Preemption ----

#if !defined(__SANITIZE_THREAD__)  // which holds signals back in loops without calls
TEST(Preemption, PR_01_TwoThatWaitForEachOtherInLoopsProgress) {
  for (const char* config :
       {"procs=1,preemption=klt:quantum=1ms", "procs=1,scheduler=global,preemption=klt:quantum=1ms"}) {
    RunWith(config, [] {
      std::atomic<int> flips{0};
      WaitGroup wg;
      for (int side = 0; side < 2; ++side) {
        wg.Go([&flips, side] {
          for (int i = 0; i < 5; ++i) {
            while (flips.load(std::memory_order_relaxed) % 2 != side) {
            }
            ++flips;
          }
        });
      }
      wg.Wait();
      EXPECT_EQ(flips, 10);
    });
  }
}
#endif

// Where no machine is loaded: in virtual time.
TEST(Preemption, PR_04_ATurnEndsAfterTenMilliseconds) {
  for (const char* preemption : {"cooperative", "klt"}) {
    SimulateOptions options;
    options.config.preemption = preemption;
    options.config.procs = 1;
    const SimulationResult result = Simulate(options, [] {
      std::atomic<bool> stop{false};
      Nanos first_gap = 0;
      const Nanos start = NowNanos();
      Go([&] {
        Nanos last = NowNanos();
        while (!stop) {
          Work(absl::Microseconds(10));
          const Nanos now = NowNanos();
          if (first_gap == 0 && now - last > 100'000) first_gap = last - start;
          last = now;
        }
      });
      Go([&] {
        while (!stop) Work(absl::Microseconds(200)), Yield();
      });
      Sleep(absl::Milliseconds(100));
      stop = true;
      EXPECT_GE(first_gap, 10'000'000 - 1'000'000);
      EXPECT_LE(first_gap, 40'000'000);
      Sleep(absl::Milliseconds(1));
    });
    EXPECT_EQ(result.failure, "") << preemption;
  }
}

TEST(Preemption, PR_05_ALoneGoroutineLosesNothing) {
  absl::Duration with, without;
  for (const char* preemption : {"none", "cooperative", "klt"}) {
    SimulateOptions options;
    options.config.preemption = preemption;
    options.config.procs = 2;
    const SimulationResult result = Simulate(options, [] { Work(absl::Seconds(2)); });
    EXPECT_EQ(result.failure, "");
    EXPECT_LE(result.elapsed, absl::Seconds(2) * 1.02) << preemption;
  }
}

// ---- Blocking ----

GYRE_TEST_ON_THREADS(Locked, SY_09_ALockedGoroutineThatWaitsHoldsNoProcessor) {
  std::atomic<bool> stop{false};
  std::atomic<int64_t> counted{0};
  Watched counter([&] {
    while (!stop) ++counted, Yield();
  });
  Mutex mu;
  Chan<int> ch = MakeChan<int>();
  const auto grows = [&] {  // while the locked one waits; whoever calls it is not locked
    const int64_t before = counted;
    EXPECT_TRUE(Eventually([&] { return counted > before + 10; }));
  };
  mu.Lock();
  std::atomic<int64_t> at_sleep{0}, after_sleep{0};
  Watched locked([&] {
    LockOSThread();
    at_sleep = counted.load();
    Sleep(absl::Milliseconds(5));
    after_sleep = counted.load();
    ch.Recv();
    mu.Lock();
    mu.Unlock();
    UnlockOSThread();
  });
  EXPECT_TRUE(locked.Blocks(WaitReason::kChanReceive));
  EXPECT_GT(after_sleep, at_sleep);
  grows();
  ch.Send(1);
  EXPECT_TRUE(locked.Blocks(WaitReason::kMutexLock));
  grows();
  mu.Unlock();
  EXPECT_TRUE(locked.Ends());
  stop = true;
  EXPECT_TRUE(counter.Ends());
}

GYRE_TEST_ON_THREADS(Locked, GR_15_LocksNest) {
  const auto locked = [] { return internal::Self()->lock_count; };
  EXPECT_EQ(locked(), 0u);
  LockOSThread();
  LockOSThread();
  EXPECT_EQ(locked(), 2u);
  UnlockOSThread();
  EXPECT_EQ(locked(), 1u);
  const pid_t thread = ThreadId();
  for (int i = 0; i < 20; ++i) {
    Yield();
    EXPECT_EQ(ThreadId(), thread);
  }
  UnlockOSThread();
  EXPECT_EQ(locked(), 0u);
  UnlockOSThread();
  EXPECT_EQ(locked(), 0u);
  Yield();
}

TEST(Blocking, SY_03_ShortCallsStartNoThreads) {
  RunWith("procs=1", [] {
    Blocking([] { return 0; });
    const int threads = Threads();
    const int calls = Scaled(1'000'000);
    int64_t sum = 0;
    for (int i = 0; i < calls; ++i) sum += Blocking([&] { return i & 1; });
    EXPECT_EQ(sum, calls / 2);
    EXPECT_LE(Threads(), threads + 8);  // a loaded machine makes one of them last now and then, and spares are kept
  });
}

TEST(Blocking, SY_05_TheThreadLimitIsTenThousandUnlessSaid) {
  EXPECT_EQ(Config().max_threads, 10000);
  Config config;
  EXPECT_TRUE(config.Apply("max_threads=77").ok());
  EXPECT_EQ(config.max_threads, 77);
  EXPECT_FALSE(config.Apply("max_threads=0").ok());
}

TEST(Blocking, SY_02_FiftyAtOnce) {
  RunWith("procs=2", [] {
    constexpr int kReaders = 50;
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    std::atomic<int> in_call{0}, done{0}, computed{0};
    for (int i = 0; i < kReaders; ++i) {
      Go([&] {
        char byte;
        if (Blocking([&] { return ++in_call, read(ends[0], &byte, 1); }) == 1) ++done;
      });
    }
    for (int i = 0; i < 1000; ++i) Go([&] { ++computed; });
    EXPECT_TRUE(Eventually([&] { return computed == 1000 && in_call == kReaders; }));
    EXPECT_EQ(done, 0);
    EXPECT_GE(Threads(), kReaders);
    EXPECT_LE(Threads(), kReaders + 2 + 10);
    for (int i = 0; i < kReaders; ++i) ASSERT_EQ(write(ends[1], "x", 1), 1);
    EXPECT_TRUE(Eventually([&] { return done == kReaders; }));
    close(ends[0]);
    close(ends[1]);
  });
}

}  // namespace
}  // namespace gyre
