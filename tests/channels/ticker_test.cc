// Tickers: rows TM-15 to TM-17 and TM-21 of the conformance catalogue.
#include <deque>

#include "channels/chan.h"
#include "channels/select.h"
#include "channels/time.h"
#include "runtime/panic.h"
#include "tests/channels/watched.h"

namespace gyre {
namespace {

using testing::PanicText;
using testing::Scaled;
using testing::Watched;

GYRE_TEST(Ticker, TM_15_StopEndsTicksAndDoesNotClose) {
  Ticker ticker = NewTicker(absl::Milliseconds(1));
  ticker.C.Recv();
  ticker.Stop();
  EXPECT_EQ(Select(ticker.C.OnRecv([] {}), After(absl::Milliseconds(4)).OnRecv([] {})), 1);
  absl::Time t;
  bool ok;
  EXPECT_FALSE(ticker.C.TryRecv(t, ok));
}

GYRE_TEST(Ticker, TM_16_ResetChangesThePeriod) {
  const Nanos start = NowNanos();
  Ticker ticker = NewTicker(absl::Milliseconds(1));
  for (int i = 0; i < 3; ++i) ticker.C.Recv();
  EXPECT_GE(NowNanos() - start, 3'000'000);
  const Nanos reset = NowNanos();
  ticker.Reset(absl::Milliseconds(3));
  for (int i = 0; i < 2; ++i) ticker.C.Recv();
  EXPECT_GE(NowNanos() - reset, 6'000'000);
  ticker.Stop();
  ticker.Reset(absl::Milliseconds(1));
  ticker.C.Recv();
  ticker.C.Recv();
}

GYRE_TEST(Ticker, TM_16_ResetDropsTheOldTick) {
  Ticker ticker = NewTicker(absl::Microseconds(10));
  Sleep(absl::Milliseconds(1));
  ticker.Reset(absl::Hours(1));
  EXPECT_EQ(ticker.C.TryRecv(), std::nullopt);
}

GYRE_TEST(Ticker, TM_17_IntervalsMustBePositive) {
  Ticker ticker = NewTicker(absl::Hours(1));
  for (absl::Duration d : {absl::ZeroDuration(), absl::Nanoseconds(-1)}) {
    EXPECT_EQ(PanicText<PanicError>([&] { NewTicker(d); }), "non-positive interval for NewTicker");
    EXPECT_EQ(PanicText<PanicError>([&] { ticker.Reset(d); }), "non-positive interval for Ticker.Reset");
    EXPECT_EQ(PanicText<PanicError>([&] { Ticker().Reset(d); }), "non-positive interval for Ticker.Reset");
  }
}

GYRE_TEST(Ticker, TickDropsWhatNobodyTakes) {
  RecvChan<absl::Time> ticks = Tick(absl::Microseconds(50));
  absl::Time last = absl::InfinitePast();
  for (int i = 0; i < 5; ++i) {
    Sleep(absl::Milliseconds(1));
    EXPECT_EQ(ticks.Len(), 0);
    const absl::Time tick = ticks.Recv();
    EXPECT_GE(tick, last);
    last = tick;
  }
}

GYRE_TEST(Ticker, TM_21_SharedTickerOfOneNanosecond) {
  Ticker ticker = NewTicker(absl::Nanoseconds(1));
  std::deque<Watched> receivers;
  for (int i = 0; i < 10; ++i) {
    receivers.emplace_back([&] {
      for (int k = 0; k < Scaled(50); ++k) ticker.C.Recv();
    });
  }
  for (Watched& receiver : receivers) ASSERT_TRUE(receiver.Ends());
  ticker.Stop();
}

}  // namespace
}  // namespace gyre
