// Machines and processors, Go's M and P.
//
// A machine is a kernel thread (in the simulator: a fiber). A processor is the right to run goroutines, with the state
// that only its holder touches: that state needs no lock. A machine runs goroutines only while it holds a processor.
#ifndef GYRE_RUNTIME_MACHINE_H_
#define GYRE_RUNTIME_MACHINE_H_

#include <atomic>
#include <cstdint>

#include "plugins/proc_context.h"
#include "plugins/scheduler.h"
#include "plugins/stack.h"
#include "runtime/goroutine.h"
#include "runtime/timer_heap.h"

namespace gyre::internal {

struct Processor;

struct Machine {
  explicit Machine(Core* owner) : system(GKind::kSystem, owner), core(owner) {}
  ~Machine();

  G system;                                // its own stack: the scheduler loop, for searching and idling
  Core* const core;
  Processor* p = nullptr;                  // the one it holds: its own field
  std::atomic<Processor*> given{nullptr};  // the one that somebody gives it
  ExceptionGlobals* exceptions = nullptr;  // the thread's, as the C++ ABI keeps them
  bool carries_limit = false;              // switches carry the limit, see StackTraits
  G* next = nullptr;                       // handed by a goroutine that left: to be run at once

  // See handoff.cc.
  Machine* next_spare = nullptr;
  bool starts_as_spare = false;            // counted in spares_starting_
  bool listed = false;                     // among the spares, before it waits
  G* locked = nullptr;                     // the goroutine that keeps this thread for itself
  bool thread_ends = false;                // it ended while it did
  G* preempted = nullptr;                  // comes with a processor: to be made runnable
  Processor* syscall_p = nullptr;          // whose holder it was when its blocking call began
  G* returned = nullptr;                   // back from a blocking call whose processor is gone
  std::atomic<int> tid{0};                 // the kernel's name of the thread; 0 before and after
  Nanos cpu_at_end = kNever;               // what the thread had used when the runtime ended

  // See call_injection.cc.
  void* interrupted = nullptr;             // in the handler of the strategy's signal: what it interrupted
  bool ask_again = false;                  // that was a bad moment
  std::atomic<int> away{0};                // goroutines that were preempted by a call here and have not come back
  G* returners = nullptr;                  // those that were picked elsewhere, linked; under spares_lock_
  std::atomic<bool> has_returners{false};

  // See ticks.cc.
  static constexpr Nanos kNoTicker = -1, kNoTick = 0;
  std::atomic<Nanos> tick{kNoTicker};      // how often the thread is interrupted
  int ticker = 0;                          // the kernel's name of its timer
  bool fresh_slice = true;                 // the next goroutine's turn begins with the thread's
  uint64_t tick_dispatches = 0;            // whose slice is being measured
  Nanos tick_since = 0;                    // from when on
  uint64_t events_then = 0;                // at its last preemption
  Nanos lonely_since = kNever;             // when a preemption last found nobody else

  bool spinning = false;                   // searching, and counted so (see idle.cc)
  std::atomic<uint32_t> wake_word{0};      // the engine's: what the machine sleeps on
  std::atomic<bool> in_poller{false};      // the engine's: it sleeps there instead
  void* engine_data = nullptr;             // the engine's
  static constexpr int kMakerFrames = 16;
  void* maker[kMakerFrames];               // the stack that had it made, for the threadcreate profile
  int maker_frames = 0;
};

// Counted by the holder alone, read by anyone: loads and stores, never a read-modify-write. Who sees that something was counted
// sees what was done before (release and acquire): that a goroutine has ended means that it is done with all it used.
class Counter {
 public:
  void Add(uint64_t n) { value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_release); }
  uint64_t Get() const { return value_.load(std::memory_order_acquire); }

 private:
  std::atomic<uint64_t> value_{0};
};

// How often times of about 2^i nanoseconds were seen: written by a processor's holder, read by anyone.
class LatencyCounts {
 public:
  static constexpr int kBuckets = 40;  // the last: 2^39 ns, nine minutes, and more

  // Bucket i is for times under 2^i ns that are not for bucket i-1.
  void Add(Nanos time) {
    const int bits = time <= 0 ? 0 : 64 - __builtin_clzll(static_cast<unsigned long long>(time));
    counts_[bits < kBuckets ? bits : kBuckets - 1].Add(1);
    sum_.Add(time <= 0 ? 0 : static_cast<uint64_t>(time));
  }
  uint64_t Count(int bucket) const { return counts_[bucket].Get(); }
  uint64_t Sum() const { return sum_.Get(); }

 private:
  Counter counts_[kBuckets];
  Counter sum_;
};

// What a processor's holder must look at, in one word, so that the switch from goroutine to goroutine asks one question in
// the usual case: is there anything at all?
enum Attention : uint32_t {
  // The holder must come to its scheduler loop before it runs another goroutine.
  kAttentionStop = 1,      // the runtime ends
  kAttentionPreempt = 2,   // the slice is over
  kAttentionWorld = 4,     // the world is to stand
  // What follows makes nobody leave.
  kAttentionEngine = 8,    // always, where time is virtual: runtime calls are the engine's business
  kAttentionWatch = 16,    // somebody watches what goroutines do (Core::watched)
  kAttentionTimers = 32,   // the processor's heap of timers is not empty
};
constexpr uint32_t kAttentionLeave = kAttentionStop | kAttentionPreempt | kAttentionWorld;
constexpr uint32_t kAttentionOnCall = kAttentionLeave | kAttentionEngine;  // at any runtime call

struct alignas(128) Processor {
  // The holder's own, and constants.
  ProcContext context;
  Core* core = nullptr;
  SchedulerPolicy* policy = nullptr;
  StackAllocator* stacks = nullptr;
  ProcContext* stack_context;        // for the stack allocator: `context` or `shared_context`
  std::atomic<Machine*> m{nullptr};  // its holder
  Counter spawned, exited, dispatches, parks, readies, syscalls;
  uint64_t next_id = 0;          // goroutine ids reserved for this processor
  uint64_t last_id = 0;
  Nanos dispatched_at = 0;       // where the policy wants times
  uint64_t timers_seen_at = 0;   // when its timers were last compared with the clock, in ticks of the CPU's counter
  bool first_wake_spins = false; // its first machine starts as a searching one, counted by its waker
  ProcContext shared_context;        // of no processor
  G* call_of = nullptr;          // whose blocking call the last one was; with the monitor once it has retaken the processor

  // Others write here.
  alignas(128) std::atomic<uint32_t> attention{0};
  std::atomic<Machine*> in_call{nullptr};  // its holder, while that is in a blocking call and it may be retaken
  std::atomic<uint64_t> preempt_tag{0};    // `dispatches` when its preemption was asked for
  std::atomic<bool> stands{false};         // nobody holds it, while the world is stopped
  std::atomic<bool> quiet{false};  // asleep, or about to be, after it found nothing anywhere (deadlock.cc)
  std::atomic<Nanos> slice{0};   // of the running goroutine; 0: the quantum
  alignas(128) TimerHeap timers;

  alignas(128) LatencyCounts latencies;  // from runnable to running, where times are kept
};

// Machinery that the switch needs (spawn.cc).
void RecycleGoroutine(G* dead);

}  // namespace gyre::internal

#endif  // GYRE_RUNTIME_MACHINE_H_
