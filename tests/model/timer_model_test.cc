// Random timers and contexts in virtual time, where a model knows at which instant everything happens: what a Stop or a
// Reset returns, what a channel holds, which function has run how often, which context has ended and why.
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "channels/chan.h"
#include "channels/time.h"
#include "context/context.h"
#include "runtime/go.h"
#include "runtime/simulation/simulate.h"
#include "tests/model/seeds.h"
#include "tests/testing/runtime_test.h"

namespace gyre::testing {
namespace {

constexpr Nanos kUnit =
    1'000'000;  // of model time; operations are at even multiples, deadlines at odd ones: never at once

// Runs `body` under several schedulers and numbers of processors; code and switches take no time.
template <typename Body>
void InVirtualTime(uint64_t seed, Body body) {
  for (const char* scheduler : {"gmp", "global", "random", "lifo"}) {
    for (int procs : {1, 3}) {
      SimulateOptions options;
      options.config.scheduler = scheduler;
      options.config.procs = procs;
      options.config.seed = seed;
      const SimulationResult result = Simulate(options, [&] { body(); });
      ASSERT_EQ(result.failure, "") << "seed " << seed << ", " << scheduler << ", procs " << procs;
      ASSERT_EQ(result.goroutines_left, 0) << "seed " << seed;
      if (::testing::Test::HasFailure()) {
        ADD_FAILURE() << "seed " << seed << " under scheduler=" << scheduler << ",procs=" << procs;
        return;
      }
    }
  }
}

// Waits for the next even instant that is at least `units` away.
class ModelClock {
 public:
  ModelClock() : start_(NowNanos()) {}
  int now() const { return now_; }  // in units
  void Advance(int even_units) {
    now_ += even_units;
    Sleep(absl::Nanoseconds(start_ + now_ * kUnit - NowNanos()));
    Wait();
  }
  // For a deadline at the odd instant `at`.
  absl::Duration Until(int at) const { return absl::Nanoseconds(start_ + at * kUnit - NowNanos()); }

 private:
  const Nanos start_;
  int now_ = 0;
};

// ---- Timers ----

struct ModelTimer {
  enum Kind { kChannel, kFunction, kTicker } kind;
  Timer timer;
  Ticker ticker;
  std::shared_ptr<int> calls = std::make_shared<int>(0);

  int due = -1;       // -1: not armed
  int period = 0;     // ticker
  bool full = false;  // a value is there to be received
  int expected_calls = 0;

  // Time passes until `now`.
  void Advance(int now) {
    while (due >= 0 && due < now) {
      if (kind == kFunction) {
        ++expected_calls;
      } else {
        full = true;
      }
      due = kind == kTicker ? due + period : -1;
    }
  }
};

void RandomTimers(uint64_t seed) {
  Random random(seed);
  ModelClock clock;
  std::vector<ModelTimer> timers;
  const auto odd_from_now = [&] { return clock.now() + 1 + 2 * random.Below(6); };
  for (int step = 0; step < 60 && !::testing::Test::HasFailure(); ++step) {
    const std::string where = absl::StrCat("seed ", seed, ", step ", step, ", time ", clock.now());
    if (timers.empty() || random.OneIn(6)) {
      ModelTimer& t = timers.emplace_back();
      t.kind = random.OneIn(2) ? ModelTimer::kChannel : ModelTimer::kFunction;
      t.due = odd_from_now();
      if (t.kind == ModelTimer::kChannel) {
        t.timer = NewTimer(clock.Until(t.due));
      } else {
        t.timer = AfterFunc(clock.Until(t.due), [calls = t.calls] { ++*calls; });
      }
    }
    ModelTimer& t = timers[random.Below(static_cast<int>(timers.size()))];
    switch (random.Below(5)) {
      case 0:  // stop
        EXPECT_EQ(t.timer.Stop(), t.due >= 0 || t.full) << where;
        t.due = -1;
        t.full = false;
        break;
      case 1: {  // reset
        const int due = odd_from_now();
        EXPECT_EQ(t.timer.Reset(clock.Until(due)), t.due >= 0 || t.full) << where;
        t.due = due;
        t.full = false;
        break;
      }
      case 2:
      case 3: {  // receive what is there
        if (t.kind == ModelTimer::kFunction) break;
        EXPECT_EQ(t.timer.C.Len(), 0) << where;
        EXPECT_EQ(t.timer.C.TryRecv().has_value(), t.full) << where;
        t.full = false;
        break;
      }
      default:
        clock.Advance(2 * random.Below(5));
        for (ModelTimer& each : timers) each.Advance(clock.now());
    }
    for (ModelTimer& each : timers) EXPECT_EQ(*each.calls, each.expected_calls) << where;
  }
  for (ModelTimer& t : timers) t.timer.Stop();
}

TEST(TimerModel, RandomTimersDoWhatTheModelSays) {
  for (uint64_t seed : Seeds(Scaled(100))) {
    InVirtualTime(seed, [seed] { RandomTimers(seed); });
    if (::testing::Test::HasFailure()) return;
  }
}

// Tickers alone: from an odd start, with even periods.
void RandomTickers(uint64_t seed) {
  Random random(seed);
  ModelClock clock;
  Sleep(absl::Nanoseconds(kUnit));  // the real clock is at the odd instant 1, the model's at 0
  std::vector<ModelTimer> tickers(1 + random.Below(4));
  for (ModelTimer& t : tickers) {
    t.kind = ModelTimer::kTicker;
    t.period = 2 + 2 * random.Below(3);
    t.ticker = NewTicker(absl::Nanoseconds(t.period * kUnit));
    t.due = 1 + t.period;
  }
  for (int step = 0; step < 60 && !::testing::Test::HasFailure(); ++step) {
    const std::string where = absl::StrCat("seed ", seed, ", step ", step, ", time ", clock.now());
    ModelTimer& t = tickers[random.Below(static_cast<int>(tickers.size()))];
    switch (random.Below(4)) {
      case 0:
        EXPECT_EQ(t.ticker.C.TryRecv().has_value(), t.full) << where;
        t.full = false;
        break;
      case 1:
        if (random.OneIn(4)) {
          t.ticker.Stop();
          t.due = -1;
          t.full = false;
        }
        break;
      default:
        clock.Advance(2 * (1 + random.Below(4)));
        for (ModelTimer& each : tickers) each.Advance(clock.now());
    }
  }
  for (ModelTimer& t : tickers) t.ticker.Stop();
}

TEST(TimerModel, RandomTickersDoWhatTheModelSays) {
  for (uint64_t seed : Seeds(Scaled(60))) {
    InVirtualTime(seed, [seed] { RandomTickers(seed); });
    if (::testing::Test::HasFailure()) return;
  }
}

// ---- Contexts ----

struct ModelContext {
  context::Context ctx;
  context::CancelCauseFunc cancel_cause;
  context::CancelFunc cancel;
  int parent = -1;   // of which it is a descendant as far as its end goes; -1: of none
  int deadline = 0;  // 0: none of its own
  bool has_cancel = false, has_cause = false;

  std::string err, cause;  // expected; empty: not ended
};

std::string TextOf(const Error& error) {
  return error == nullptr ? "" : error->Error();
}

void RandomContexts(uint64_t seed) {
  Random random(seed);
  ModelClock clock;
  std::vector<ModelContext> all(1);
  all[0].ctx = context::Background();
  struct Watch {
    int of;
    std::shared_ptr<int> calls = std::make_shared<int>(0);
    context::StopFunc stop;
    bool pending = true;
    int expected = 0;
  };
  std::vector<Watch> watches;
  const auto end = [&](int i, const std::string& err, const std::string& cause) {
    // i and all below it that have not ended, in any order: a child comes after its parent.
    std::vector<bool> hit(all.size(), false);
    for (size_t k = i; k < all.size(); ++k) {
      hit[k] = static_cast<int>(k) == i || (all[k].parent >= 0 && hit[all[k].parent]);
      if (!hit[k] || !all[k].err.empty()) continue;
      all[k].err = err;
      all[k].cause = cause;
    }
    for (Watch& w : watches) {
      if (w.pending && !all[w.of].err.empty()) {
        w.pending = false;
        ++w.expected;
      }
    }
  };
  const auto advance = [&](int units) {
    clock.Advance(units);
    // Deadlines in the order of their time.
    for (;;) {
      int first = -1;
      for (size_t k = 0; k < all.size(); ++k) {
        if (all[k].deadline == 0 || all[k].deadline > clock.now() || !all[k].err.empty()) continue;
        if (first < 0 || all[k].deadline < all[first].deadline) first = static_cast<int>(k);
      }
      if (first < 0) break;
      end(first, "context deadline exceeded",
          all[first].has_cause ? absl::StrCat("late ", first) : "context deadline exceeded");
    }
  };
  for (int step = 0; step < 60 && !::testing::Test::HasFailure(); ++step) {
    const std::string where = absl::StrCat("seed ", seed, ", step ", step, ", time ", clock.now());
    const int i = random.Below(static_cast<int>(all.size()));
    switch (random.Below(9)) {
      case 0:
      case 1:
      case 2: {  // a child
        ModelContext child;
        child.parent = i;
        const int number = static_cast<int>(all.size());
        switch (random.Below(6)) {
          case 0:
            std::tie(child.ctx, child.cancel) = context::WithCancel(all[i].ctx);
            child.has_cancel = true;
            break;
          case 1:
            std::tie(child.ctx, child.cancel_cause) = context::WithCancelCause(all[i].ctx);
            child.has_cancel = child.has_cause = true;
            break;
          case 2:
          case 3: {
            child.deadline = clock.now() + 1 + 2 * random.Below(12);
            child.has_cause = random.OneIn(2);
            child.has_cancel = true;
            // Of equal deadlines the older context's comes first.
            const absl::Duration timeout = clock.Until(child.deadline) + absl::Microseconds(number);
            if (child.has_cause) {
              std::tie(child.ctx, child.cancel) =
                  context::WithTimeoutCause(all[i].ctx, timeout, NewError(absl::StrCat("late ", number)));
            } else {
              std::tie(child.ctx, child.cancel) = context::WithTimeout(all[i].ctx, timeout);
            }
            break;
          }
          case 4:
            child.ctx = context::WithValue(all[i].ctx, number, absl::StrCat("value ", number));
            break;
          default:
            child.ctx = context::WithoutCancel(all[i].ctx);
            child.parent = -1;
        }
        if (child.parent >= 0) {
          child.err = all[i].err;
          child.cause = all[i].cause;
        }
        all.push_back(child);
        break;
      }
      case 3: {  // an end
        ModelContext& c = all[i];
        if (!c.has_cancel) break;
        if (c.deadline == 0 && c.has_cause) {
          c.cancel_cause(NewError(absl::StrCat("cause ", i)));
          end(i, "context canceled", absl::StrCat("cause ", i));
        } else {
          c.cancel();
          end(i, "context canceled", "context canceled");
        }
        break;
      }
      case 4: {  // something to be called at an end
        Watch w;
        w.of = i;
        w.stop = context::AfterFunc(all[i].ctx, [calls = w.calls] { ++*calls; });
        if (!all[i].err.empty()) {
          w.pending = false;
          ++w.expected;
        }
        watches.push_back(w);
        Wait();
        break;
      }
      case 5: {
        if (watches.empty()) break;
        Watch& w = watches[random.Below(static_cast<int>(watches.size()))];
        EXPECT_EQ(w.stop(), w.pending) << where;
        w.pending = false;
        break;
      }
      default:
        advance(2 * random.Below(4));
    }
    Wait();
    for (size_t k = 0; k < all.size(); ++k) {
      EXPECT_EQ(TextOf(all[k].ctx.Err()), all[k].err) << where << ", context " << k;
      EXPECT_EQ(TextOf(context::Cause(all[k].ctx)), all[k].cause) << where << ", context " << k;
      Unit unit;
      bool ok = true;
      EXPECT_EQ(all[k].ctx.Done().TryRecv(unit, ok), !all[k].err.empty()) << where << ", context " << k;
    }
    for (const Watch& w : watches) EXPECT_EQ(*w.calls, w.expected) << where;
  }
  for (ModelContext& c : all) {
    if (c.has_cancel) c.deadline == 0 && c.has_cause ? c.cancel_cause(nullptr) : c.cancel();
  }
  for (Watch& w : watches) w.stop();
  Wait();
}

TEST(ContextModel, RandomTreesDoWhatTheModelSays) {
  for (uint64_t seed : Seeds(Scaled(100))) {
    InVirtualTime(seed, [seed] { RandomContexts(seed); });
    if (::testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace gyre::testing
