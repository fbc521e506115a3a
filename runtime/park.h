// Parking and readying goroutines: what sync/, channels/ and context/ are built on.
//
// How to wait for something:
//
//   G* self = Self();
//   lock.Lock();
//   if (!already_there) {
//     queue.PushBack({self, ...});                          // now others may find us
//     PreparePark(self, WaitReason::kChanReceive, object);  // still under the lock
//     lock.Unlock();
//     Park(self);                                           // returns after Ready(self)
//   }
//
// and how to end the wait: take the entry off the queue under the lock, then Ready(entry.g), once. The entry may live on
// the waiter's stack: stacks never move, and the waiter's frame stands until it is readied.
//
// Invariants
//  1. Between PreparePark and Park a goroutine neither parks, yields, allocates nor throws.
//  2. For each PreparePark there is exactly one Ready, by whoever took the goroutine off the queue. It may come before
//     Park: the goroutine then goes on, perhaps without a switch.
//  3. Everything here works on foreign threads too: Self() is then a stand-in, and Park blocks the thread.
#ifndef GYRE_RUNTIME_PARK_H_
#define GYRE_RUNTIME_PARK_H_

#include "plugins/task.h"
#include "runtime/no_preempt.h"
#include "runtime/raw_lock.h"
#include "runtime/thread_state.h"
#include "runtime/wait_reason.h"

namespace gyre::internal {

// The running goroutine, or the calling foreign thread's stand-in. Never null.
G* Self();

// The goroutine's state becomes "waiting", for `object` (shown in dumps; may be null). Preemption is off until Park has
// returned.
void PreparePark(G* self, WaitReason reason, const void* object);

// Gives the processor away until Ready.
void Park(G* self);

// Makes a parked goroutine runnable. Any thread. `g` must not be touched afterwards.
void Ready(G* g);

// A runtime call begins: gives way if the cooperative strategy, or the end of the world, asks for it. A few instructions
// when nobody does. Call it without any lock.
void CheckPreempt();

// Schedule exploration (runtime/simulation): how many runtimes do it. Read on hot paths, so relaxed and rarely written.
extern std::atomic<int> exploring;
void ExploreHere();
// Another goroutine might come in between here: called by what touches shared state without any other runtime call.
inline void ExplorePoint() {
  if (exploring.load(std::memory_order_relaxed) != 0) [[unlikely]] ExploreHere();
}
// Any number below `n`, that an exploration chooses.
uint32_t ChooseBelow(uint32_t n);

// Blocks for ever: nothing will ready this goroutine, and the deadlock detector knows. Does not return.
[[noreturn]] void ParkForever(WaitReason reason);

// Spins for about a microsecond if that may help (there are several processors, and this one has nothing else to run):
// how a mutex waits for a holder that is about to let go. Returns whether it did; `round` counts the caller's tries.
bool SpinOnce(int round);

// 64 random bits from the processor's own generator, which the simulator and schedule exploration control.
uint64_t FastRandom();

// Nanoseconds on the engine's clock, as time and timers see it.
Nanos MonotonicNow();

// The deadline that deadline-aware policies see of the running goroutine, kNever for none. Returns the old one. A
// foreign thread has none: the call does nothing.
Nanos SetTaskDeadline(Nanos deadline);

// Go's goroutine id of the running goroutine; 0 on a foreign thread.
uint64_t SelfId();

}  // namespace gyre::internal

#endif  // GYRE_RUNTIME_PARK_H_
