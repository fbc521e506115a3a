// Where goroutines wait, and who makes them: the block and mutex profiles, as Go's. Off, each costs one load and one
// branch where a goroutine parks anyway (park.h, sync/sema.cc). Readers: runtime/debug/pprof.h.
#ifndef GYRE_RUNTIME_CONTENTION_PROFILE_H_
#define GYRE_RUNTIME_CONTENTION_PROFILE_H_

#include <atomic>
#include <cstdint>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "plugins/task.h"
#include "runtime/raw_lock.h"

namespace gyre::internal {

// Sums by stack. A fixed number of stacks is told apart; others that come later are left out.
class ContentionProfile {
 public:
  static constexpr int kMaxFrames = 24;

  // The calling stack's event. `count` may be more than one: a sampled event stands for others. Any thread, with
  // preemption on or off; not under a lock that this could wait for.
  void Record(double count, double delay);

  struct Entry {
    void* frames[kMaxFrames];  // return addresses, innermost first
    int frame_count;
    double count;
    double delay;  // nanoseconds
  };
  std::vector<Entry> Entries();

 private:
  static constexpr int kEntries = 4096;
  RawLock lock_;
  std::vector<Entry> entries_ ABSL_GUARDED_BY(lock_);   // made at the first event
  std::vector<uint16_t> table_ ABSL_GUARDED_BY(lock_);  // open addressing; 0: free, else an entry's number plus 1
};

ContentionProfile& BlockProfile();
ContentionProfile& MutexProfile();

// One event is recorded for each so many nanoseconds of waiting; 0: none.
extern std::atomic<int64_t> block_profile_rate;
// One of so many contended unlocks is recorded; 0: none.
extern std::atomic<int> mutex_profile_fraction;

// The calling goroutine has waited for `delay`.
void RecordBlocked(Nanos delay);
// The caller's unlock has ended waits of `delay` in all.
void RecordUnlock(Nanos delay);

}  // namespace gyre::internal

#endif  // GYRE_RUNTIME_CONTENTION_PROFILE_H_
