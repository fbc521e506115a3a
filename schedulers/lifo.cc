// Last in, first out, with stealing of the oldest: the order of Cilk's workers (Blumofe and Leiserson, 1999).
//
// Where a task goes
//   kNew, kUnblocked       the bottom of the processor's deque, from where it runs next
//   kYielded, kPreempted   a first-in first-out ring beside the deque: they expect others to run first, and at the
//   bottom
//                          of the deque they would run at once. A full ring's older half goes to the shared queue.
//   kInjected              the shared queue
// Where a task comes from
//   the deque's bottom, the ring, the shared queue, the top of another's deque, half of another's ring; and every 61st
//   pick begins with the shared queue, the ring and the deque's top in turn, so that none of them starves.
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "plugins/registry.h"
#include "plugins/scheduler.h"
#include "schedulers/chase_lev_deque.h"
#include "schedulers/run_queue.h"
#include "schedulers/shared_queue.h"
#include "schedulers/steal_order.h"

namespace gyre {
namespace {

using schedulers::ChaseLevDeque;
using schedulers::RunQueue;
using schedulers::SharedQueue;
using schedulers::StealOrder;

class LifoPolicy final : public SchedulerPolicy {
 public:
  absl::Status Start(const Topology& topology, const PluginOptions& options) override {
    fair_every_ = static_cast<uint32_t>(options.Int("fair_every"));
    MakeProcs(topology.procs);
    return absl::OkStatus();
  }

  WakeHint Enqueue(ProcContext& from, Task* t, EnqueueReason why) override {
    if (why == EnqueueReason::kInjected || from.id < 0) [[unlikely]] {
      shared_.Push(t);
      return {WakeHint::kAnyIdle};
    }
    Proc& me = procs_[from.id];
    if (why == EnqueueReason::kNew || why == EnqueueReason::kUnblocked) {
      me.deque.Push(t);
      return {WakeHint::kAnyIdle};
    }
    if (!me.aside.Push(t)) [[unlikely]]
      Spill(me, t);
    // A yield leaves as much for others to do as there was, and whoever enqueued that has announced it.
    return {why == EnqueueReason::kYielded ? WakeHint::kNone : WakeHint::kAnyIdle};
  }

  Dispatch PickNext(ProcContext& p, PickMode mode) override {
    Proc& me = procs_[p.id];
    if (static_cast<int32_t>(p.tick - me.fair_at_tick) >= 0) [[unlikely]] {
      me.fair_at_tick = p.tick + fair_every_;
      if (Task* t = PickFairly(me)) return {t};
    }
    if (Task* t = me.deque.Pop()) return {t};
    if (Task* t = me.aside.Pop()) return {t};
    if (Task* t = PickShared(me)) return {t};
    return {mode == PickMode::kFast ? nullptr : Steal(me, p)};
  }

  absl::Status Resize(const Topology& topology) override {
    TaskList all;
    for (uint32_t i = 0; i < proc_count_; ++i) {
      while (Task* t = procs_[i].deque.Pop()) all.PushBack(t);
      while (Task* t = procs_[i].aside.Pop()) all.PushBack(t);
      AddTo(&retired_, procs_[i]);
    }
    shared_.Append(&all);
    MakeProcs(topology.procs);
    return absl::OkStatus();
  }

  PolicyStats Stats() const override {
    PolicyStats sum = retired_;
    for (uint32_t i = 0; i < proc_count_; ++i) AddTo(&sum, procs_[i]);
    return sum;
  }

  void DumpState(StateWriter& out) const override {
    out.Number("shared", static_cast<int64_t>(shared_.size()));
    for (uint32_t i = 0; i < proc_count_; ++i) {
      out.ProcNumber(static_cast<ProcId>(i), "deque", static_cast<int64_t>(procs_[i].deque.size()));
      out.ProcNumber(static_cast<ProcId>(i), "aside", procs_[i].aside.size());
    }
  }

 private:
  struct alignas(128) Proc {
    ChaseLevDeque deque;
    uint32_t fair_at_tick = 0;  // } the owner's
    uint32_t fair_turn = 0;     // } own
    RunQueue aside;
    // Written by the owner.
    std::atomic<uint64_t> steals{0};
    std::atomic<uint64_t> stolen{0};
    std::atomic<uint64_t> overflows{0};
    std::atomic<uint64_t> shared_picks{0};
  };

  static void Add(std::atomic<uint64_t>& counter, uint64_t n) {
    counter.store(counter.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }

  static void AddTo(PolicyStats* sum, const Proc& proc) {
    sum->steals += proc.steals.load(std::memory_order_relaxed);
    sum->stolen += proc.stolen.load(std::memory_order_relaxed);
    sum->overflows += proc.overflows.load(std::memory_order_relaxed);
    sum->shared_picks += proc.shared_picks.load(std::memory_order_relaxed);
  }

  void MakeProcs(int procs) {
    proc_count_ = static_cast<uint32_t>(procs);
    procs_ = std::make_unique<Proc[]>(proc_count_);
    for (uint32_t i = 0; i < proc_count_; ++i) procs_[i].fair_at_tick = fair_every_;
    order_.Reset(proc_count_);
  }

  // The ring was full.
  [[gnu::noinline, gnu::cold]] void Spill(Proc& me, Task* t) {
    Task* half[RunQueue::kCapacity / 2];
    do {
      if (!me.aside.TakeOlderHalf(half)) continue;
      TaskList batch;
      for (Task* each : half) batch.PushBack(each);
      batch.PushBack(t);
      shared_.Append(&batch);
      Add(me.overflows, 1);
      return;
    } while (!me.aside.Push(t));  // a thief has made room
  }

  [[gnu::noinline, gnu::cold]] Task* PickFairly(Proc& me) {
    for (int i = 0; i < 3; ++i) {
      Task* t = nullptr;
      switch (me.fair_turn++ % 3) {
        case 0:
          t = shared_.Pop();
          if (t != nullptr) Add(me.shared_picks, 1);
          break;
        case 1:
          t = me.aside.Pop();
          break;
        case 2:
          t = me.deque.Steal();
          break;
      }
      if (t != nullptr) return t;
    }
    return nullptr;
  }

  // One task, not a batch: nothing is then ever on its way from here to a ring.
  Task* PickShared(Proc& me) {
    Task* t = shared_.Pop();
    if (t != nullptr) Add(me.shared_picks, 1);
    return t;
  }

  [[gnu::noinline]] Task* Steal(Proc& me, ProcContext& p) {
    Task* found = nullptr;
    order_.ForEachOther(p, static_cast<uint32_t>(p.id), [&](uint32_t id) {
      uint32_t moved = 1;
      found = procs_[id].deque.Steal();
      if (found == nullptr) found = me.aside.StealFrom(procs_[id].aside, /*half=*/true, &moved);
      if (found == nullptr) return false;
      Add(me.steals, 1);
      Add(me.stolen, moved);
      return true;
    });
    return found;
  }

  // Read by all, written by Start and Resize only.
  std::unique_ptr<Proc[]> procs_;
  uint32_t proc_count_ = 0;
  uint32_t fair_every_ = 0;
  StealOrder order_;
  PolicyStats retired_;  // of the processors before the last Resize

  alignas(128) SharedQueue shared_;
};

}  // namespace
}  // namespace gyre

GYRE_REGISTER_SCHEDULER("lifo", gyre::LifoPolicy, "last in first out per processor; thieves take the oldest (Cilk)",
                        gyre::IntOption("fair_every", 61, 1, 1 << 20,
                                        "every how many picks those who are passed over go first"));
