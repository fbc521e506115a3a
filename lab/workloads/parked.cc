// parked: goroutines that all wait to receive from one channel, and are then all woken. It measures what a goroutine
// costs that does nothing.
#include <atomic>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "gyre.h"
#include "lab/workload.h"

namespace gyre::lab {

namespace {

double ResidentBytes() {
  double all = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> all >> resident;
  return resident * 4096;
}

absl::StatusOr<Report> Run(WorkloadContext& context) {
  const int64_t goroutines = context.parameters.Int("goroutines");
  std::atomic<int64_t> started{0}, woken{0};
  context.meter.Start();
  const double before = ResidentBytes();
  const Nanos began = NowNanos();
  Chan<bool> gate = MakeChan<bool>();
  WaitGroup all;
  all.Add(static_cast<int>(goroutines));
  for (int64_t i = 0; i < goroutines; ++i) {
    Go([&] {
      started.fetch_add(1, std::memory_order_relaxed);
      bool value;
      if (!gate.Recv(value)) woken.fetch_add(1, std::memory_order_relaxed);
      all.Done();
    });
  }
  while (started.load(std::memory_order_relaxed) < goroutines) Yield();
  const double create_ns = static_cast<double>(NowNanos() - began);
  Sleep(absl::Milliseconds(50));  // the last ones are on their way to the channel
  const double each = (ResidentBytes() - before) / static_cast<double>(goroutines);
  const Nanos wakes = NowNanos();
  gate.Close();
  all.Wait();
  const double wake_ns = static_cast<double>(NowNanos() - wakes);
  context.meter.Stop();
  return Report{.answer = absl::StrCat(woken.load()),
                .expected = absl::StrCat(goroutines),
                .operations = goroutines,
                .operation = "goroutine",
                .figures = {{"each_bytes", each}, {"create_ns", create_ns}, {"wake_ns", wake_ns}}};
}

const bool registered = RegisterWorkload({
    .name = "parked",
    .help = "goroutines that wait in one receive: the memory of each, the time to make and to wake them",
    .parameters = {IntOption("goroutines", 1'000'000, 1, 20'000'000, "how many")},
    .compare = {{"goroutines", "200000"}},
    .columns = {{"bytes each", "each_bytes"}, {"create", "create_ns"}, {"wake", "wake_ns"}},
    .check = {},
    .run = Run,
});

}  // namespace

}  // namespace gyre::lab
