#include "runtime/debug/leak_check.h"

#include <time.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/auxiliary_threads.h"
#include "runtime/core.h"
#include "runtime/debug/goroutine_profile.h"
#include "runtime/debug/leak_records.h"
#include "runtime/debug/page_vector.h"
#include "runtime/debug/reachability.h"
#include "runtime/debug/snapshot.h"
#include "runtime/debug/world_stop.h"
#include "runtime/futex.h"
#include "runtime/go.h"
#include "runtime/live_cores.h"
#include "runtime/park.h"
#include "runtime/raw_lock.h"
#include "runtime/sanitizers.h"

namespace gyre {

namespace internal {
namespace {

constexpr size_t kMostShown = 10'000;
constexpr size_t kMostRuntimes = 4096;

// No channel, no case: nothing can end it, whoever can reach its stack.
bool WaitsForNothing(WaitReason reason) {
  return reason == WaitReason::kChanReceiveNil || reason == WaitReason::kChanSendNil ||
         reason == WaitReason::kSelectNoCases;
}

std::string Why(WaitReason reason) {
  switch (reason) {
    case WaitReason::kChanReceiveNil:
    case WaitReason::kChanSendNil:
      return "waits for a nil channel";
    case WaitReason::kSelectNoCases:
      return "waits in a select without cases";
    case WaitReason::kChanReceive:
    case WaitReason::kChanSend:
      return "waits for a channel that nobody who can run can reach";
    case WaitReason::kSelect:
      return "waits for channels none of which anybody who can run can reach";
    default:
      return absl::StrCat("waits (", WaitReasonName(reason), ") for something that nobody who can run can reach");
  }
}

// The pages of a search are made before the world stops.
struct Look {
  Look() : leaked(kMostShown), search(kMostGoroutines) {}
  PageVector<GoroutineRecord> leaked;
  Reachability search;
  bool conclusive = true;
};

// One look at the stopped world.
[[gnu::noinline]] absl::Status TakeLook(Look* look, uintptr_t own_frame) {
  absl::Status status;
  NoPreempt off;
  // The list's lock is taken before the world stops, for a thread that is stopped might hold it; and all runtimes are
  // looked at in one stop, in the visit of the first.
  PageVector<Core*> cores(kMostRuntimes);
  ForEachLiveCore([&](Core* core) {
    if (!cores.full()) cores.Push(core);
  });
  bool first = true;
  ForEachLiveCore([&](Core*) {
    if (!std::exchange(first, false)) return;
    StoppedWorld world;
    if (!world.status().ok()) {
      status = world.status();
      return;
    }
    for (Core* core : cores) {
      core->stacks().ForEach([&](const Stack& stack) { look->search.AddStack(stack); });
      core->ForEachGoroutine([&](G* g) {
        if (!look->search.AddGoroutine(g, world.threads())) look->conclusive = false;
      });
    }
    if (!look->conclusive) return;
    look->search.Search(world.threads(), own_frame);
    look->search.ForEachCandidate([&](const G* g, bool reached) {
      if (reached && !WaitsForNothing(g->wait_reason.load(std::memory_order_relaxed))) return;
      if (look->leaked.full()) return;
      GoroutineRecord record;
      RecordOf(g, world.threads(), &record);
      look->leaked.Push(record);
    });
  });
  return status;
}

[[gnu::noinline]] absl::StatusOr<std::vector<LeakRecord>> FindBlocked() {
  std::vector<LeakRecord> leaks;
  if constexpr (sanitizers::kAddress || sanitizers::kThread) return leaks;
  const uintptr_t own_frame = reinterpret_cast<uintptr_t>(__builtin_frame_address(0));
  constexpr int kTries = 20;
  for (int tries = 0;; ++tries) {
    Look look;
    if (absl::Status status = TakeLook(&look, own_frame); !status.ok()) return status;
    if (!look.conclusive) {
      if (tries == kTries)
        return absl::UnavailableError(
            "the leak finder sees only a part of some goroutine's stack: it has segments, or is being switched at "
            "every look");
      const timespec moment{0, 1'000'000};
      nanosleep(&moment, nullptr);
      continue;
    }
    for (const GoroutineRecord& record : look.leaked) leaks.push_back({record, true, Why(record.reason)});
    return leaks;
  }
}

// The ids of all goroutines, or of those that do not wait, sorted.
std::vector<uint64_t> Existing(bool unsettled_only) {
  PageVector<uint64_t> ids(kMostGoroutines);
  {
    NoPreempt off;
    ForEachLiveCore([&](Core* core) {
      core->ForEachGoroutine([&](G* g) {
        const bool waits = g->state.load(std::memory_order_acquire) == GState::kWaiting;
        if (!ids.full() && !(unsettled_only && waits)) ids.Push(g->id);
      });
    });
  }
  std::vector<uint64_t> sorted(ids.begin(), ids.end());
  std::sort(sorted.begin(), sorted.end());
  return sorted;
}

// Runs body() in a goroutine, and waits for its end.
void RunAside(absl::FunctionRef<void()> body) {
  struct Meeting {
    RawLock lock;
    bool done = false;
    G* waiter = nullptr;
  } meeting;
  struct AtTheEnd {  // by an exception or by Goexit, too
    Meeting* meeting;
    ~AtTheEnd() {
      meeting->lock.Lock();
      meeting->done = true;
      G* waiter = meeting->waiter;
      meeting->lock.Unlock();
      if (waiter != nullptr) Ready(waiter);
    }
  };
  Go([body, &meeting] {
    AtTheEnd end{&meeting};
    body();
  });
  meeting.lock.Lock();
  if (meeting.done) {
    meeting.lock.Unlock();
    return;
  }
  meeting.waiter = Self();
  PreparePark(meeting.waiter, WaitReason::kWaitGroupWait, &meeting);
  meeting.lock.Unlock();
  Park(meeting.waiter);
}

// ---- those that compute ----

struct Computing {
  uint64_t id;
  int tid;
  Nanos cpu;        // of its thread
  uint64_t called;  // how often its processor's goroutines have called the runtime
};

Nanos CpuTimeOf(int tid) {
  const clockid_t clock = static_cast<clockid_t>(~static_cast<unsigned>(tid) << 3 | 6);
  timespec time;
  return clock_gettime(clock, &time) == 0 ? time.tv_sec * Nanos{1'000'000'000} + time.tv_nsec : 0;
}

uint64_t CallsOf(const Processor& p) {
  return p.dispatches.Get() + p.parks.Get() + p.readies.Get() + p.syscalls.Get() + p.spawned.Get() + p.exited.Get();
}

// Who computes now, and on which thread.
std::vector<Computing> WhoComputes(bool* stopped) {
  PageVector<Computing> found(kMostShown);
  *stopped = true;
  NoPreempt off;
  ForEachLiveCore([&](Core* core) {
    // Where a goroutine is preempted between any two instructions, its processor's counts say nothing about it.
    if (core->is_virtual() || core->preemption().traits().asynchronous) return;
    StoppedWorld world;
    if (!world.status().ok()) {
      *stopped = false;
      return;
    }
    core->ForEachGoroutine([&](G* g) {
      for (const StoppedThread& thread : world.threads()) {
        if (thread.state->g != g || g->state.load(std::memory_order_relaxed) == GState::kSyscall || found.full())
          continue;
        const Processor* p = thread.state->p;
        const uint64_t calls = p != nullptr ? CallsOf(*p) : 0;
        found.Push({g->id, thread.tid, CpuTimeOf(thread.tid), calls});
        return;
      }
    });
  });
  return std::vector<Computing>(found.begin(), found.end());
}

std::vector<uint64_t> Suspects() {
  std::vector<uint64_t> suspects;
  if constexpr (sanitizers::kAddress || sanitizers::kThread) return suspects;
  constexpr Nanos kEnough = 500'000'000, kPatience = 30'000'000'000, kRound = 10'000'000;
  bool stopped;
  const std::vector<Computing> before = WhoComputes(&stopped);
  if (before.empty()) return suspects;
  const Nanos give_up = MonotonicClock() + kPatience;
  const auto has_had_enough = [](const Computing& c) { return CpuTimeOf(c.tid) - c.cpu >= kEnough; };
  // Those that have ended, or make calls, need not be waited for.
  std::vector<Computing> left = before;
  while (!left.empty() && MonotonicClock() < give_up && !std::all_of(left.begin(), left.end(), has_had_enough)) {
    const timespec moment{0, kRound};
    nanosleep(&moment, nullptr);
    const std::vector<Computing> now = WhoComputes(&stopped);
    if (!stopped) continue;
    std::erase_if(left, [&](const Computing& c) {
      return std::none_of(now.begin(), now.end(),
                          [&](const Computing& n) { return n.id == c.id && n.tid == c.tid && n.called == c.called; });
    });
  }
  for (const Computing& c : left) {
    if (has_had_enough(c)) suspects.push_back(c.id);
  }
  return suspects;
}

absl::StatusOr<std::vector<Leak>> Find(bool with_suspects) {
  absl::StatusOr<std::vector<Leak>> leaks = std::vector<Leak>();
  OnThreadStack([&] {
    const absl::StatusOr<std::vector<LeakRecord>> records = FindLeakRecords(with_suspects);
    if (!records.ok()) {
      leaks = records.status();
      return;
    }
    for (const LeakRecord& record : *records) {
      leaks->push_back({record.goroutine.id, record.certain, record.why, TraceText(record.goroutine)});
    }
  });
  return leaks;
}

}  // namespace

absl::StatusOr<std::vector<LeakRecord>> FindLeakRecords(bool with_suspects) {
  const std::vector<uint64_t> suspects = with_suspects ? Suspects() : std::vector<uint64_t>();
  absl::StatusOr<std::vector<LeakRecord>> leaks = FindBlocked();
  if (!leaks.ok()) return leaks;
  if (!suspects.empty()) {
    std::string why_not;
    for (const GoroutineRecord& record : TakeSnapshot(kMostGoroutines, &why_not)) {
      if (std::find(suspects.begin(), suspects.end(), record.id) == suspects.end()) continue;
      leaks->push_back({record, false, "computes, and has not called the runtime for half a second of CPU time"});
    }
  }
  std::sort(leaks->begin(), leaks->end(),
            [](const LeakRecord& a, const LeakRecord& b) { return a.goroutine.id < b.goroutine.id; });
  return leaks;
}

}  // namespace internal

absl::StatusOr<std::vector<Leak>> FindLeaks() {
  return internal::Find(/*with_suspects=*/false);
}
absl::StatusOr<std::vector<Leak>> FindLeaksAndSuspects() {
  return internal::Find(/*with_suspects=*/true);
}

std::vector<Leak> LeakCheck(absl::FunctionRef<void()> body) {
  internal::G* self = internal::This().g;
  if (self == nullptr || self->kind != internal::GKind::kGoroutine) {
    return {{0, true, "gyre::LeakCheck: the calling thread runs no goroutine", ""}};
  }
  // A goroutine of its own, whose frames are gone afterwards: no old pointer in them keeps anything alive. Ids come in
  // batches for a processor, so what was there before is known by name.
  const std::vector<uint64_t> before = internal::Existing(/*unsettled_only=*/false);
  internal::RunAside(body);
  // Those that are about to end may: until all who are left wait, or compute.
  constexpr int kRounds = 100;
  const auto settled = [&] {
    for (uint64_t id : internal::Existing(/*unsettled_only=*/true)) {
      if (!std::binary_search(before.begin(), before.end(), id)) return false;
    }
    return true;
  };
  for (int round = 0; round < kRounds && !settled(); ++round) Sleep(absl::Milliseconds(1));
  absl::StatusOr<std::vector<Leak>> leaks = FindLeaksAndSuspects();
  // A pointer that was left in a register or in a frame may have kept one from being found: the next look may not meet
  // it any more. What is leaked stays leaked.
  constexpr int kMoreLooks = 4;
  for (int look = 0; look < kMoreLooks && leaks.ok(); ++look) {
    size_t left = 0;
    for (uint64_t id : internal::Existing(/*unsettled_only=*/false))
      left += !std::binary_search(before.begin(), before.end(), id);
    std::erase_if(*leaks,
                  [&](const Leak& leak) { return std::binary_search(before.begin(), before.end(), leak.goroutine); });
    if (leaks->size() >= left) break;
    Sleep(absl::Milliseconds(2));
    const absl::StatusOr<std::vector<Leak>> again = FindLeaks();
    if (!again.ok()) break;
    for (const Leak& leak : *again) {
      const bool known = std::any_of(leaks->begin(), leaks->end(),
                                     [&](const Leak& other) { return other.goroutine == leak.goroutine; });
      if (!known) leaks->push_back(leak);
    }
  }
  if (!leaks.ok()) return {{0, true, std::string(leaks.status().message()), ""}};
  std::erase_if(*leaks,
                [&](const Leak& leak) { return std::binary_search(before.begin(), before.end(), leak.goroutine); });
  return *std::move(leaks);
}

}  // namespace gyre
