// lab calibrate: what a switch, a steal, a wake-up, ... cost on this machine, on real threads: the simulator's costs.
//
// Costs that are a loop's average are the least of several loops, and latencies the lower quartile of many: what
// disturbs a measurement on a shared machine makes it larger, never smaller.
#include <time.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "gyre.h"
#include "lab/command.h"
#include "lab/json.h"
#include "lab/machine.h"
#include "lab/numbers.h"
#include "lab/output_flags.h"
#include "lab/result.h"
#include "lab/table.h"
#include "lab/version.h"
#include "plugins/flags.h"

namespace gyre::lab {

namespace {

struct Measured {
  const char* option;  // of --engine=simulation
  Nanos cost = 0;
  const char* how;
};

// Runs `body` as the main goroutine with this part of the configuration replaced.
absl::Status RunUnder(Config config, int procs, const std::string& preemption, const std::function<void()>& body) {
  config.engine = "threads";
  config.procs = procs;
  if (!preemption.empty()) config.preemption = preemption;
  absl::StatusOr<std::unique_ptr<Runtime>> runtime = Runtime::Create(config);
  if (!runtime.ok()) return runtime.status();
  (*runtime)->Run(body);
  return absl::OkStatus();
}

// Of one of `count` operations, which `body` does.
Nanos LeastAverage(int64_t count, const std::function<void()>& body) {
  constexpr int kLoops = 20;
  double least = 1e18;
  for (int i = 0; i < kLoops; ++i) {
    const Nanos begin = NowNanos();
    body();
    least = std::min(least, static_cast<double>(NowNanos() - begin) / static_cast<double>(count));
  }
  return static_cast<Nanos>(least + 0.5);
}

Nanos LowerQuartile(std::vector<double> samples) {
  std::sort(samples.begin(), samples.end());
  return static_cast<Nanos>(PercentileOf(samples, 25));
}

// Two goroutines give way to each other.
Nanos SwitchCost() {
  constexpr int64_t kYields = 20'000;
  return LeastAverage(2 * kYields, [] {
    WaitGroup both;
    for (int i = 0; i < 2; ++i) {
      both.Go([] {
        for (int64_t n = 0; n < kYields; ++n) Yield();
      });
    }
    both.Wait();
  });
}

// A channel operation that finds what it needs.
Nanos CallCost() {
  constexpr int64_t kCalls = 20'000;
  Chan<int> ch = MakeChan<int>(1);
  return LeastAverage(2 * kCalls, [&] {
    for (int64_t n = 0; n < kCalls; ++n) {
      ch.Send(1);
      ch.Recv();
    }
  });
}

Nanos SyscallCost() {
  constexpr int64_t kCalls = 5'000;
  return LeastAverage(kCalls, [] {
    for (int64_t n = 0; n < kCalls; ++n) Blocking([] {});
  });
}

// The wait between two looks of a machine that searches: what the engine's Relax does at first.
Nanos RelaxCost() {
  constexpr int64_t kRounds = 1'000;
  return LeastAverage(kRounds, [] {
    for (int64_t n = 0; n < 20 * kRounds; ++n) __builtin_ia32_pause();
  });
}

// The caller computes on, so that a new goroutine runs on the other processor. How long the start took for us, and
// until it ran.
struct Start {
  Nanos own = 0;
  Nanos until_it_runs = 0;
};

Start StartElsewhere() {
  std::atomic<Nanos> ran{0};
  const Nanos begin = NowNanos();
  Go([&] { ran.store(NowNanos(), std::memory_order_release); });
  const Nanos own = NowNanos() - begin;
  Nanos at;
  // Not a runtime call: we keep the processor.
  for (int64_t rounds = 0; (at = ran.load(std::memory_order_acquire)) == 0; ++rounds) {
    __builtin_ia32_pause();
    if (rounds > 10'000'000) Yield();
  }
  return {own, at - begin};
}

struct WakeCosts {
  Nanos notify = 0, wake = 0, steal = 0;
};

WakeCosts MeasureWakes() {
  constexpr int kSamples = 300;
  constexpr absl::Duration kUntilAsleep = absl::Milliseconds(1);
  std::vector<double> notify, until_woken, own, until_stolen;
  for (int i = 0; i < kSamples; ++i) {
    Sleep(kUntilAsleep);
    // We may have been woken on either processor; the other one is asleep soon.
    const Nanos asleep = NowNanos() + 300'000;
    while (NowNanos() < asleep) __builtin_ia32_pause();
    const Start first = StartElsewhere();
    notify.push_back(static_cast<double>(first.own));
    until_woken.push_back(static_cast<double>(first.until_it_runs));
    // The other one has nothing more to do, and looks around for some 10 us: this start needs no wake-up.
    const Start second = StartElsewhere();
    own.push_back(static_cast<double>(second.own));
    until_stolen.push_back(static_cast<double>(second.until_it_runs));
  }
  // Where the kernel has both on one core for a moment, the goroutine runs before its start has returned.
  const auto beyond = [](const std::vector<double>& all, const std::vector<double>& part) {
    return std::max<Nanos>(LowerQuartile(all) - LowerQuartile(part), 0);
  };
  return {LowerQuartile(notify), beyond(until_woken, notify), beyond(until_stolen, own)};
}

// The process's: what others do on the machine does not count.
Nanos CpuTime() {
  timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

// Two goroutines that compute, with a slice of 100 us and with none: what the ends of slices cost.
absl::StatusOr<Nanos> PreemptCost(const Config& config) {
  constexpr int64_t kRounds = 20'000'000;
  constexpr int kPairs = 5;
  const auto compute_two = [](Nanos* took, uint64_t* preemptions) {
    const uint64_t before = CurrentStats().preemptions;
    const Nanos begin = CpuTime();
    WaitGroup both;
    for (int i = 0; i < 2; ++i) {
      both.Go([] {
        for (int64_t n = 0; n < kRounds; ++n) {
          if (n % 1024 == 0) Checkpoint();
          asm volatile("");
        }
      });
    }
    both.Wait();
    *took = CpuTime() - begin;
    *preemptions = CurrentStats().preemptions - before;
  };
  std::vector<double> costs;
  for (int i = 0; i < kPairs; ++i) {
    Nanos with = 0, without = 0;
    uint64_t ends = 0, none = 0;
    absl::Status status = RunUnder(config, 1, "cooperative:quantum=100us", [&] { compute_two(&with, &ends); });
    status.Update(RunUnder(config, 1, "none", [&] { compute_two(&without, &none); }));
    if (!status.ok()) return status;
    if (ends != 0) costs.push_back(static_cast<double>(with - without) / static_cast<double>(ends));
  }
  return costs.empty() ? 0 : std::max<Nanos>(static_cast<Nanos>(Median(costs)), 0);
}

absl::StatusOr<std::vector<Measured>> MeasureAll(const Config& config) {
  Nanos switching = 0, call = 0, syscall = 0, relax = 0;
  absl::Status status = RunUnder(config, 1, "", [&] {
    switching = SwitchCost();
    call = CallCost();
    syscall = SyscallCost();
    relax = RelaxCost();
  });
  WakeCosts wakes;
  status.Update(RunUnder(config, 2, "", [&] { wakes = MeasureWakes(); }));
  if (!status.ok()) return status;
  const absl::StatusOr<Nanos> preempt = PreemptCost(config);
  if (!preempt.ok()) return preempt.status();
  return std::vector<Measured>{
      {"switch", switching, "two goroutines that yield to each other, per switch"},
      {"steal", wakes.steal, "from the start of a goroutine until a processor that searches runs it"},
      {"notify", wakes.notify, "starting a goroutine while another processor sleeps, for who starts it"},
      {"wake", wakes.wake, "from then until the other processor runs it"},
      {"call", call, "an operation on a buffered channel that need not wait"},
      {"preempt", *preempt, "two goroutines that compute, with slices of 100 us against none, per slice"},
      {"syscall", syscall, "gyre::Blocking of nothing"},
      {"relax", relax, "one round of waiting of a processor that searches"},
  };
}

absl::StatusOr<int> Run(const Arguments& arguments) {
  if (!arguments.words.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("calibrate takes no words, and there is \"", arguments.words[0], "\""));
  }
  const absl::StatusOr<Config> config = ConfigFromFlags();
  if (!config.ok()) return config.status();
  const absl::StatusOr<std::vector<Measured>> measured = MeasureAll(*config);
  if (!measured.ok()) return measured.status();
  const std::string engine =
      absl::StrCat("simulation:", absl::StrJoin(*measured, ",", [](std::string* out, const Measured& m) {
                     absl::StrAppend(out, m.option, "=", m.cost, "ns");
                   }));
  const std::string date = DateNow(), file = absl::GetFlag(FLAGS_json);
  const Machine machine = Machine::ThisOne();
  if (file != "-") {
    TextTable table({{"cost"}, {"ns", Align::kRight}, {"measured as"}});
    for (const Measured& m : *measured) table.AddRow({m.option, absl::StrCat(m.cost), m.how});
    absl::PrintF("%s%s\n--engine=%s\n",
                 Wrap(absl::StrCat("gyre ", kVersion, ", ", date, ", on ", machine.ToString(), "; scheduler ",
                                   config->scheduler, ", stack ", config->stack),
                      "", 120),
                 table.Text("  "), engine);
  }
  if (file.empty()) return kExitOk;
  JsonWriter json;
  json.BeginObject();
  WriteProvenance(json, "calibrate", date, machine);
  json.Key("engine").String(engine);
  json.Key("costs_ns").BeginObject();
  for (const Measured& m : *measured) json.Key(m.option).Integer(m.cost);
  json.EndObject();
  json.EndObject();
  if (absl::Status status = WriteOutput(file, json.text()); !status.ok()) return status;
  return kExitOk;
}

}  // namespace

Command CalibrateCommand() {
  return {
      .name = "calibrate",
      .arguments = "[--scheduler=...] [--stack=...] [--json[=FILE]]",
      .summary = "measures what the runtime's steps cost on this machine, for the simulator",
      .description =
          "It takes a few seconds, and wants a machine that does nothing else. Its last line is the flag that makes "
          "the\n"
          "simulator charge what was measured: copy it to simulate, run or compare. One cost is not measured: monitor, "
          "which\n"
          "is how often the runtime's monitor looks.\n",
      .flags = {{"scheduler", "NAME[:OPTION=VALUE,...]"}, {"stack", "NAME[:...]"}, kJsonFlag},
      .run = Run,
  };
}

}  // namespace gyre::lab
