// What every goroutine of the process does at one instant, with its stack: for the goroutine profile, traces of all
// goroutines and the metrics of states.
#ifndef GYRE_RUNTIME_DEBUG_SNAPSHOT_H_
#define GYRE_RUNTIME_DEBUG_SNAPSHOT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "plugins/task.h"
#include "runtime/state.h"
#include "runtime/wait_reason.h"

namespace gyre::internal {

class Core;
struct G;
struct StoppedThread;

struct GoroutineRecord {
  static constexpr int kMaxFrames = 64;

  uint64_t id = 0;
  GState state = GState::kIdle;
  WaitReason reason = WaitReason::kNone;
  Nanos waited = 0;  // coarse
  const void* object = nullptr;
  const char* name = nullptr;
  const void* labels = nullptr;  // labels.h
  uint64_t creator_id = 0;
  void* creator_pc = nullptr;
  bool locked = false;
  bool first_is_exact = false;  // frames[0] is where it was interrupted, not a return address
  int frame_count = 0;
  void* frames[kMaxFrames];  // innermost first

  absl::Span<void* const> Frames() const { return {frames, static_cast<size_t>(frame_count)}; }
};

// All goroutines of all runtimes in the process, by id. The others are stopped while it looks; where that is not
// possible
// (*why says so), goroutines that run have no frames, and the rest is approximate. Never more than `most`.
std::vector<GoroutineRecord> TakeSnapshot(size_t most, std::string* why);

// What is to be said of `g`. Also while the world is stopped.
void RecordOf(const G* g, absl::Span<const StoppedThread> threads, GoroutineRecord* record);

// The frames of `g`: parked, or on the CPU of one of `threads` (which are stopped). Sets *exact as above.
int FramesOf(const G* g, absl::Span<const StoppedThread> threads, void** frames, int max, bool* exact);

}  // namespace gyre::internal

#endif  // GYRE_RUNTIME_DEBUG_SNAPSHOT_H_
