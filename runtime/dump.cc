#include "runtime/dump.h"

#include <cxxabi.h>
#include <fcntl.h>
#include <unistd.h>
#include <unwind.h>

#include <cstdio>
#include <cstdlib>

#include "absl/debugging/symbolize.h"
#include "absl/strings/str_cat.h"
#include "runtime/core.h"
#include "runtime/jump.h"
#include "runtime/live_cores.h"
#include "runtime/wait_reason.h"

namespace gyre::internal {

namespace {

constexpr int kMaxFrames = 64;
constexpr int kMaxGoroutines = 1000;  // printed in full; the rest is counted

std::string Symbol(void* return_address) {
  char name[1024];
  // The address after the call may belong to the next function.
  if (absl::Symbolize(static_cast<char*>(return_address) - 1, name, sizeof(name))) return name;
  return absl::StrCat("0x", absl::Hex(reinterpret_cast<uintptr_t>(return_address)));
}

struct Capture {
  void** frames;
  int max;
  int skip;
  int count;
};

_Unwind_Reason_Code CaptureOne(_Unwind_Context* context, void* argument) {
  auto* capture = static_cast<Capture*>(argument);
  if (capture->skip > 0) {
    --capture->skip;
    return _URC_NO_REASON;
  }
  void* pc = reinterpret_cast<void*>(_Unwind_GetIP(context));
  if (pc == nullptr || capture->count == capture->max) return _URC_END_OF_STACK;
  capture->frames[capture->count++] = pc;
  return _URC_NO_REASON;
}

// The frames of a goroutine that is switched out, by its chain of frame pointers.
int FramesOfParked(G* g, void** frames, int max) {
  char* context = static_cast<char*>(g->context.load(std::memory_order_acquire));
  if (!MayEnter(context)) return 0;
  const Resumption resumption = ResumptionOf(g, context);
  int count = 0;
  frames[count++] = resumption.instruction;
  char* frame = resumption.frame;
  char* below = context;
  while (count < max && frame > below && frame + 16 <= g->stack.top && reinterpret_cast<uintptr_t>(frame) % 8 == 0) {
    void* return_address = reinterpret_cast<void**>(frame)[1];
    if (return_address == nullptr) break;
    frames[count++] = return_address;
    below = frame;
    frame = *reinterpret_cast<char**>(frame);
  }
  return count;
}

std::string Header(G* g) {
  const GState state = g->state.load(std::memory_order_relaxed);
  std::string what = GStateName(state);
  if (state == GState::kWaiting) {
    what = WaitReasonName(g->wait_reason.load(std::memory_order_relaxed));
    const Nanos waited = g->core->CoarseNow() - g->wait_since.load(std::memory_order_relaxed);
    if (waited >= 60'000'000'000) absl::StrAppend(&what, ", ", waited / 60'000'000'000, " minutes");
  }
  if (g->lock_count != 0) what += ", locked to thread";
  std::string header = absl::StrCat("goroutine ", g->id, " [", what, "]");
  if (g->name != nullptr) absl::StrAppend(&header, " (", g->name, ")");
  return header + ":\n";
}

}  // namespace

int CaptureFrames(void** frames, int max, int skip) {
  Capture capture{frames, max, skip + 1, 0};
  _Unwind_Backtrace(&CaptureOne, &capture);
  return capture.count;
}

std::string TypeName(const std::type_info& type) {
  int status = 0;
  char* name = abi::__cxa_demangle(type.name(), nullptr, nullptr, &status);
  std::string result = status == 0 ? name : type.name();
  std::free(name);
  return result;
}

std::string DumpGoroutine(G* g, void* const* frames, int frame_count) {
  std::string text = Header(g);
  void* parked[kMaxFrames];
  if (frames == nullptr) {
    frame_count = FramesOfParked(g, parked, kMaxFrames);
    frames = parked;
  }
  for (int i = 0; i < frame_count; ++i) absl::StrAppend(&text, Symbol(frames[i]), "\n");
  if (g->creator_pc != nullptr) {
    absl::StrAppend(&text, "created by ", Symbol(g->creator_pc));
    if (g->creator_id != 0) absl::StrAppend(&text, " in goroutine ", g->creator_id);
    text += "\n";
  }
  return text;
}

std::string DumpGoroutines(void* const* frames, int frame_count) {
  void* here[kMaxFrames];
  if (frames == nullptr) {
    frame_count = CaptureFrames(here, kMaxFrames, 1);
    frames = here;
  }
  G* self = This().g;
  const bool on_goroutine = self != nullptr && self->kind == GKind::kGoroutine;
  std::string text;
  if (on_goroutine) text = DumpGoroutine(self, frames, frame_count);
  int printed = 0;
  int64_t left_out = 0;
  auto visit = [&](G* g) {
    if (g == self) return;
    if (printed == kMaxGoroutines) {
      ++left_out;
      return;
    }
    ++printed;
    absl::StrAppend(&text, text.empty() ? "" : "\n", DumpGoroutine(g, nullptr, 0));
  };
  if (Machine* m = This().m; m != nullptr) {
    m->core->ForEachGoroutine(visit);
  } else {
    ForEachLiveCore([&](Core* core) { core->ForEachGoroutine(visit); });
  }
  if (left_out != 0) absl::StrAppend(&text, "\n...", left_out, " other goroutines\n");
  return text;
}

void DieWith(const std::string& text) {
  std::fflush(stdout);
  const char* rest = text.data();
  size_t left = text.size();
  while (left > 0) {
    const ssize_t written = write(STDERR_FILENO, rest, left);
    if (written <= 0) break;
    rest += written;
    left -= static_cast<size_t>(written);
  }
  _exit(2);
}

}  // namespace gyre::internal
