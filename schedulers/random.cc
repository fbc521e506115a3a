// A uniformly random choice among all runnable goroutines at every pick: for finding bugs that depend on the order.
//
// Why a task was enqueued makes no difference; one that yields may be picked again at once, and is, forever, with
// probability zero. All randomness comes from the picking processor's context, so a seed repeats the schedule.
#include <atomic>
#include <cstdint>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "plugins/registry.h"
#include "plugins/scheduler.h"
#include "schedulers/spin_lock.h"

namespace gyre {
namespace {

using schedulers::SpinLockHolder;

class RandomPolicy final : public SchedulerPolicy {
 public:
  absl::Status Start(const Topology&, const PluginOptions&) override { return absl::OkStatus(); }
  absl::Status Resize(const Topology&) override { return absl::OkStatus(); }

  WakeHint Enqueue(ProcContext&, Task* t, EnqueueReason why) override {
    SpinLockHolder hold(lock_);
    tasks_.push_back(t);
    size_.store(tasks_.size(), std::memory_order_relaxed);
    // A yield leaves as much for others to do as there was, and whoever enqueued that has announced it.
    return {why == EnqueueReason::kYielded ? WakeHint::kNone : WakeHint::kAnyIdle};
  }

  Dispatch PickNext(ProcContext& p, PickMode) override {
    if (size_.load(std::memory_order_relaxed) == 0) return {};
    SpinLockHolder hold(lock_);
    if (tasks_.empty()) return {};
    // No choice, no random number.
    const size_t i = tasks_.size() == 1 ? 0 : p.Below(static_cast<uint32_t>(tasks_.size()));
    Task* t = tasks_[i];
    tasks_[i] = tasks_.back();
    tasks_.pop_back();
    size_.store(tasks_.size(), std::memory_order_relaxed);
    return {t};
  }

  void DumpState(StateWriter& out) const override {
    out.Number("runnable", static_cast<int64_t>(size_.load(std::memory_order_relaxed)));
  }

 private:
  std::atomic<size_t> size_{0};  // of tasks_, for those who do not hold the lock
  schedulers::SpinLock lock_;
  std::vector<Task*> tasks_ ABSL_GUARDED_BY(lock_);
};

}  // namespace
}  // namespace gyre

GYRE_REGISTER_SCHEDULER("random", gyre::RandomPolicy, "a uniformly random choice among all runnable goroutines");
