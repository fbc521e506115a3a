// Workloads that go wrong, each in its way, for the tests of what the lab makes of that.
#include <cstdio>
#include <cstdlib>

#include "gyre.h"
#include "lab/workload.h"

namespace gyre::lab {
namespace {

bool Register(const char* name, absl::StatusOr<Report> (*run)(WorkloadContext&)) {
  return RegisterWorkload(
      {.name = name, .help = "goes wrong", .parameters = {}, .compare = {}, .columns = {}, .check = {}, .run = run});
}

Report Answer(const char* answer) {
  return Report{.answer = answer, .expected = "right", .operations = 0, .operation = "step", .figures = {}};
}

const bool wrong = Register("wrong", [](WorkloadContext&) -> absl::StatusOr<Report> { return Answer("left"); });

// Right, but not silent.
const bool noisy = Register("noisy", [](WorkloadContext& context) -> absl::StatusOr<Report> {
  context.meter.Start();
  std::printf("{\"noise\": [\n");
  context.meter.Stop();
  return Answer("right");
});

const bool error = Register(
    "error", [](WorkloadContext&) -> absl::StatusOr<Report> { return absl::InternalError("the dog ate the result"); });

const bool unusable = Register("unusable", [](WorkloadContext&) -> absl::StatusOr<Report> {
  return absl::InvalidArgumentError("this cannot be used here");
});

const bool panics = Register("panics", [](WorkloadContext&) -> absl::StatusOr<Report> { Panic("on purpose"); });

const bool deadlocks = Register("deadlocks", [](WorkloadContext&) -> absl::StatusOr<Report> {
  MakeChan<int>().Recv();
  return Answer("right");
});

const bool aborts = Register("aborts", [](WorkloadContext&) -> absl::StatusOr<Report> { std::abort(); });

const bool hangs = Register("hangs", [](WorkloadContext&) -> absl::StatusOr<Report> {
  for (;;) Sleep(absl::Hours(1));
});

// Without a word.
const bool exits = Register("exits", [](WorkloadContext&) -> absl::StatusOr<Report> { std::_Exit(7); });

}  // namespace
}  // namespace gyre::lab
