#include "runtime/trace/trace.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "runtime/blocking.h"
#include "runtime/core.h"
#include "runtime/live_cores.h"
#include "runtime/no_preempt.h"
#include "runtime/trace/perfetto.h"
#include "runtime/trace/recorder.h"

namespace gyre::internal {

namespace {

absl::Status WriteFile(int file, absl::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(file, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0)
      return absl::InternalError(absl::StrCat("gyre::trace: the file cannot be written: ", std::strerror(errno)));
    text.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status Core::StartTrace(const std::string& file) {
#if defined(GYRE_NO_TRACE)
  return absl::UnimplementedError(absl::StrCat("trace=", file, ": tracing was left out of this build (GYRE_NO_TRACE)"));
#endif
  std::lock_guard<std::mutex> hold(trace_lock_);
  if (tracer_ == nullptr) tracer_ = std::make_unique<TraceRecorder>(this);
  if (tracer_->recording()) return absl::FailedPreconditionError("gyre::trace: this runtime is traced already");
  int descriptor = -1;
  if (!file.empty()) {
    descriptor = open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (descriptor < 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("trace=", file, ": the file cannot be written: ", std::strerror(errno)));
    }
  }
  if (!absl::EndsWith(file, ".json")) return tracer_->Begin(descriptor);
  json_file_ = descriptor;
  return tracer_->Begin(-1);
}

absl::Status Core::StopTrace(std::string* text) {
  std::lock_guard<std::mutex> hold(trace_lock_);
  if (tracer_ == nullptr) return absl::FailedPreconditionError("gyre::trace: this runtime is not traced");
  return EndTrace(text, /*dying=*/false);
}

absl::Status Core::EndTrace(std::string* text, bool dying) {
  std::string own;
  const int json_file = std::exchange(json_file_, -1);
  absl::Status status = tracer_->End(json_file >= 0 ? &own : text, dying);
  if (json_file < 0) return status;
  if (status.ok()) {
    absl::StatusOr<std::string> json = trace::PerfettoJsonOf(own);
    status = json.ok() ? WriteFile(json_file, *json) : json.status();
  }
  close(json_file);
  return status;
}

void Core::SaveTrace() {
  // Who holds the lock is at it, or has died on the way.
  std::unique_lock<std::mutex> hold(trace_lock_, std::try_to_lock);
  if (!hold.owns_lock() || tracer_ == nullptr || !tracer_->recording()) return;
  EndTrace(nullptr, /*dying=*/true).IgnoreError();
}

void SaveTraces() {
  ForEachLiveCore([](Core* core) { core->SaveTrace(); });
}

}  // namespace gyre::internal

namespace gyre::trace {

namespace {

absl::StatusOr<internal::Core*> CoreHere() {
  internal::Machine* m = internal::This().m;
  if (m == nullptr) {
    return absl::FailedPreconditionError(
        "gyre::trace: the calling thread runs no goroutine, so there is no runtime to trace");
  }
  return m->core;
}

uint64_t NextTask() {
  static std::atomic<uint64_t> last{0};
  return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

// Calls `record` with the recorder, the processor and the running goroutine, if something is recorded.
template <typename Record>
void IfRecorded(Record record) {
  internal::NoPreempt off;
  internal::ThreadState& thread = internal::This();
  if (thread.p == nullptr || thread.g->kind != internal::GKind::kGoroutine) return;
  internal::Core* core = thread.m->core;
  if (!core->watched()) [[likely]]
    return;
  if (internal::TraceRecorder* tracer = core->Tracer()) record(*tracer, thread.p, thread.g);
}

}  // namespace

absl::Status Start(const std::string& file) {
  if (file.empty()) return absl::InvalidArgumentError("gyre::trace::Start: the file has no name");
  absl::StatusOr<internal::Core*> core = CoreHere();
  return core.ok() ? (*core)->StartTrace(file) : core.status();
}

absl::Status Stop() {
  absl::StatusOr<internal::Core*> core = CoreHere();
  // It asks for symbols, and writes.
  return core.ok() ? Blocking([&] { return (*core)->StopTrace(); }) : core.status();
}

absl::Status StartInMemory() {
  absl::StatusOr<internal::Core*> core = CoreHere();
  return core.ok() ? (*core)->StartTrace("") : core.status();
}

absl::StatusOr<std::string> StopInMemory() {
  absl::StatusOr<internal::Core*> core = CoreHere();
  if (!core.ok()) return core.status();
  std::string text;
  absl::Status status = Blocking([&] { return (*core)->StopTrace(&text); });
  if (!status.ok()) return status;
  return text;
}

bool Enabled() {
  bool enabled = false;
  IfRecorded([&](auto&, auto*, auto*) { enabled = true; });
  return enabled;
}

Task NewTask(absl::string_view type) {
  return NewTask(Task(), type);
}

Task NewTask(const Task& parent, absl::string_view type) {
  Task task;
  task.id_ = NextTask();
  IfRecorded([&](auto& tracer, auto* p, auto* g) { tracer.TaskBegin(p, g, task.id_, parent.id_, type); });
  return task;
}

void Task::End() {
  const uint64_t id = std::exchange(id_, 0);
  if (id == 0) return;
  IfRecorded([&](auto& tracer, auto* p, auto* g) { tracer.TaskEnd(p, g, id); });
}

Region::Region(uint64_t task, absl::string_view type) : task_(task), type_(type) {
  IfRecorded([&](auto& tracer, auto* p, auto* g) { tracer.Region(p, g, task_, /*begins=*/true, type_); });
}

Region::~Region() {
  IfRecorded([&](auto& tracer, auto* p, auto* g) { tracer.Region(p, g, task_, /*begins=*/false, type_); });
}

void Log(absl::string_view category, absl::string_view message) {
  Log(Task(), category, message);
}

void Log(const Task& task, absl::string_view category, absl::string_view message) {
  IfRecorded([&](auto& tracer, auto* p, auto* g) { tracer.Log(p, g, task.id(), category, message); });
}

}  // namespace gyre::trace
