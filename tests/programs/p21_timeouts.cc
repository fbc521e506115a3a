// Producers that take 10, 30 and 50 ms for an item, and a consumer that waits 20 ms for the next and 300 ms in all.
#include "tests/programs/program.h"

namespace gyre::programs {
namespace {

void Consume(const char* name, const std::vector<int>& periods_ms) {
  Chan<int> items = MakeChan<int>();
  Chan<Unit> stop = MakeChan<Unit>();
  WaitGroup producers;
  for (int ms : periods_ms) {
    producers.Go([=] {
      for (bool over = false; !over;) {
        Sleep(absl::Milliseconds(ms));
        Select(items.OnSend(ms), stop.OnRecv([&] { over = true; }));
      }
    });
  }
  const Nanos start = NowNanos();
  RecvChan<absl::Time> end = After(absl::Milliseconds(300));
  int timeouts = 0, received = 0;
  for (bool over = false; !over;) {
    Select(items.OnRecv([&] { ++received; }), After(absl::Milliseconds(20)).OnRecv([&] { ++timeouts; }),
           end.OnRecv([&] { over = true; }));
  }
  const int64_t us = (NowNanos() - start) / 1000;
  stop.Close();
  producers.Wait();
  absl::PrintF("%s: timeouts %d, received some %d, after %d us\n", name, timeouts, received > 0, us);
}

void Run(const Numbers&) {
  Consume("10 ms", {10});
  Consume("30 ms", {30});
  Consume("all", {10, 30, 50});
  ExpectAlone();
}

const AddProgram added("P21", &Run);

}  // namespace
}  // namespace gyre::programs
