#include "runtime/debug/snapshot.h"

#include <ucontext.h>

#include <algorithm>

#include "runtime/core.h"
#include "runtime/debug/page_vector.h"
#include "runtime/debug/world_stop.h"
#include "runtime/frame_walk.h"
#include "runtime/jump.h"
#include "runtime/live_cores.h"
#include "runtime/no_preempt.h"

namespace gyre::internal {

namespace {

StackRange RangeOf(const G* g) {
  return {reinterpret_cast<uintptr_t>(g->stack.low), reinterpret_cast<uintptr_t>(g->stack.top)};
}

int FramesOfSaved(const G* g, uintptr_t sp, void** frames, int max) {
  const Resumption resumption = ResumptionOf(g, reinterpret_cast<void*>(sp));
  StackRange range = RangeOf(g);
  if (max == 0 || !range.Holds(sp, 1)) return 0;
  range.low = sp;
  frames[0] = resumption.instruction;
  return WalkFrames(reinterpret_cast<uintptr_t>(resumption.frame), range, frames, 1, max);
}

int FramesOnCpu(const G* g, const StoppedThread& thread, void** frames, int max) {
  frames[0] = reinterpret_cast<void*>(thread.pc);
  StackRange range = RangeOf(g);
  range.low = thread.sp;
  return WalkFrames(thread.fp, range, frames, 1, max);
}

// It was preempted inside a signal handler, which holds its thread. Up the handler's frames on the signal stack: above
// the first of them stands what the kernel saved.
int FramesInPlace(const G* g, const StoppedThread& thread, void** frames, int max, bool* exact) {
  uintptr_t last = 0;
  uintptr_t frame = thread.fp;
  for (StackRange range = thread.signal_stack; range.Holds(frame, 16);) {
    last = frame;
    range.low = frame + 8;
    frame = *reinterpret_cast<const uintptr_t*>(frame);
  }
  // The handler's frame, its return address, and then the kernel's.
  const uintptr_t saved = last + 16;
  if (last == 0 || !thread.signal_stack.Holds(saved, sizeof(ucontext_t))) return 0;
  const greg_t* registers = reinterpret_cast<const ucontext_t*>(saved)->uc_mcontext.gregs;
  StackRange range = RangeOf(g);
  range.low = static_cast<uintptr_t>(registers[REG_RSP]);
  if (!RangeOf(g).Holds(range.low, 1)) return 0;
  frames[0] = reinterpret_cast<void*>(registers[REG_RIP]);
  *exact = true;
  return WalkFrames(static_cast<uintptr_t>(registers[REG_RBP]), range, frames, 1, max);
}

}  // namespace

void RecordOf(const G* g, absl::Span<const StoppedThread> threads, GoroutineRecord* record) {
  *record = GoroutineRecord();
  record->id = g->id;
  record->state = g->state.load(std::memory_order_acquire);
  record->creator_id = g->creator_id;
  record->creator_pc = g->creator_pc;
  record->name = g->name;
  record->labels = g->labels.load(std::memory_order_relaxed);
  record->locked = g->lock_count != 0;
  if (record->state == GState::kWaiting) {
    record->reason = g->wait_reason.load(std::memory_order_relaxed);
    record->object = g->wait_object.load(std::memory_order_relaxed);
    record->waited = std::max<Nanos>(0, g->core->CoarseNow() - g->wait_since.load(std::memory_order_relaxed));
  }
  record->frame_count = FramesOf(g, threads, record->frames, GoroutineRecord::kMaxFrames, &record->first_is_exact);
}

int FramesOf(const G* g, absl::Span<const StoppedThread> threads, void** frames, int max, bool* exact) {
  *exact = false;
  if (const uintptr_t sp = StackPointerOf(g->context.load(std::memory_order_acquire)); sp != 0) {
    return FramesOfSaved(g, sp, frames, max);
  }
  for (const StoppedThread& thread : threads) {
    if (RangeOf(g).Holds(thread.sp, 1)) {
      *exact = true;
      return FramesOnCpu(g, thread, frames, max);
    }
    if (g->in_place && thread.on_signal_stack && thread.state->m == g->bound) {
      return FramesInPlace(g, thread, frames, max, exact);
    }
  }
  return 0;
}

std::vector<GoroutineRecord> TakeSnapshot(size_t most, std::string* why) {
  PageVector<GoroutineRecord> records(most);
  {
    NoPreempt off;
    // The list's lock is taken before the world stops, for a thread that is stopped might hold it.
    ForEachLiveCore([&](Core* core) {
      StoppedWorld world;
      if (!world.status().ok()) *why = std::string(world.status().message());
      core->ForEachGoroutine([&](G* g) {
        if (records.full()) return;
        GoroutineRecord record;
        RecordOf(g, world.threads(), &record);
        records.Push(record);
      });
    });
  }
  std::vector<GoroutineRecord> result(records.begin(), records.end());
  std::sort(result.begin(), result.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  return result;
}

}  // namespace gyre::internal
