// Execution traces: what every goroutine did and when, why it waited and who woke it.
//
//   gyre::trace::Start("out.trace");   // `go tool trace out.trace` shows it
//   ...
//   gyre::trace::Stop();
//
// or, for a whole run, the flag --trace=out.trace. A file whose name ends in .json is for Perfetto (ui.perfetto.dev)
// and chrome://tracing instead. docs/tracing.md says what is in a trace and what it costs.
//
// A program's own story in a trace, as with Go's runtime/trace:
//
//   gyre::trace::Task task = gyre::trace::NewTask("request");          // may span goroutines; ends with the object
//   gyre::trace::WithRegion(task, "parse", [&] { ... });               // a part of it, in this goroutine
//   gyre::trace::Log(task, "size", absl::StrCat(bytes));
//
// These cost next to nothing while nothing is recorded. All functions are for goroutines; on a foreign thread those
// that say something of the program do nothing, and Start and Stop return an error.
#ifndef GYRE_RUNTIME_TRACE_TRACE_H_
#define GYRE_RUNTIME_TRACE_TRACE_H_

#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace gyre::trace {

// Records the calling goroutine's runtime into `file`, which is emptied. Errors: it cannot be written; the runtime is
// traced already.
absl::Status Start(const std::string& file);

// Ends the recording and completes the file. Errors: nothing is recorded; a part could not be written.
absl::Status Stop();

// The same into memory, in the Go format.
absl::Status StartInMemory();
absl::StatusOr<std::string> StopInMemory();

// Whether the calling goroutine's runtime is being recorded: for texts that are costly to make.
bool Enabled();

// A piece of work, perhaps of many goroutines. Any of them may end it, once; one that is moved from, or was made of
// nothing, is no task.
class Task {
 public:
  Task() = default;
  Task(Task&& other) noexcept : id_(std::exchange(other.id_, 0)) {}
  Task& operator=(Task&& other) noexcept {
    if (this != &other) {
      End();
      id_ = std::exchange(other.id_, 0);
    }
    return *this;
  }
  ~Task() { End(); }

  void End();
  uint64_t id() const { return id_; }  // 0: no task

 private:
  friend Task NewTask(const Task& parent, absl::string_view type);
  uint64_t id_ = 0;
};

Task NewTask(absl::string_view type);
Task NewTask(const Task& parent, absl::string_view type);  // a part of `parent`

// From its making to its end, in one goroutine: regions of a goroutine nest.
class Region {
 public:
  explicit Region(absl::string_view type) : Region(0, type) {}
  Region(const Task& task, absl::string_view type) : Region(task.id(), type) {}
  ~Region();
  Region(const Region&) = delete;
  Region& operator=(const Region&) = delete;

 private:
  Region(uint64_t task, absl::string_view type);
  const uint64_t task_;
  const std::string type_;
};

template <typename F>
decltype(auto) WithRegion(absl::string_view type, F&& f) {
  Region region(type);
  return std::forward<F>(f)();
}

template <typename F>
decltype(auto) WithRegion(const Task& task, absl::string_view type, F&& f) {
  Region region(task, type);
  return std::forward<F>(f)();
}

// What is longer than 1024 bytes is cut.
void Log(absl::string_view category, absl::string_view message);
void Log(const Task& task, absl::string_view category, absl::string_view message);

}  // namespace gyre::trace

#endif  // GYRE_RUNTIME_TRACE_TRACE_H_
