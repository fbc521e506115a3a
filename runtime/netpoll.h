// Waiting for descriptors: Go's netpoll, on epoll.
//
// A runtime has one Poller, made when the first of its descriptors has to wait. Each watched descriptor has a PollDesc
// with two slots, one for its reader and one for its writer, and is registered with the kernel once, edge-triggered,
// for both.
//
// How to wait, for code that has a descriptor in non-blocking mode (runtime/net/fd.cc):
//
//   while ((n = recv(fd, ...)) < 0 && errno == EAGAIN) desc->Wait(PollDesc::kRead, deadline, still_wanted);
//
// Who asks the kernel
//   - A machine that finds no work asks without waiting before it searches elsewhere, and again while it searches.
//   - One of the machines that sleep does so in epoll_wait instead of on its futex (the "sleeper"): an event then costs
//   no hop
//     from a polling thread to a working one. Who wants to wake it for other work writes to an eventfd.
//   - The monitor asks when nobody has for 10 ms, because all processors are busy.
//
// A slot's states
//   nil     nobody waits, and nothing has happened since somebody last looked
//   ready   an event came, and nobody waited
//   G*      a goroutine waits
//   nil -> ready, G* -> nil   an event (the goroutine is readied, and tries again)
//   ready -> nil              Wait: returns at once
//   nil -> G*                 Wait, with the goroutine's state "waiting"
//   G* -> nil                 Wake (close, a changed deadline), the deadline's timer, or the goroutine itself
// Go has a fourth state for "about to park"; here a goroutine may be readied before it has parked (park.h), so there is
// no need.
//
// Invariants
//  1. At most one goroutine at a time waits in a slot: who waits holds the descriptor's lock for that direction.
//  2. Whoever changes a slot from G* to nil, and nobody else, readies that goroutine.
//  3. An event that comes after a slot was found "ready" or set to "nil" by Wait leaves "ready" behind or ends the
//  wait. So it
//     is safe to try, fail with EAGAIN, and then wait: what came in between is in the slot.
//  4. A PollDesc is never freed while its Poller lives, only reused: an event may be on its way to one that was given
//  back.
//     To its next user it is an event for nothing, after which he tries and waits again.
#ifndef GYRE_RUNTIME_NETPOLL_H_
#define GYRE_RUNTIME_NETPOLL_H_

#include <sys/epoll.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "plugins/task.h"
#include "runtime/raw_lock.h"

namespace gyre::internal {

class Core;
struct G;
class Poller;

class alignas(64) PollDesc {
 public:
  enum Mode { kRead = 0, kWrite = 1 };

  // Blocks the running goroutine until there was an event for `mode`, Wake(mode), or `deadline` (kNever: none). It may
  // end for no reason. `still_wanted` is called when Wake can find the goroutine: what it sees must be what Wake's
  // callers wrote before they called it, in the single order of sequentially consistent operations. False: the wait
  // ends. The caller runs on a processor (netpoll.h's CanPark) and is the only one who waits for this mode.
  void Wait(Mode mode, Nanos deadline, absl::FunctionRef<bool()> still_wanted);

  // Ends a wait in progress, without an event. Any thread.
  void Wake(Mode mode);

  // Whether an event came that nobody has taken. Relaxed: a hint.
  bool MayBeReady(Mode mode) const { return slots_[mode].load(std::memory_order_acquire) == kReady; }

  // A hang-up, an error or urgent data was seen: that a read got less than it asked for then does not mean that the
  // next one would find nothing.
  bool irregular() const { return irregular_.load(std::memory_order_acquire); }

 private:
  friend class Poller;
  struct WaitTimer;

  static constexpr uintptr_t kNil = 0, kReady = 1;

  // An event: the goroutine that the caller must ready, or null.
  G* MarkReady(Mode mode);

  std::atomic<uintptr_t> slots_[2] = {kNil, kNil};
  std::atomic<bool> irregular_{false};
  PollDesc* next_free_ = nullptr;  // guarded by the Poller's lock
};

// Goroutines that events have made ready, for the caller to ready.
struct PollBatch {
  static constexpr int kEvents = 128;  // asked for at once; Go's number
  int count = 0;
  Poller* poller = nullptr;  // where they come from, if there are any
  G* goroutines[2 * kEvents];

  void ReadyAll();
};

class Poller {
 public:
  friend struct PollBatch;
  // An error: the kernel has no descriptors or memory left, and says why.
  static absl::StatusOr<std::shared_ptr<Poller>> Create();
  ~Poller();
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  // `fd` is in non-blocking mode. Its present state counts as an event. The error EPERM: it is of a kind that is always
  // ready.
  absl::StatusOr<PollDesc*> Watch(int fd);
  // Nobody waits there any more. Before `fd` is closed.
  void Unwatch(PollDesc* desc, int fd);

  // Whether there is anything to ask the kernel about. Relaxed.
  bool in_use() const { return watched_.load(std::memory_order_relaxed) != 0; }

  // Asks the kernel, without waiting.
  void Poll(PollBatch* batch);

  // How often the kernel was asked; a sleeper counts as asking all the time.
  uint64_t polls() const { return polls_.load(std::memory_order_relaxed); }
  bool has_sleeper() const { return sleeping_.load(std::memory_order_relaxed); }

  // ---- The engine's, for the machine that sleeps here ----
  // False: another one does.
  bool BeginSleep();
  void EndSleep();
  // Between the two: waits for events, WakeSleeper, or `deadline`. Returns now and then for no reason.
  void Sleep(Nanos deadline, PollBatch* batch);
  void WakeSleeper();

  // Whether a goroutine waits for a descriptor, or an event for one is on its way from here to the policy: then something will
  // run, whatever else sleeps.
  bool HasWaiters();

  // The runtime ends: goroutines of others that wait here go on, and find `ended`. `core`: whose own are left alone.
  void End(const Core* core);
  bool ended() const { return ended_.load(std::memory_order_acquire); }

 private:
  Poller(int epoll, int wake) : epoll_(epoll), wake_(wake) {}
  void Collect(Nanos deadline, PollBatch* batch);
  PollDesc* TakeFree() ABSL_LOCKS_EXCLUDED(lock_);
  void GiveBack(PollDesc* desc) ABSL_LOCKS_EXCLUDED(lock_);

  const int epoll_;
  const int wake_;  // an eventfd, edge-triggered and never read: each write is an event
  std::atomic<int64_t> watched_{0};
  std::atomic<uint64_t> polls_{0};
  // Batches of events that were begun, before a slot was changed, and ended, after the last goroutine was readied. In between a
  // goroutine may be in no slot and not yet runnable.
  std::atomic<uint64_t> batches_begun_{0}, batches_ended_{0};
  std::atomic<bool> sleeping_{false};
  std::atomic<bool> ended_{false};

  RawLock lock_;
  static constexpr size_t kBlock = 64;  // descriptors made at once
  std::vector<std::unique_ptr<PollDesc[]>> blocks_ ABSL_GUARDED_BY(lock_);
  PollDesc* free_ ABSL_GUARDED_BY(lock_) = nullptr;
  PollDesc* last_waiter_ ABSL_GUARDED_BY(lock_) = nullptr;  // where HasWaiters found one
};

// Whether the caller can wait in a PollDesc: it is a goroutine that has a processor to give away. A foreign thread, and
// a goroutine inside gyre::Blocking, block their thread instead.
bool CanPark();

// The poller of the calling goroutine's runtime. An error in the simulator, or where the kernel refuses one.
absl::StatusOr<std::shared_ptr<Poller>> PollerHere();

}  // namespace gyre::internal

#endif  // GYRE_RUNTIME_NETPOLL_H_
