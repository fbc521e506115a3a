#include "runtime/trace/checker.h"

#include <algorithm>
#include <queue>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace gyre::trace {

namespace {

enum class State : uint8_t { kAbsent, kRunnable, kRunning, kWaiting, kInCall, kDead };

const char* StateName(State state) {
  switch (state) {
    case State::kAbsent:
      return "not made yet";
    case State::kRunnable:
      return "runnable";
    case State::kRunning:
      return "running";
    case State::kWaiting:
      return "waiting";
    case State::kInCall:
      return "in a blocking call";
    case State::kDead:
      return "ended";
  }
  return "?";
}

constexpr int32_t kNowhere = -2;

struct Goroutine {
  State state = State::kAbsent;
  uint64_t seq = 0;                                    // what the next numbered event must carry
  int32_t processor = kNowhere;                        // where it runs
  std::vector<std::pair<uint64_t, uint64_t>> regions;  // task and name, the innermost last
};

struct Processor {
  bool started = false;
  uint64_t goroutine = 0;
};

// Whose turn an event waits for: that of `goroutine` in `state`, and with the number `seq` if it is numbered.
struct Need {
  uint64_t goroutine = 0;
  State state = State::kAbsent;
  bool numbered = false;
  uint64_t seq = 0;
};

bool IsBlock(EventType type) {
  switch (type) {
    case EventType::kGoSleep:
    case EventType::kGoBlock:
    case EventType::kGoBlockSend:
    case EventType::kGoBlockRecv:
    case EventType::kGoBlockSelect:
    case EventType::kGoBlockSync:
    case EventType::kGoBlockCond:
    case EventType::kGoBlockNet:
    case EventType::kGoBlockGC:
      return true;
    default:
      return false;
  }
}

class Checker {
 public:
  explicit Checker(Trace* trace) : trace_(*trace) {}

  absl::StatusOr<Summary> Run() {
    Split();
    std::vector<Event> ordered;
    ordered.reserve(trace_.events.size());
    for (size_t i = 0; i < queues_.size(); ++i) Offer(i);
    while (!ready_.empty()) {
      const size_t i = ready_.top().queue;
      ready_.pop();
      const Event& event = Head(i);
      if (!IsReady(NeedOf(event))) {  // another processor's event came between
        Park(i);
        continue;
      }
      if (event.ticks < last_ticks_) {
        return Bad(event,
                   "its time is before that of an event that it follows from, or that is on its processor before it");
      }
      last_ticks_ = event.ticks;
      if (absl::Status status = Apply(event); !status.ok()) return status;
      ordered.push_back(event);
      ++queues_[i].next;
      Offer(i);
      Retry(SubjectOf(event));
      if (event.goroutine != SubjectOf(event)) Retry(event.goroutine);
    }
    for (size_t i = 0; i < queues_.size(); ++i) {
      if (queues_[i].next == queues_[i].events.size()) continue;
      const Event& event = Head(i);
      const Need need = NeedOf(event);
      const Goroutine& g = goroutines_[need.goroutine];
      return Bad(event,
                 absl::StrCat("goroutine ", need.goroutine, " is ", StateName(g.state),
                              g.state == need.state ? absl::StrCat(", but its next event has number ", g.seq) : "",
                              ", and nothing in the trace changes that"));
    }
    Finish(&ordered);
    trace_.events = std::move(ordered);
    return summary_;
  }

 private:
  struct Queue {
    std::vector<size_t> events;  // places in trace_.events
    size_t next = 0;
  };
  struct Candidate {
    uint64_t ticks;
    size_t queue;
    bool operator<(const Candidate& other) const {  // for std::priority_queue, which takes the largest
      return ticks != other.ticks ? ticks > other.ticks : queue > other.queue;
    }
  };

  absl::Status Bad(const Event& event, absl::string_view what) const {
    const std::string where = event.processor >= 0 ? absl::StrCat("processor ", event.processor) : "no processor";
    return absl::InvalidArgumentError(absl::StrCat("an impossible trace: ", InfoOf(event.type).name, " at byte ",
                                                   event.offset, " (", where, ", goroutine ", event.goroutine,
                                                   ", tick ", event.ticks, "): ", what));
  }

  void Split() {
    std::unordered_map<int32_t, size_t> numbers;
    for (size_t i = 0; i < trace_.events.size(); ++i) {
      // A profile's samples have times of their own and say nothing about states.
      if (trace_.events[i].type == EventType::kCPUSample) continue;
      const auto [found, is_new] = numbers.emplace(trace_.events[i].processor, queues_.size());
      if (is_new) queues_.emplace_back();
      queues_[found->second].events.push_back(i);
    }
  }

  const Event& Head(size_t queue) const { return trace_.events[queues_[queue].events[queues_[queue].next]]; }

  // The goroutine whose state an event changes.
  static uint64_t SubjectOf(const Event& event) {
    switch (event.type) {
      case EventType::kGoCreate:
      case EventType::kGoUnblock:
      case EventType::kGoUnblockLocal:
      case EventType::kGoSysExit:
      case EventType::kGoSysExitLocal:
        return event.arguments[0];
      default:
        return event.goroutine;
    }
  }

  static Need NeedOf(const Event& event) {
    const uint64_t g = SubjectOf(event);
    switch (event.type) {
      case EventType::kGoCreate:
        return {g, State::kAbsent, true, 0};
      case EventType::kGoWaiting:
      case EventType::kGoInSyscall:
        return {g, State::kRunnable, true, 1};
      case EventType::kGoStart:
      case EventType::kGoStartLabel:
        return {g, State::kRunnable, true, event.arguments[1]};
      case EventType::kGoStartLocal:
        return {g, State::kRunnable};
      case EventType::kGoUnblock:
        return {g, State::kWaiting, true, event.arguments[1]};
      case EventType::kGoUnblockLocal:
        return {g, State::kWaiting};
      case EventType::kGoSysExit:
        return {g, State::kInCall, true, event.arguments[1]};
      case EventType::kGoSysExitLocal:
        return {g, State::kInCall};
      default:
        return {};
    }
  }

  bool IsReady(const Need& need) {
    if (need.goroutine == 0) return true;
    const Goroutine& g = goroutines_[need.goroutine];
    return g.state == need.state && (!need.numbered || g.seq == need.seq);
  }

  void Offer(size_t queue) {
    if (queues_[queue].next == queues_[queue].events.size()) return;
    const Event& event = Head(queue);
    if (IsReady(NeedOf(event))) {
      ready_.push({event.ticks, queue});
    } else {
      Park(queue);
    }
  }

  void Park(size_t queue) { parked_[NeedOf(Head(queue)).goroutine].push_back(queue); }

  void Retry(uint64_t goroutine) {
    const auto found = parked_.find(goroutine);
    if (found == parked_.end()) return;
    const std::vector<size_t> queues = std::move(found->second);
    parked_.erase(found);
    for (size_t queue : queues) Offer(queue);
  }

  // The event is its processor's current goroutine's, which runs.
  absl::Status CheckRuns(const Event& event, const Processor& p) {
    if (event.goroutine == 0) return Bad(event, "no goroutine runs on its processor");
    const Goroutine& g = goroutines_[event.goroutine];
    if (g.state != State::kRunning)
      return Bad(event, absl::StrCat("its goroutine is ", StateName(g.state), ", not running"));
    if (p.goroutine != event.goroutine || g.processor != event.processor) {
      return Bad(event, absl::StrCat("processor ", event.processor, " runs goroutine ", p.goroutine));
    }
    return absl::OkStatus();
  }

  // Done by a scheduler, or by the goroutine that runs there.
  absl::Status CheckDoer(const Event& event, const Processor& p) {
    if (event.goroutine != 0) return CheckRuns(event, p);
    if (p.goroutine != 0)
      return Bad(event, absl::StrCat("processor ", event.processor, " runs goroutine ", p.goroutine));
    return absl::OkStatus();
  }

  void Leave(Goroutine& g, Processor& p, State state) {
    g.state = state;
    g.processor = kNowhere;
    p.goroutine = 0;
  }

  absl::Status Apply(const Event& event) {
    ++summary_.events;
    Processor& p = processors_[event.processor];
    if (IsBlock(event.type)) {
      if (absl::Status status = CheckRuns(event, p); !status.ok()) return status;
      ++summary_.parks;
      Leave(goroutines_[event.goroutine], p, State::kWaiting);
      return absl::OkStatus();
    }
    switch (event.type) {
      case EventType::kProcStart:
        if (event.processor < 0) return Bad(event, "there is no processor to start");
        if (p.started) return Bad(event, "its processor is started already");
        p.started = true;
        return absl::OkStatus();
      case EventType::kProcStop:
        if (!p.started) return Bad(event, "its processor is not started");
        if (p.goroutine != 0) return Bad(event, absl::StrCat("its processor runs goroutine ", p.goroutine));
        p.started = false;
        return absl::OkStatus();
      case EventType::kGoCreate: {
        if (absl::Status status = CheckDoer(event, p); !status.ok()) return status;
        if (event.arguments[0] == 0) return Bad(event, "no goroutine has the number 0");
        ++summary_.goroutines;
        Goroutine& g = goroutines_[event.arguments[0]];
        g.state = State::kRunnable;
        g.seq = 1;
        return absl::OkStatus();
      }
      case EventType::kGoWaiting:
      case EventType::kGoInSyscall: {
        Goroutine& g = goroutines_[event.goroutine];
        g.state = event.type == EventType::kGoWaiting ? State::kWaiting : State::kInCall;
        g.seq = 2;
        if (event.type == EventType::kGoWaiting) ++summary_.parks;
        return absl::OkStatus();
      }
      case EventType::kGoStart:
      case EventType::kGoStartLocal:
      case EventType::kGoStartLabel:
        return Start(event, p);
      case EventType::kGoUnblock:
      case EventType::kGoUnblockLocal:
      case EventType::kGoSysExit:
      case EventType::kGoSysExitLocal: {
        const bool is_unblock = event.type == EventType::kGoUnblock || event.type == EventType::kGoUnblockLocal;
        if (is_unblock) {
          if (absl::Status status = CheckDoer(event, p); !status.ok()) return status;
          ++summary_.readies;
        }
        Goroutine& g = goroutines_[event.arguments[0]];
        g.state = State::kRunnable;
        ++g.seq;
        return absl::OkStatus();
      }
      case EventType::kGoEnd:
      case EventType::kGoStop:
      case EventType::kGoSched:
      case EventType::kGoPreempt:
      case EventType::kGoSysBlock:
        return Stop(event, p);
      case EventType::kGoSysCall:
        return CheckRuns(event, p);
      case EventType::kUserTaskCreate:
        if (!tasks_.emplace(event.arguments[0], true).second) return Bad(event, "its task has begun before");
        return CheckRuns(event, p);
      case EventType::kUserTaskEnd: {
        const auto task = tasks_.find(event.arguments[0]);
        // A task may have begun before the recording did.
        if (task != tasks_.end() && !std::exchange(task->second, false)) return Bad(event, "its task has ended before");
        return CheckRuns(event, p);
      }
      case EventType::kUserRegion:
        return Region(event, p);
      case EventType::kUserLog:
        return CheckRuns(event, p);
      default:
        return absl::OkStatus();
    }
  }

  absl::Status Start(const Event& event, Processor& p) {
    if (!p.started) return Bad(event, "its processor is not started");
    if (p.goroutine != 0) return Bad(event, absl::StrCat("its processor runs goroutine ", p.goroutine));
    ++summary_.starts;
    Goroutine& g = goroutines_[event.goroutine];
    g.state = State::kRunning;
    g.processor = event.processor;
    ++g.seq;
    p.goroutine = event.goroutine;
    return absl::OkStatus();
  }

  absl::Status Stop(const Event& event, Processor& p) {
    if (absl::Status status = CheckRuns(event, p); !status.ok()) return status;
    Goroutine& g = goroutines_[event.goroutine];
    switch (event.type) {
      case EventType::kGoEnd:
        ++summary_.ended;
        g.regions.clear();
        Leave(g, p, State::kDead);
        break;
      case EventType::kGoStop:
        Leave(g, p, State::kDead);
        break;
      case EventType::kGoSysBlock:
        Leave(g, p, State::kInCall);
        break;
      default:
        Leave(g, p, State::kRunnable);
        break;
    }
    return absl::OkStatus();
  }

  absl::Status Region(const Event& event, const Processor& p) {
    if (absl::Status status = CheckRuns(event, p); !status.ok()) return status;
    auto& regions = goroutines_[event.goroutine].regions;
    const std::pair<uint64_t, uint64_t> region(event.arguments[0], event.arguments[2]);
    if (event.arguments[1] == 0) {
      regions.push_back(region);
    } else if (event.arguments[1] != 1) {
      return Bad(event, "a region neither begins nor ends");
    } else if (!regions.empty()) {  // else it has begun before the recording did
      if (regions.back() != region) return Bad(event, "it is not the innermost region that ends");
      regions.pop_back();
    }
    return absl::OkStatus();
  }

  void Finish(std::vector<Event>* ordered) {
    for (const auto& [id, g] : goroutines_) {
      if (g.state == State::kWaiting) ++summary_.waiting_at_end;
    }
    for (const auto& [id, p] : processors_) summary_.processors += id >= 0;
    if (ordered->empty()) return;
    const uint64_t first = ordered->front().ticks;
    const long double nanoseconds = 1e9L / static_cast<long double>(trace_.ticks_per_second);
    for (Event& event : *ordered) {
      event.ticks = static_cast<uint64_t>(static_cast<long double>(event.ticks - first) * nanoseconds);
    }
    summary_.nanoseconds = ordered->back().ticks;
  }

  Trace& trace_;
  std::vector<Queue> queues_;  // one for each processor
  std::priority_queue<Candidate> ready_;
  std::unordered_map<uint64_t, std::vector<size_t>> parked_;  // queues whose next event waits for a goroutine
  std::unordered_map<uint64_t, Goroutine> goroutines_;
  std::unordered_map<int32_t, Processor> processors_;
  std::unordered_map<uint64_t, bool> tasks_;  // begun; true: not ended
  uint64_t last_ticks_ = 0;
  Summary summary_;
};

}  // namespace

absl::StatusOr<Summary> CheckTrace(Trace* trace) {
  return Checker(trace).Run();
}

absl::StatusOr<Summary> CheckTraceBytes(absl::string_view bytes) {
  absl::StatusOr<Trace> trace = ReadTrace(bytes);
  if (!trace.ok()) return trace.status();
  return CheckTrace(&*trace);
}

}  // namespace gyre::trace
