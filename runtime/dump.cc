#include "runtime/dump.h"

#include <cxxabi.h>
#include <fcntl.h>
#include <unistd.h>
#include <unwind.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "absl/debugging/symbolize.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "runtime/core.h"
#include "runtime/jump.h"
#include "runtime/live_cores.h"
#include "runtime/symbols.h"
#include "runtime/wait_reason.h"

namespace gyre::internal {

namespace {

constexpr int kMaxFrames = 64;
constexpr size_t kMaxGoroutines = 1000;  // printed in full; the rest is counted

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
  // Where a stack has several parts, the next frame need not lie higher.
  const bool parts = g->core->stack_traits().needs_switch_hooks;
  while (count < max && (parts ? frame != below : frame > below) && reinterpret_cast<uintptr_t>(frame) % 8 == 0 &&
         g->core->stacks().Holds(g->stack, reinterpret_cast<uintptr_t>(frame)) &&
         g->core->stacks().Holds(g->stack, reinterpret_cast<uintptr_t>(frame) + 15)) {
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
  for (int i = 0; i < frame_count; ++i) absl::StrAppend(&text, Symbol(frames[i]), "\n");
  if (g->creator_pc != nullptr) {
    absl::StrAppend(&text, "created by ", Symbol(g->creator_pc));
    if (g->creator_id != 0) absl::StrAppend(&text, " in goroutine ", g->creator_id);
    text += "\n";
  }
  return text;
}

namespace {

// A goroutine as it was seen: names are looked up afterwards, for all at once.
struct Seen {
  std::string header;
  std::string wait;  // for what and how long, empty if it does not wait
  std::vector<void*> frames;
  void* creator_pc;
  uint64_t creator_id;
};

Seen Look(G* g, void* const* frames, int frame_count) {
  Seen seen{Header(g), "", {}, g->creator_pc, g->creator_id};
  if (frames != nullptr) {
    seen.frames.assign(frames, frames + frame_count);
  } else {
    void* parked[kMaxFrames];
    seen.frames.assign(parked, parked + FramesOfParked(g, parked, kMaxFrames));
  }
  if (g->state.load(std::memory_order_relaxed) == GState::kWaiting) {
    const Nanos waited = std::max<Nanos>(0, g->core->Now() - g->wait_since.load(std::memory_order_relaxed));
    if (const void* object = g->wait_object.load(std::memory_order_relaxed)) {
      absl::StrAppend(&seen.wait, "waits for 0x", absl::Hex(reinterpret_cast<uintptr_t>(object)), ", ");
    } else {
      seen.wait = "waits ";
    }
    absl::StrAppend(&seen.wait, "since ", absl::FormatDuration(absl::Nanoseconds(waited)), " ago\n");
  }
  return seen;
}

void AppendPlace(std::string* text, const CodeFrame& frame) {
  if (frame.line != 0) absl::StrAppend(text, "\t", frame.file, ":", frame.line, "\n");
}

std::string Describe(const Seen& seen, const SymbolTable& symbols) {
  std::string text = seen.header;
  if (seen.frames.empty()) {
    text += "\tgoroutine running on other thread; stack unavailable\n";
  } else {
    for (const CodeFrame& frame : symbols.UsersFrames(seen.frames.data(), seen.frames.size())) {
      absl::StrAppend(&text, frame.function, "(...)\n");
      AppendPlace(&text, frame);
    }
  }
  text += seen.wait;
  if (seen.creator_pc != nullptr) {
    // Go() and what called it may be inlined: the function itself, not its parts.
    const CodeFrame creator = symbols.UsersFrames(&seen.creator_pc, 1).back();
    absl::StrAppend(&text, "created by ", creator.function);
    if (seen.creator_id != 0) absl::StrAppend(&text, " in goroutine ", seen.creator_id);
    text += "\n";
    AppendPlace(&text, creator);
  }
  return text;
}

}  // namespace

std::string DumpGoroutines(void* const* frames, int frame_count) {
  void* here[kMaxFrames];
  if (frames == nullptr) {
    frame_count = CaptureFrames(here, kMaxFrames, 1);
    frames = here;
  }
  G* self = This().g;
  const bool on_goroutine = self != nullptr && self->kind == GKind::kGoroutine;
  std::vector<Seen> all;
  if (on_goroutine) all.push_back(Look(self, frames, frame_count));
  int64_t left_out = 0;
  auto visit = [&](G* g) {
    if (g == self) return;
    if (all.size() >= kMaxGoroutines) {
      ++left_out;
      return;
    }
    all.push_back(Look(g, nullptr, 0));
  };
  if (Machine* m = This().m; m != nullptr) {
    m->core->ForEachGoroutine(visit);
  } else {
    ForEachLiveCore([&](Core* core) { core->ForEachGoroutine(visit); });
  }
  std::vector<void*> addresses;
  for (const Seen& seen : all) {
    addresses.insert(addresses.end(), seen.frames.begin(), seen.frames.end());
    if (seen.creator_pc != nullptr) addresses.push_back(seen.creator_pc);
  }
  const SymbolTable symbols(addresses);
  std::string text;
  for (const Seen& seen : all) absl::StrAppend(&text, text.empty() ? "" : "\n", Describe(seen, symbols));
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
