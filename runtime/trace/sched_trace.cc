#include "runtime/trace/sched_trace.h"

#include <unistd.h>

#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "runtime/core.h"

namespace gyre::internal {

namespace {

constexpr Nanos kMillisecond = 1'000'000;
constexpr int kLongest = 24 * 3600 * 1000;  // milliseconds

class QueueLengths final : public StateWriter {
 public:
  explicit QueueLengths(int procs) : of_procs(static_cast<size_t>(procs)) {}
  void Number(absl::string_view, int64_t value) override { shared += value; }
  void ProcNumber(ProcId proc, absl::string_view, int64_t value) override {
    if (proc >= 0 && static_cast<size_t>(proc) < of_procs.size()) of_procs[static_cast<size_t>(proc)] += value;
  }
  int64_t shared = 0;
  std::vector<int64_t> of_procs;
};

}  // namespace

absl::StatusOr<SchedTrace> SchedTrace::Parse(absl::string_view text) {
  SchedTrace result;
  for (absl::string_view part : absl::StrSplit(text, ',', absl::SkipWhitespace())) {
    const std::vector<absl::string_view> words = absl::StrSplit(part, absl::MaxSplits('=', 1));
    int value = 0;
    const bool is_number = words.size() == 2 && absl::SimpleAtoi(words[1], &value);
    if (words[0] == "schedtrace" && is_number && value >= 0 && value <= kLongest) {
      result.every = value * kMillisecond;
    } else if (words[0] == "scheddetail" && is_number && (value == 0 || value == 1)) {
      result.detail = value == 1;
    } else {
      return absl::InvalidArgumentError(
          absl::StrCat("\"", part, "\" is neither schedtrace=MS, with milliseconds from 0 (never) to ", kLongest,
                       ", nor scheddetail=0 or 1"));
    }
  }
  return result;
}

absl::StatusOr<SchedTrace> SchedTrace::FromEnvironment() {
  const char* text = std::getenv("GYRE_DEBUG");
  if (text == nullptr) return SchedTrace();
  absl::StatusOr<SchedTrace> result = Parse(text);
  if (result.ok()) return result;
  return absl::InvalidArgumentError(absl::StrCat("environment variable GYRE_DEBUG: ", result.status().message()));
}

Nanos Core::PrintSchedTrace(Nanos now) {
  SchedTrace& trace = sched_trace_;
  if (trace.every == 0) return kNever;
  if (now < trace.next) return trace.next;
  trace.next = now + trace.every;

  const int proc_count = this->proc_count();
  QueueLengths lengths(proc_count);
  policy_->DumpState(lengths);
  const uint64_t word = idle_word_.load(std::memory_order_relaxed);
  std::map<const Machine*, int> numbers;
  {
    RawLockHolder hold(machines_lock_);
    for (const auto& m : machines_) numbers.emplace(m.get(), static_cast<int>(numbers.size()));
  }
  int idle_threads;
  {
    RawLockHolder hold(spares_lock_);
    idle_threads = spare_count_;
  }
  auto is_idle = [&](ProcId id) { return (idle_set_[id / 64].load(std::memory_order_relaxed) >> (id % 64) & 1) != 0; };
  auto machine_of = [&](ProcId id) {
    const auto found = numbers.find(procs_[id].m.load(std::memory_order_relaxed));
    return found == numbers.end() ? -1 : found->second;
  };
  for (ProcId id = 0; id < proc_count; ++id) idle_threads += is_idle(id) && machine_of(id) >= 0;

  std::string text = absl::StrCat(
      "SCHED ", (now - trace.begin) / kMillisecond, "ms: gomaxprocs=", proc_count, " idleprocs=", word >> 32,
      " threads=", machines_alive_.load(std::memory_order_relaxed) + 1,  // and the monitor's
      " spinningthreads=", static_cast<uint32_t>(word), " idlethreads=", idle_threads, " runqueue=", lengths.shared);
  if (!trace.detail) {
    absl::StrAppend(&text, " [", absl::StrJoin(lengths.of_procs, " "), "]\n");
  } else {
    absl::StrAppend(&text, " gcwaiting=0 nmidlelocked=0 stopwait=0 sysmonwait=",
                    monitor_asleep_.load(std::memory_order_relaxed) ? 1 : 0, "\n");
    for (ProcId id = 0; id < proc_count; ++id) {
      Processor& p = procs_[id];
      const int status = is_idle(id) ? 0 : p.in_call.load(std::memory_order_relaxed) != nullptr ? 2 : 1;
      absl::StrAppend(&text, "  P", id, ": status=", status, " schedtick=", p.dispatches.Get(),
                      " syscalltick=", p.syscalls.Get(), " m=", machine_of(id),
                      " runqsize=", lengths.of_procs[static_cast<size_t>(id)], " timerslen=", p.timers.size(), "\n");
    }
    std::map<int, ProcId> processors;
    for (ProcId id = 0; id < proc_count; ++id) {
      if (machine_of(id) >= 0) processors[machine_of(id)] = id;
    }
    for (const auto& [machine, number] : numbers) {
      const auto held = processors.find(number);
      absl::StrAppend(&text, "  M", number, ": p=", held == processors.end() ? -1 : held->second,
                      " tid=", machine->tid.load(std::memory_order_relaxed), "\n");
    }
    ForEachGoroutine([&](G* g) {
      const GState state = g->state.load(std::memory_order_relaxed);
      const char* reason =
          state == GState::kWaiting ? WaitReasonName(g->wait_reason.load(std::memory_order_relaxed)) : "";
      absl::StrAppend(&text, "  G", g->id, ": status=", static_cast<uint32_t>(state), "(", reason, ")\n");
    });
  }
  // In one piece, so that two runtimes' lines do not mix.
  if (write(STDERR_FILENO, text.data(), text.size()) < 0) trace.every = 0;
  return trace.next;
}

}  // namespace gyre::internal
