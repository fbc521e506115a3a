// Profiles of the running process, as Go's runtime/pprof: what --debug_http serves (http.h), for programs that want
// them without a server.
//
//   gyre::pprof::StartCpuProfile();
//   ...
//   std::string file = gyre::pprof::StopCpuProfile();            // for `go tool pprof -top FILE`
//
//   gyre::pprof::SetBlockProfileRate(1);                         // every wait; 0, the default: none
//   gyre::pprof::SetMutexProfileFraction(1);                     // every contended unlock; 0, the default: none
//   std::string text = *gyre::pprof::Lookup("block", 1);
//
//   gyre::pprof::Do({{"kind", "upload"}}, [] { ... });           // samples and goroutines carry the label
//
// From any thread, but not from timer callbacks.
#ifndef GYRE_RUNTIME_DEBUG_PPROF_H_
#define GYRE_RUNTIME_DEBUG_PPROF_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace gyre::pprof {

// Samples all threads `hz` times for each second of CPU time that they use, until StopCpuProfile. An error: one is
// being taken already, or the kernel gives no timers, or `hz` is not from 1 to 10000.
absl::Status StartCpuProfile(int hz = 100);
// The profile, gzipped; empty if none was being taken.
std::string StopCpuProfile();

// A profile of the kinds in Profiles(): `debug` 0 is the file for pprof, 1 text; 2, of "goroutine" and "goroutineleak",
// a trace of each goroutine. An error: there is no such profile; it says which there are.
absl::StatusOr<std::string> Lookup(absl::string_view name, int debug);

struct Kind {
  const char* name;
  const char* help;
};
const std::vector<Kind>& Profiles();

// Waits are sampled so that one is recorded for each `rate` nanoseconds waited, on average: 1 records all, 0 or less
// none. Waiting is on channels, in selects and for locks; sleeping does not count.
void SetBlockProfileRate(int64_t rate);

// One of `rate` contended unlocks of a Mutex or RWMutex is recorded, with how long others waited for it: 1 all, 0 none.
// Negative: changes nothing. Returns the rate of before.
int SetMutexProfileFraction(int rate);

// ---- labels ----
// A goroutine has those of the one that started it. A set of labels is kept for the life of the process: they are for
// kinds of work, not for the number of a request.

using LabelList = std::vector<std::pair<std::string, std::string>>;

// The calling goroutine's labels from now on: these and no others.
void SetLabels(const LabelList& labels);

// The value of the calling goroutine's label; empty if it has none of that name.
std::string Label(const std::string& key);

// The calling goroutine has these labels on top of its others, for a scope.
class WithLabels {
 public:
  explicit WithLabels(const LabelList& labels);
  ~WithLabels();
  WithLabels(const WithLabels&) = delete;
  WithLabels& operator=(const WithLabels&) = delete;

 private:
  const void* before_;
};

// Calls f with them.
template <typename F>
void Do(const LabelList& labels, F&& f) {
  WithLabels here(labels);
  std::forward<F>(f)();
}

}  // namespace gyre::pprof

#endif  // GYRE_RUNTIME_DEBUG_PPROF_H_
