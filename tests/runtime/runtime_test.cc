// Runtimes as objects: one after another, side by side, with foreign threads around them.
#include "runtime/runtime.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <deque>
#include <thread>
#include <vector>

#include "runtime/blocking.h"
#include "runtime/go.h"
#include "runtime/park.h"
#include "tests/testing/runtime_test.h"

namespace gyre {
namespace {

using testing::Eventually;
using testing::Scaled;

Config Procs(int procs) {
  Config config = *Config::FromEnvironment();
  config.procs = procs;
  return config;
}

// A one-shot event built on park and ready alone, for goroutines and foreign threads.
class Event {
 public:
  void Wait() {
    internal::G* self = internal::Self();
    lock_.Lock();
    if (set_) {
      lock_.Unlock();
      return;
    }
    waiters_.push_back(self);
    internal::PreparePark(self, WaitReason::kSemacquire, this);
    lock_.Unlock();
    internal::Park(self);
  }
  void Set() {
    std::vector<internal::G*> waiters;
    {
      internal::RawLockHolder hold(lock_);
      set_ = true;
      waiters.swap(waiters_);
    }
    for (internal::G* g : waiters) internal::Ready(g);
  }

 private:
  internal::RawLock lock_;
  bool set_ = false;
  std::vector<internal::G*> waiters_;
};

TEST(Runtimes, RS_02_OneAfterAnother) {
  int sum = 0;
  for (int i = 0; i < Scaled(100); ++i) {
    Runtime runtime(Procs(1 + i % 4));
    ASSERT_TRUE(runtime.Run([&] {
      std::atomic<int> done{0};
      for (int k = 0; k < 10; ++k) Go([&] { ++done; });
      ASSERT_TRUE(Eventually([&] { return done == 10; }));
      sum += done;
    }));
  }
  EXPECT_EQ(sum, Scaled(100) * 10);
}

TEST(Runtimes, SideBySideAndWakingEachOther) {
  Runtime first(Procs(2));
  Runtime second(Procs(2));
  const int rounds = Scaled(500);
  std::deque<Event> pings(rounds);
  std::deque<Event> pongs(rounds);
  int answered = 0;
  std::thread other([&] {
    second.Run([&] {
      for (int i = 0; i < rounds; ++i) {
        pings[i].Wait();
        pongs[i].Set();
      }
    });
  });
  first.Run([&] {
    for (int i = 0; i < rounds; ++i) {
      pings[i].Set();
      pongs[i].Wait();
      ++answered;
    }
  });
  other.join();
  EXPECT_EQ(answered, rounds);
}

TEST(Runtimes, RS_06_ForeignThreadsStartGoroutines) {
  constexpr int kThreads = 8;
  const int each = Scaled(2000);
  Runtime runtime(Procs(2));
  std::atomic<int> ran{0};
  std::atomic<int> counted_wrong{0};
  runtime.Run([&] {
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&] {
        if (NumGoroutine() != 0 || gyre::Procs() != 0) ++counted_wrong;  // such a thread is in no runtime
        for (int i = 0; i < each; ++i) runtime.Go([&] { ++ran; });
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_TRUE(Eventually([&] { return ran == kThreads * each && NumGoroutine() == 1; }));
  });
  EXPECT_EQ(ran, kThreads * each);
  EXPECT_EQ(counted_wrong, 0);
  EXPECT_EQ(runtime.Stats().spawned, static_cast<uint64_t>(kThreads * each + 1));
}

TEST(Runtimes, ForeignThreadsBlockAndAreWoken) {
  Runtime runtime(Procs(2));
  const int rounds = Scaled(300);
  std::deque<Event> pings(rounds);
  std::deque<Event> pongs(rounds);
  int answered = 0;
  std::thread foreign([&] {
    for (int i = 0; i < rounds; ++i) {
      pings[i].Wait();
      pongs[i].Set();
    }
  });
  runtime.Run([&] {
    for (int i = 0; i < rounds; ++i) {
      pings[i].Set();
      pongs[i].Wait();
      ++answered;
    }
  });
  foreign.join();
  EXPECT_EQ(answered, rounds);
}

TEST(Runtimes, GoBeforeRun) {
  for (int procs : {1, 4}) {
    Runtime runtime(Procs(procs));
    std::atomic<int> ran{0};
    for (int i = 0; i < 100; ++i) runtime.Go([&] { ++ran; });
    runtime.Run([&] { EXPECT_TRUE(Eventually([&] { return ran == 100; })); });
    EXPECT_EQ(ran, 100);
  }
}

TEST(Runtimes, EndsWhileGoroutinesAreParkedAndYielding) {
  for (int i = 0; i < Scaled(50); ++i) {
    Runtime runtime(Procs(4));
    EXPECT_TRUE(runtime.Run([] {
      for (int k = 0; k < 20; ++k) {
        Go([] { internal::ParkForever(WaitReason::kChanReceive); });
        Go([] {
          for (;;) Yield();
        });
        Go([] { Sleep(absl::Hours(1)); });
      }
      Yield();
    }));
    EXPECT_GT(runtime.NumGoroutine(), 0);
  }
}

// A goroutine comes back from a blocking call whose processor was retaken, and ends the program before its machine has taken it off
// the count of those in calls. (Found by the soak: Run said that somebody computes on.)
TEST(Runtimes, EndsAsABlockingCallComesBack) {
  for (int i = 0; i < Scaled(200); ++i) {
    Runtime runtime(Procs(1 + i % 3));
    EXPECT_TRUE(runtime.Run([] {
      Blocking([] { return usleep(300); });
    }));
  }
}

TEST(Runtimes, StatsCount) {
  Runtime runtime(Procs(1));
  runtime.Run([] {
    std::atomic<int> done{0};
    for (int i = 0; i < 10; ++i) {
      Go([&] {
        Sleep(absl::Microseconds(1));
        ++done;
      });
    }
    while (done != 10) Yield();
  });
  const RuntimeStats stats = runtime.Stats();
  EXPECT_EQ(stats.spawned, 11u);
  EXPECT_GE(stats.exited, 10u);
  EXPECT_GE(stats.parks, 10u);
  EXPECT_GE(stats.readies, 10u);
  EXPECT_GE(stats.switches, 20u);
}

// A ring of parked goroutines, woken one by the other, while others yield: every hand-over crosses park and ready.
GYRE_TEST(ParkReady, ARingLosesNoWakeUp) {
  constexpr int kNodes = 16;
  const int laps = Scaled(200);
  std::deque<std::deque<Event>> events(laps);
  for (auto& lap : events) lap.resize(kNodes + 1);
  std::atomic<bool> stop{false};
  for (int i = 0; i < 2; ++i) {
    Go([&] {
      while (!stop) Yield();
    });
  }
  for (int node = 0; node < kNodes; ++node) {
    Go([&, node] {
      for (int lap = 0; lap < laps; ++lap) {
        events[lap][node].Wait();
        events[lap][node + 1].Set();
      }
    });
  }
  for (int lap = 0; lap < laps; ++lap) {
    events[lap][0].Set();
    events[lap][kNodes].Wait();
  }
  stop = true;
  EXPECT_TRUE(Eventually([] { return NumGoroutine() == 1; }));
}

}  // namespace
}  // namespace gyre
