#include "runtime/contention_profile.h"

#include <algorithm>

#include "runtime/dump.h"
#include "runtime/frame_walk.h"
#include "runtime/go.h"
#include "runtime/goroutine.h"
#include "runtime/park.h"

namespace gyre::internal {

std::atomic<int64_t> block_profile_rate{0};
std::atomic<int> mutex_profile_fraction{0};

namespace {

// The calling stack: by frame pointers on a goroutine's, whose extent is known, else by the unwinder.
int CallingStack(void** frames, int max) {
  const G* g = This().g;
  const uintptr_t frame = reinterpret_cast<uintptr_t>(__builtin_frame_address(0));
  if (g != nullptr && g->kind == GKind::kGoroutine) {
    const StackRange range{reinterpret_cast<uintptr_t>(g->stack.low), reinterpret_cast<uintptr_t>(g->stack.top)};
    if (range.Holds(frame, 16)) return WalkFrames(frame, range, frames, 0, max);
  }
  return CaptureFrames(frames, max, 1);
}

size_t HashOf(void* const* frames, int count) {
  uint64_t hash = static_cast<uint64_t>(count);
  for (int i = 0; i < count; ++i) hash = (hash ^ reinterpret_cast<uintptr_t>(frames[i])) * 0x9e3779b97f4a7c15;
  return hash >> 32;
}

}  // namespace

void ContentionProfile::Record(double count, double delay) {
  Entry event;
  event.frame_count = CallingStack(event.frames, kMaxFrames);
  event.count = count;
  event.delay = delay;
  NoPreempt off;
  RawLockHolder hold(lock_);
  if (table_.empty()) {
    table_.resize(2 * kEntries);
    entries_.reserve(kEntries);
  }
  for (size_t at = HashOf(event.frames, event.frame_count);; ++at) {
    uint16_t& number = table_[at % table_.size()];
    if (number == 0) {
      if (entries_.size() == kEntries) return;
      entries_.push_back(event);
      number = static_cast<uint16_t>(entries_.size());
      return;
    }
    Entry& entry = entries_[number - 1];
    if (entry.frame_count == event.frame_count &&
        std::equal(event.frames, event.frames + event.frame_count, entry.frames)) {
      entry.count += count;
      entry.delay += delay;
      return;
    }
  }
}

std::vector<ContentionProfile::Entry> ContentionProfile::Entries() {
  NoPreempt off;
  RawLockHolder hold(lock_);
  return entries_;
}

ContentionProfile& BlockProfile() {
  static auto* profile = new ContentionProfile;
  return *profile;
}

ContentionProfile& MutexProfile() {
  static auto* profile = new ContentionProfile;
  return *profile;
}

// Go's sampling: a wait shorter than the rate is taken with the probability delay/rate, and then stands for rate/delay
// of them.
void RecordBlocked(Nanos delay) {
  const int64_t rate = block_profile_rate.load(std::memory_order_relaxed);
  if (rate <= 0 || delay <= 0) return;
  if (delay >= rate) {
    BlockProfile().Record(1, static_cast<double>(delay));
  } else if (static_cast<int64_t>(FastRandom() % static_cast<uint64_t>(rate)) < delay) {
    BlockProfile().Record(static_cast<double>(rate) / static_cast<double>(delay), static_cast<double>(rate));
  }
}

void RecordUnlock(Nanos delay) {
  const int fraction = mutex_profile_fraction.load(std::memory_order_relaxed);
  if (fraction <= 0 || delay <= 0 || FastRandom() % static_cast<uint64_t>(fraction) != 0) return;
  MutexProfile().Record(fraction, static_cast<double>(delay) * fraction);
}

}  // namespace gyre::internal
