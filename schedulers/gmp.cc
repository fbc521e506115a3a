// Go's scheduler: a run queue per processor, work stealing, and a slot for the task that runs next.
//
// Where a task goes
//   kNew, kUnblocked       the processor's runnext slot; what was there moves to the tail of its ring
//   kYielded, kPreempted   the tail of the ring (Go: the shared queue, which costs a lock; option yielded=shared)
//   kInjected              the shared queue
//   A full ring's older half moves to the shared queue in one batch.
// Where a task comes from
//   runnext, the ring, a batch from the shared queue, half of another's ring, another's runnext; and on every 61st pick
//   the shared queue first, so that it cannot starve.
//
// Two rules that Go bases on time, which a policy does not have:
//   A pair of tasks that wake each other through runnext would keep the ring waiting for ever. (In Go they share one
//   time slice.) When the ring's head has not moved between two of those 61st picks, the ring goes first. A thief
//   leaves another's runnext alone, for its processor is about to run it, unless it has seen the same task there
//   before, and that processor has not picked since: then it is busy with something long. (Go's thief sleeps 3 us
//   first.)
//
// A yield is not announced (WakeHint::kNone): it takes one task from the CPU and gives one to it, so there is no more
// to do for others than there was before, and whoever enqueued the rest has announced that.
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "plugins/registry.h"
#include "plugins/scheduler.h"
#include "schedulers/run_queue.h"
#include "schedulers/shared_queue.h"
#include "schedulers/steal_order.h"

namespace gyre {
namespace {

using schedulers::RunQueue;
using schedulers::SharedQueue;
using schedulers::StealOrder;

class GmpPolicy final : public SchedulerPolicy {
 public:
  absl::Status Start(const Topology& topology, const PluginOptions& options) override {
    const std::string& steal = options.Choice("steal");
    steal_ = steal != "off";
    steal_half_ = steal == "half";
    shared_every_ = static_cast<uint32_t>(options.Int("shared_every"));
    const Place woken = options.Bool("runnext") ? Place::kRunnext : Place::kRing;
    const Place yielded = options.Choice("yielded") == "shared" ? Place::kShared : Place::kRing;
    place_[static_cast<int>(EnqueueReason::kNew)] = woken;
    place_[static_cast<int>(EnqueueReason::kUnblocked)] = woken;
    place_[static_cast<int>(EnqueueReason::kYielded)] = yielded;
    place_[static_cast<int>(EnqueueReason::kPreempted)] = yielded;
    place_[static_cast<int>(EnqueueReason::kInjected)] = Place::kShared;
    MakeProcs(topology.procs);
    return absl::OkStatus();
  }

  // Enqueue and PickNext leave for the rare cases by tail calls only: the common ones then need no frame of their own.

  WakeHint Enqueue(ProcContext& from, Task* t, EnqueueReason why) override {
    const Place place = place_[static_cast<int>(why)];
    if (place == Place::kShared || from.id < 0) [[unlikely]]
      return EnqueueShared(t);
    Proc& me = procs_[from.id];
    if (place == Place::kRunnext) {
      // Only its owner fills the slot, so an empty one stays empty: a store will do. Release, here and below: a thief
      // sees what the task's maker wrote.
      Task* const before = me.runnext.load(std::memory_order_relaxed);
      if (before == nullptr) {
        me.runnext.store(t, std::memory_order_release);
        return {WakeHint::kAnyIdle};
      }
      if (alone_) {
        me.runnext.store(t, std::memory_order_relaxed);
        t = before;
      } else {
        t = me.runnext.exchange(t, std::memory_order_release);
        if (t == nullptr) [[unlikely]]
          return {WakeHint::kAnyIdle};  // a thief was faster
      }
    }
    if (!me.ring.Push(t)) [[unlikely]]
      return Spill(me, t);
    return {why == EnqueueReason::kYielded ? WakeHint::kNone : WakeHint::kAnyIdle};
  }

  Dispatch PickNext(ProcContext& p, PickMode mode) override {
    Proc& me = procs_[p.id];
    me.tick.store(p.tick, std::memory_order_relaxed);
    if (IsDue(me, p.tick)) [[unlikely]]
      return PickFairly(p, mode);
    if (Task* own = TakeOwn(me)) [[likely]]
      return {own};
    return PickElsewhere(p, mode);
  }

  // A task that yields goes to the tail of the ring, and the ring's head, or runnext, goes on: mostly one place for
  // both.
  Dispatch EnqueueThenPick(ProcContext& p, Task* t, EnqueueReason why, WakeHint& hint) override {
    Proc& me = procs_[p.id];
    if (place_[static_cast<int>(why)] != Place::kRing || IsDue(me, p.tick) || !me.ring.Push(t)) [[unlikely]]
      return SchedulerPolicy::EnqueueThenPick(p, t, why, hint);
    hint.kind = why == EnqueueReason::kYielded ? WakeHint::kNone : WakeHint::kAnyIdle;
    me.tick.store(p.tick, std::memory_order_relaxed);
    if (Task* own = TakeOwn(me)) [[likely]]
      return {own};
    return PickElsewhere(p, PickMode::kFast);
  }

  absl::Status Resize(const Topology& topology) override {
    TaskList all;
    for (uint32_t i = 0; i < proc_count_; ++i) {
      if (Task* t = procs_[i].runnext.load(std::memory_order_relaxed)) all.PushBack(t);
      while (Task* t = procs_[i].ring.PopAlone()) all.PushBack(t);
      retired_.steals += procs_[i].steals.load(std::memory_order_relaxed);
      retired_.stolen += procs_[i].stolen.load(std::memory_order_relaxed);
      retired_.overflows += procs_[i].overflows.load(std::memory_order_relaxed);
      retired_.shared_picks += procs_[i].shared_picks.load(std::memory_order_relaxed);
    }
    shared_.Append(&all);
    MakeProcs(topology.procs);
    return absl::OkStatus();
  }

  PolicyStats Stats() const override {
    PolicyStats sum = retired_;
    for (uint32_t i = 0; i < proc_count_; ++i) {
      sum.steals += procs_[i].steals.load(std::memory_order_relaxed);
      sum.stolen += procs_[i].stolen.load(std::memory_order_relaxed);
      sum.overflows += procs_[i].overflows.load(std::memory_order_relaxed);
      sum.shared_picks += procs_[i].shared_picks.load(std::memory_order_relaxed);
    }
    return sum;
  }

  void DumpState(StateWriter& out) const override {
    out.Number("shared", static_cast<int64_t>(shared_.size()));
    for (uint32_t i = 0; i < proc_count_; ++i) {
      out.ProcNumber(static_cast<ProcId>(i), "ring", procs_[i].ring.size());
      out.ProcNumber(static_cast<ProcId>(i), "runnext", procs_[i].runnext.load(std::memory_order_relaxed) != nullptr);
    }
  }

 private:
  enum class Place : uint8_t { kRunnext, kRing, kShared };

  // What a thief saw in a victim's runnext slot.
  struct Sighting {
    Task* task = nullptr;  // compared, never followed
    uint32_t victim = 0;
    uint32_t victim_tick = 0;
  };
  // Victims that share a place drive each other out, which delays a theft and loses nothing.
  static constexpr uint32_t kSightings = 16;

  struct alignas(128) Proc {
    // Together with the ring's indices on one cache line.
    std::atomic<Task*> runnext{nullptr};
    std::atomic<uint32_t> tick{0};      // of the owner's last pick, for thieves
    uint32_t shared_at_tick = 0;        // when the shared queue goes first } the owner's
    uint64_t head_then = ~uint64_t{0};  // of the ring, the last time   } own
    RunQueue ring;

    alignas(64) Sighting sightings[kSightings];  // the owner's own
    // Written by the owner.
    std::atomic<uint64_t> steals{0};
    std::atomic<uint64_t> stolen{0};
    std::atomic<uint64_t> overflows{0};
    std::atomic<uint64_t> shared_picks{0};
  };

  static void Add(std::atomic<uint64_t>& counter, uint64_t n) {
    counter.store(counter.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }

  void MakeProcs(int procs) {
    proc_count_ = static_cast<uint32_t>(procs);
    alone_ = procs == 1;
    procs_ = std::make_unique<Proc[]>(proc_count_);
    for (uint32_t i = 0; i < proc_count_; ++i) procs_[i].shared_at_tick = shared_every_;
    order_.Reset(proc_count_);
  }

  // Whether those who are passed over go first this time.
  static bool IsDue(const Proc& me, uint32_t tick) { return static_cast<int32_t>(tick - me.shared_at_tick) >= 0; }

  // What its owner has at hand: the slot, then the ring.
  Task* TakeOwn(Proc& me) {
    Task* t = me.runnext.load(std::memory_order_relaxed);
    if (alone_) {
      if (t == nullptr) return me.ring.PopAlone();
      me.runnext.store(nullptr, std::memory_order_relaxed);
      return t;
    }
    // Relaxed: this thread filled the slot itself. It fails if a thief has emptied it.
    if (t != nullptr && me.runnext.compare_exchange_strong(t, nullptr, std::memory_order_relaxed)) return t;
    return me.ring.Pop();
  }

  [[gnu::noinline, gnu::cold]] WakeHint EnqueueShared(Task* t) {
    shared_.Push(t);
    return {WakeHint::kAnyIdle};
  }

  // The ring was full.
  [[gnu::noinline, gnu::cold]] WakeHint Spill(Proc& me, Task* t) {
    Task* half[RunQueue::kCapacity / 2];
    do {
      if (!me.ring.TakeOlderHalf(half)) continue;
      TaskList batch;
      for (Task* each : half) batch.PushBack(each);
      batch.PushBack(t);
      shared_.Append(&batch);
      Add(me.overflows, 1);
      break;
    } while (!me.ring.Push(t));  // a thief has made room
    return {WakeHint::kAnyIdle};
  }

  // Every shared_every_ picks: those who are passed over go first.
  [[gnu::noinline, gnu::cold]] Dispatch PickFairly(ProcContext& p, PickMode mode) {
    Proc& me = procs_[p.id];
    me.shared_at_tick = p.tick + shared_every_;
    const bool starved = me.ring.head() == me.head_then;
    me.head_then = me.ring.head();
    if (starved) {
      if (Task* t = me.ring.Pop()) return {t};
    }
    if (Task* t = shared_.Pop()) {
      Add(me.shared_picks, 1);
      return {t};
    }
    return PickNext(p, mode);  // the tick is no longer due
  }

  // This processor's slot and ring are empty.
  [[gnu::noinline]] Dispatch PickElsewhere(ProcContext& p, PickMode mode) {
    Proc& me = procs_[p.id];
    // Before it sleeps it takes the lock even of an empty queue: a batch that another processor is moving to its ring
    // is then either still here, or to be found there.
    if (shared_.size() != 0 || mode == PickMode::kExhaustive) {
      if (Task* t = TakeSharedBatch(me)) return {t};
    }
    if (mode == PickMode::kFast || alone_ || !steal_) return {};
    if (Task* t = Steal(me, p)) return {t};
    return {mode == PickMode::kExhaustive ? StealAnything(me, p) : nullptr};
  }

  // This processor's share of the shared queue.
  Task* TakeSharedBatch(Proc& me) {
    uint64_t taken = 1;
    Task* t =
        shared_.Take([this](size_t size) { return std::min<size_t>(size / proc_count_ + 1, RunQueue::kCapacity / 2); },
                     [&me, &taken](Task* each) {
                       me.ring.Push(each);  // has room: it is empty
                       ++taken;
                     });
    if (t != nullptr) Add(me.shared_picks, taken);
    return t;
  }

  Task* StealFromRing(Proc& me, Proc& victim) {
    uint32_t moved = 0;
    Task* t = me.ring.StealFrom(victim.ring, steal_half_, &moved);
    if (t != nullptr) {
      Add(me.steals, 1);
      Add(me.stolen, moved);
    }
    return t;
  }

  // Acquire: what the task's maker wrote is visible to the thief.
  bool StealRunnext(Proc& me, Proc& victim, Task* t) {
    if (!victim.runnext.compare_exchange_strong(t, nullptr, std::memory_order_acquire, std::memory_order_relaxed)) {
      return false;
    }
    Add(me.steals, 1);
    Add(me.stolen, 1);
    return true;
  }

  Task* Steal(Proc& me, ProcContext& p) {
    Task* found = nullptr;
    order_.ForEachOther(p, static_cast<uint32_t>(p.id), [&](uint32_t id) {
      Proc& victim = procs_[id];
      found = StealFromRing(me, victim);
      if (found != nullptr) return true;
      // Tick before and after the slot would be needed to be sure that they belong together; a mistake costs one
      // migration.
      Task* next = victim.runnext.load(std::memory_order_relaxed);
      if (next == nullptr) return false;
      const uint32_t tick = victim.tick.load(std::memory_order_relaxed);
      Sighting& seen = me.sightings[id % kSightings];
      if (seen.task == next && seen.victim == id && seen.victim_tick == tick) {
        if (StealRunnext(me, victim, next)) found = next;
        return found != nullptr;
      }
      seen = {next, id, tick};
      return false;
    });
    return found;
  }

  Task* StealAnything(Proc& me, ProcContext& p) {
    Task* found = nullptr;
    order_.ForEachOther(p, static_cast<uint32_t>(p.id), [&](uint32_t id) {
      Task* next = procs_[id].runnext.load(std::memory_order_relaxed);
      if (next != nullptr && StealRunnext(me, procs_[id], next)) found = next;
      return found != nullptr;
    });
    return found;
  }

  // Read by all, written by Start and Resize only.
  std::unique_ptr<Proc[]> procs_;
  uint32_t proc_count_ = 0;
  uint32_t shared_every_ = 0;
  Place place_[5] = {};
  bool alone_ = false;  // one processor: nobody can steal from it
  bool steal_ = true;
  bool steal_half_ = true;
  StealOrder order_;
  PolicyStats retired_;  // of the processors before the last Resize

  alignas(128) SharedQueue shared_;
};

}  // namespace
}  // namespace gyre

GYRE_REGISTER_SCHEDULER("gmp", gyre::GmpPolicy, "Go's: run queues per processor, work stealing, a run-next slot",
                        gyre::ChoiceOption("steal", {"half", "one", "off"}, "half",
                                           "how much a thief takes of another processor's queue"),
                        gyre::BoolOption("runnext", true, "a new or woken goroutine runs before those that wait"),
                        gyre::ChoiceOption("yielded", {"ring", "shared"}, "ring",
                                           "where a goroutine that yields or is preempted waits (Go: shared)"),
                        gyre::IntOption("shared_every", 61, 1, 1 << 20,
                                        "every how many picks the shared queue goes first"));
