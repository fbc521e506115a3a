#include "runtime/panic.h"

#include <atomic>

#include "absl/strings/str_cat.h"
#include "runtime/core.h"
#include "runtime/dump.h"
#include "runtime/futex.h"
#include "runtime/no_preempt.h"
#include "runtime/state.h"

namespace gyre {

namespace internal {
namespace {
// The first thread to die reports; any other waits for the end.
void DieAlone() {
  static std::atomic<uint32_t> dying{0};
  static constinit thread_local bool mine = false;
  if (mine) return;  // a failure while reporting: say what there is to say
  if (dying.exchange(1, std::memory_order_relaxed) != 0) {
    for (;;) FutexWait(dying, 1);
  }
  mine = true;
}
// The simulator may end its run instead of the process, and does not return then.
void TellEngine(const char* what, const std::string& text, void* const* frames, int frame_count) {
  if (Machine* m = This().m; m != nullptr && m->core->is_virtual()) m->core->engine().Failed(what + text, frames, frame_count);
}
}  // namespace

void FatalPanic(const std::string& text, void* const* frames, int frame_count) {
  NoPreemptEnter();
  TellEngine("panic: ", text, frames, frame_count);
  DieAlone();
  SaveTraces();
  DieWith(absl::StrCat("panic: ", text, "\n\n", DumpGoroutines(frames, frame_count)));
}

void FatalAfter(const std::string& line, const std::string& text) {
  NoPreemptEnter();
  TellEngine("fatal error: ", text, nullptr, 0);
  DieAlone();
  SaveTraces();
  DieWith(absl::StrCat(line, "fatal error: ", text, "\n\n", DumpGoroutines(nullptr, 0)));
}

void BadTransition(const void* g, GState expected, GState found, GState to) {
  Fatal(absl::StrCat("goroutine at 0x", absl::Hex(reinterpret_cast<uintptr_t>(g)), " should go from ",
                     GStateName(expected), " to ", GStateName(to), " but is ", GStateName(found)));
}

}  // namespace internal

PanicError::PanicError(std::string text)
    : text_(std::move(text)), frame_count_(internal::CaptureFrames(frames_, kMaxFrames, 1)) {}

void Panic(std::string text) { throw PanicError(std::move(text)); }
void PanicRuntimeError(std::string text) { throw RuntimeError(std::move(text)); }

void Fatal(const std::string& text) { internal::FatalAfter("", text); }

}  // namespace gyre
