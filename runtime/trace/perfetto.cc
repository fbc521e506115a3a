#include "runtime/trace/perfetto.h"

#include <cstdint>
#include <map>
#include <unordered_map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "runtime/trace/checker.h"

namespace gyre::trace {

namespace {

// Two "processes", one for each way to look at the run.
constexpr int kProcessors = 1;
constexpr int kGoroutines = 2;
constexpr size_t kMostFrames = 20;  // of a stack, in an event's details

std::string Quoted(absl::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      default:
        // JSON is UTF-8, and a name may hold anything: what is not ASCII is shown as a number.
        if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) >= 0x7f) {
          absl::StrAppendFormat(&out, "\\u%04x", static_cast<unsigned char>(c));
        } else {
          out += c;
        }
    }
  }
  return out + "\"";
}

// Nanoseconds as the format's microseconds.
std::string Time(uint64_t nanoseconds) {
  return absl::StrFormat("%d.%03d", nanoseconds / 1000, nanoseconds % 1000);
}

const char* WaitName(EventType type) {
  switch (type) {
    case EventType::kGoBlockSend:
      return "chan send";
    case EventType::kGoBlockRecv:
      return "chan receive";
    case EventType::kGoBlockSelect:
      return "select";
    case EventType::kGoBlockSync:
      return "sync";
    case EventType::kGoBlockCond:
      return "sync.Cond.Wait";
    case EventType::kGoBlockNet:
      return "network";
    case EventType::kGoBlockGC:
      return "GC assist";
    case EventType::kGoSleep:
      return "sleep";
    case EventType::kGoStop:
      return "for ever";
    case EventType::kGoSysBlock:
      return "blocking call";
    default:
      return "wait";
  }
}

class Converter {
 public:
  explicit Converter(const Trace& trace) : trace_(trace) {}

  std::string Run() {
    out_ = "{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n";
    Name(kProcessors, -1, "processors");
    Name(kGoroutines, -1, "goroutines");
    for (const Event& event : trace_.events) Convert(event);
    const uint64_t end = trace_.events.empty() ? 0 : trace_.events.back().ticks;
    for (auto& [id, g] : goroutines_) EndState(id, g, end, 0);
    for (auto& [id, p] : processors_) EndRun(id, p, end);
    out_ += "\n]}\n";
    return std::move(out_);
  }

 private:
  struct Goroutine {
    std::string name;
    const char* state = nullptr;  // null: none
    uint64_t since = 0;
    uint64_t stack = 0;      // where that state began
    int32_t processor = -1;  // where it runs
    uint64_t arrow = 0;      // that ends when it runs
    std::vector<uint64_t> regions;
  };
  struct Processor {
    uint64_t goroutine = 0;
    uint64_t since = 0;
  };

  // One line of the array.
  void Emit(absl::string_view fields) {
    absl::StrAppend(&out_, first_ ? "" : ",\n", "{", fields, "}");
    first_ = false;
  }

  void Name(int process, int64_t track, absl::string_view name) {
    if (track < 0) {
      Emit(absl::StrCat("\"ph\":\"M\",\"pid\":", process,
                        ",\"name\":\"process_name\",\"args\":{\"name\":", Quoted(name), "}"));
    } else {
      Emit(absl::StrCat("\"ph\":\"M\",\"pid\":", process, ",\"tid\":", track,
                        ",\"name\":\"thread_name\",\"args\":{\"name\":", Quoted(name), "}"));
    }
  }

  std::string StackText(uint64_t stack) const {
    const auto found = trace_.stacks.find(stack);
    if (found == trace_.stacks.end()) return "";
    std::string text;
    size_t count = 0;
    for (const Frame& frame : found->second) {
      if (++count > kMostFrames) break;
      absl::StrAppend(&text, text.empty() ? "" : "\n", trace_.String(frame.function));
      if (frame.line != 0) absl::StrAppend(&text, " (", trace_.String(frame.file), ":", frame.line, ")");
    }
    return text;
  }

  void Slice(int process, uint64_t track, absl::string_view name, uint64_t begin, uint64_t end,
             const std::string& arguments) {
    Emit(absl::StrCat("\"ph\":\"X\",\"pid\":", process, ",\"tid\":", track, ",\"name\":", Quoted(name),
                      ",\"ts\":", Time(begin), ",\"dur\":", Time(end - begin),
                      arguments.empty() ? "" : absl::StrCat(",\"args\":{", arguments, "}")));
  }

  // Ends what `g` was doing. `stack`: where it is now, where that says why the state ends.
  void EndState(uint64_t id, Goroutine& g, uint64_t now, uint64_t stack) {
    if (g.state == nullptr) return;
    std::string arguments;
    if (g.processor >= 0) absl::StrAppend(&arguments, "\"processor\":", g.processor);
    const std::string where = StackText(stack != 0 ? stack : g.stack);
    if (!where.empty()) absl::StrAppend(&arguments, arguments.empty() ? "" : ",", "\"stack\":", Quoted(where));
    Slice(kGoroutines, id, g.state, g.since, now, arguments);
    g.state = nullptr;
  }

  void Begin(uint64_t id, const char* state, uint64_t now, uint64_t stack, int32_t processor = -1) {
    Goroutine& g = goroutines_[id];
    EndState(id, g, now, 0);
    g.state = state;
    g.since = now;
    g.stack = stack;
    g.processor = processor;
  }

  void EndRun(int32_t id, Processor& p, uint64_t now) {
    if (p.goroutine == 0) return;
    Slice(kProcessors, static_cast<uint64_t>(id), goroutines_[p.goroutine].name, p.since, now,
          absl::StrCat("\"goroutine\":", p.goroutine));
    p.goroutine = 0;
  }

  void BeginArrow(const Event& event, Goroutine& woken, const char* name) {
    if (event.goroutine == 0) return;  // an arrow begins in a slice
    woken.arrow = ++arrows_;
    Emit(absl::StrCat("\"ph\":\"s\",\"cat\":\"wake\",\"name\":\"", name, "\",\"id\":", arrows_,
                      ",\"pid\":", kGoroutines, ",\"tid\":", event.goroutine, ",\"ts\":", Time(event.ticks)));
  }

  void Count() {
    if (running_ == shown_running_ && runnable_ == shown_runnable_) return;
    shown_running_ = running_;
    shown_runnable_ = runnable_;
    Emit(absl::StrCat("\"ph\":\"C\",\"pid\":", kProcessors, ",\"name\":\"goroutines\",\"ts\":", Time(now_),
                      ",\"args\":{\"running\":", running_, ",\"runnable\":", runnable_, "}"));
  }

  void Stop(const Event& event, const char* next) {
    Processor& p = processors_[event.processor];
    EndRun(event.processor, p, event.ticks);
    Goroutine& g = goroutines_[event.goroutine];
    EndState(event.goroutine, g, event.ticks, event.stack);
    --running_;
    if (next != nullptr) Begin(event.goroutine, next, event.ticks, event.stack);
  }

  void Async(const char* phase, const char* category, const std::string& id, absl::string_view name,
             const Event& event) {
    Emit(absl::StrCat("\"ph\":\"", phase, "\",\"cat\":\"", category, "\",\"id\":\"", id, "\",\"name\":", Quoted(name),
                      ",\"pid\":", kGoroutines, ",\"tid\":", event.goroutine, ",\"ts\":", Time(event.ticks)));
  }

  void Convert(const Event& event) {
    now_ = event.ticks;
    switch (event.type) {
      case EventType::kGoCreate: {
        const uint64_t id = event.arguments[0];
        Goroutine& g = goroutines_[id];
        const std::string& entry = trace_.Function(event.arguments[1]);
        g.name = absl::StrCat("G", id, entry.empty() ? "" : " ", entry);
        Name(kGoroutines, static_cast<int64_t>(id), g.name);
        Begin(id, "runnable", event.ticks, event.stack);
        BeginArrow(event, g, "go");
        ++runnable_;
        break;
      }
      case EventType::kGoWaiting:
      case EventType::kGoInSyscall:
        Begin(event.goroutine, event.type == EventType::kGoWaiting ? "wait" : "blocking call", event.ticks, 0);
        --runnable_;
        break;
      case EventType::kGoStart:
      case EventType::kGoStartLocal:
      case EventType::kGoStartLabel: {
        Begin(event.goroutine, "running", event.ticks, 0, event.processor);
        Goroutine& g = goroutines_[event.goroutine];
        if (g.arrow != 0) {
          Emit(absl::StrCat("\"ph\":\"f\",\"bp\":\"e\",\"cat\":\"wake\",\"name\":\"wake\",\"id\":", g.arrow,
                            ",\"pid\":", kGoroutines, ",\"tid\":", event.goroutine, ",\"ts\":", Time(event.ticks)));
          g.arrow = 0;
        }
        processors_[event.processor] = {event.goroutine, event.ticks};
        --runnable_;
        ++running_;
        break;
      }
      case EventType::kGoUnblock:
      case EventType::kGoUnblockLocal:
      case EventType::kGoSysExit:
      case EventType::kGoSysExitLocal: {
        const uint64_t id = event.arguments[0];
        Begin(id, "runnable", event.ticks, event.stack);
        if (event.type == EventType::kGoUnblock || event.type == EventType::kGoUnblockLocal) {
          BeginArrow(event, goroutines_[id], "wake");
        }
        ++runnable_;
        break;
      }
      case EventType::kGoEnd:
        Stop(event, nullptr);
        break;
      case EventType::kGoSched:
      case EventType::kGoPreempt:
        Stop(event, event.type == EventType::kGoSched ? "runnable (gave way)" : "runnable (preempted)");
        ++runnable_;
        break;
      case EventType::kProcStart:
        if (!std::exchange(named_[event.processor], true)) {
          Name(kProcessors, event.processor, absl::StrCat("P", event.processor));
        }
        break;
      case EventType::kUserTaskCreate:
        Async("b", "task", absl::StrCat("t", event.arguments[0]),
              tasks_[event.arguments[0]] = trace_.String(event.arguments[2]), event);
        break;
      case EventType::kUserTaskEnd:
        if (auto task = tasks_.find(event.arguments[0]); task != tasks_.end()) {
          Async("e", "task", absl::StrCat("t", event.arguments[0]), task->second, event);
          tasks_.erase(task);
        }
        break;
      case EventType::kUserRegion: {
        std::vector<uint64_t>& regions = goroutines_[event.goroutine].regions;
        if (event.arguments[1] == 0) {
          regions.push_back(event.arguments[2]);
        } else if (regions.empty()) {
          break;  // it began before the recording
        } else {
          regions.pop_back();
        }
        Async(event.arguments[1] == 0 ? "b" : "e", "region", absl::StrCat("g", event.goroutine),
              trace_.String(event.arguments[2]), event);
        break;
      }
      case EventType::kUserLog:
        Emit(absl::StrCat("\"ph\":\"i\",\"s\":\"t\",\"cat\":\"log\",\"pid\":", kGoroutines,
                          ",\"tid\":", event.goroutine, ",\"ts\":", Time(event.ticks),
                          ",\"name\":", Quoted(trace_.String(event.arguments[1])),
                          ",\"args\":{\"message\":", Quoted(trace_.messages[event.text]), "}"));
        break;
      case EventType::kGoSleep:
      case EventType::kGoStop:
      case EventType::kGoBlock:
      case EventType::kGoBlockSend:
      case EventType::kGoBlockRecv:
      case EventType::kGoBlockSelect:
      case EventType::kGoBlockSync:
      case EventType::kGoBlockCond:
      case EventType::kGoBlockNet:
      case EventType::kGoBlockGC:
      case EventType::kGoSysBlock:
        Stop(event, WaitName(event.type));
        break;
      default:
        break;
    }
    Count();
  }

  const Trace& trace_;
  std::string out_;
  bool first_ = true;
  std::map<uint64_t, Goroutine> goroutines_;
  std::map<int32_t, Processor> processors_;
  std::map<int32_t, bool> named_;
  std::unordered_map<uint64_t, std::string> tasks_;
  uint64_t arrows_ = 0;
  uint64_t now_ = 0;
  int64_t running_ = 0, runnable_ = 0, shown_running_ = 0, shown_runnable_ = 0;
};

}  // namespace

std::string ToPerfettoJson(const Trace& trace) {
  return Converter(trace).Run();
}

absl::StatusOr<std::string> PerfettoJsonOf(absl::string_view bytes) {
  absl::StatusOr<Trace> trace = ReadTrace(bytes);
  if (!trace.ok()) return trace.status();
  absl::StatusOr<Summary> summary = CheckTrace(&*trace);
  if (!summary.ok()) return summary.status();
  return ToPerfettoJson(*trace);
}

}  // namespace gyre::trace
