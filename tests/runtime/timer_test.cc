// The raw timers under Sleep, NewTimer and deadlines.
#include "runtime/timer.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <vector>

#include "runtime/go.h"
#include "runtime/park.h"
#include "tests/testing/runtime_test.h"

namespace gyre::internal {
namespace {

using testing::Eventually;
using testing::Scaled;

constexpr Nanos kMs = 1'000'000;

struct Probe : Timer {
  Probe() : Timer(&Fire) {}
  static void Fire(Timer* timer, Nanos now) {
    auto* probe = static_cast<Probe*>(timer);
    if (now < probe->due) ++probe->early;
    probe->fired_at = now;
    ++probe->fired;
  }
  Nanos due = 0;
  std::atomic<int> fired{0};
  std::atomic<int> early{0};
  std::atomic<Nanos> fired_at{0};
};

GYRE_TEST(Timers, FireOnceAndNotEarly) {
  std::vector<std::unique_ptr<Probe>> probes;
  const Nanos start = MonotonicNow();
  for (int i = 0; i < 50; ++i) {
    probes.push_back(std::make_unique<Probe>());
    probes.back()->due = start + (i * 37 % 50) * kMs / 20;
    EXPECT_FALSE(probes.back()->Start(probes.back()->due));
  }
  for (auto& probe : probes) {
    EXPECT_TRUE(Eventually([&] { return probe->fired == 1; }));
    EXPECT_EQ(probe->early, 0);
    EXPECT_FALSE(probe->Stop());
  }
}

GYRE_TEST(Timers, StopPreventsAndSaysSo) {
  Probe probe;
  EXPECT_FALSE(probe.Stop());
  probe.Start(MonotonicNow() + 3600 * 1000 * kMs);
  EXPECT_TRUE(probe.Stop());
  EXPECT_FALSE(probe.Stop());
  EXPECT_EQ(probe.fired, 0);
}

GYRE_TEST(Timers, StartAgainMovesIt) {
  Probe probe;
  probe.Start(kNever);
  EXPECT_TRUE(probe.Start(MonotonicNow()));
  EXPECT_TRUE(Eventually([&] { return probe.fired == 1; }));
  EXPECT_FALSE(probe.Start(MonotonicNow() + kMs / 10));
  EXPECT_TRUE(Eventually([&] { return probe.fired == 2; }));
}

GYRE_TEST(Timers, PeriodicOnesRepeatUntilStopped) {
  Probe probe;
  probe.Start(MonotonicNow(), kMs / 10);
  EXPECT_TRUE(Eventually([&] { return probe.fired >= 5; }));
  EXPECT_TRUE(probe.Stop());
  const int fired = probe.fired;
  Sleep(absl::Milliseconds(1));
  EXPECT_EQ(probe.fired, fired);
}

GYRE_TEST(Timers, StartAndStopRaceFromManyGoroutines) {
  Probe shared;
  std::atomic<int> ended{0};
  for (int i = 0; i < 6; ++i) {
    Go([&, i] {
      for (int k = 0; k < Scaled(300); ++k) {
        if ((i + k) % 3 == 0) {
          shared.Stop();
        } else {
          shared.Start(MonotonicNow() + (k % 5) * kMs / 100);
        }
        if (k % 16 == 0) Yield();
      }
      ++ended;
    });
  }
  EXPECT_TRUE(Eventually([&] { return ended == 6; }));
  shared.Stop();
  const int fired = shared.fired;
  Yield();
  EXPECT_EQ(shared.fired, fired);
}

}  // namespace
}  // namespace gyre::internal
