// Tokens in a channel of 5, one more every 20 ms; 15 requests take one each.
#include "tests/programs/program.h"

namespace gyre::programs {
namespace {

void Run(const Numbers&) {
  constexpr int kBurst = 5, kRequests = 15;
  constexpr Nanos kPeriod = 20'000'000;
  Chan<Unit> tokens = MakeChan<Unit>(kBurst), stop = MakeChan<Unit>();
  for (int i = 0; i < kBurst; ++i) tokens.Send({});
  WaitGroup wg;
  const Nanos start = NowNanos();
  wg.Go([=] {
    Ticker ticker = NewTicker(absl::Nanoseconds(kPeriod));
    for (bool over = false; !over;) {
      Select(ticker.C.OnRecv([&] { Select(tokens.OnSend({}), Default()); }), stop.OnRecv([&] { over = true; }));
    }
    ticker.Stop();
  });
  int64_t burst_us = 0;
  int too_early = 0;
  std::string order;
  for (int i = 0; i < kRequests; ++i) {
    tokens.Recv();
    const Nanos t = NowNanos() - start;
    if (i + 1 > kBurst + t / kPeriod + 1) ++too_early;
    if (i == kBurst - 1) burst_us = t / 1000;
    absl::StrAppendFormat(&order, "%d ", i);
  }
  const int64_t all_us = (NowNanos() - start) / 1000;
  stop.Close();
  wg.Wait();
  absl::PrintF("%s\ntoo early: %d\nfirst 5 after %d us\nall after %d us\n", order, too_early, burst_us, all_us);
  ExpectAlone();
}

const AddProgram added("P11", &Run);

}  // namespace
}  // namespace gyre::programs
