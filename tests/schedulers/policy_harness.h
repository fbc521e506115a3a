// What the tests of scheduling policies share: a started policy with a context for each processor, and tasks to give
// it.
#ifndef GYRE_TESTS_SCHEDULERS_POLICY_HARNESS_H_
#define GYRE_TESTS_SCHEDULERS_POLICY_HARNESS_H_

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "plugins/registry.h"
#include "plugins/scheduler.h"

namespace gyre::testing {

class PolicyHarness {
 public:
  PolicyHarness(const std::string& spec, int procs, uint64_t seed = 1) : seed_(seed) {
    auto made = MakeScheduler(spec);
    if (!made.ok()) {
      ADD_FAILURE() << made.status();
      std::abort();
    }
    policy_ = std::move(made->plugin);
    EXPECT_TRUE(policy_->Start(Topology{procs}, made->options).ok());
    SetProcs(procs);
    foreign_.state = seed_ * 0x9e3779b97f4a7c15 + 99;
  }

  SchedulerPolicy& policy() { return *policy_; }
  int procs() const { return static_cast<int>(contexts_.size()); }
  ProcContext& context(ProcId id) { return id == kNoProc ? foreign_ : contexts_[id]; }

  // A task with the next id, from 1.
  Task* NewTask() {
    Task& t = tasks_.emplace_back();
    t.id = tasks_.size();
    return &t;
  }

  WakeHint Enqueue(ProcId id, Task* t, EnqueueReason why) {
    ProcContext& p = context(why == EnqueueReason::kInjected ? kNoProc : id);
    p.now = now;
    t->ready_at = now;
    return policy_->Enqueue(p, t, why);
  }

  Dispatch Dispatched(ProcId id, PickMode mode = PickMode::kFast) {
    ProcContext& p = context(id);
    ++p.tick;
    p.now = now;
    Dispatch d = policy_->PickNext(p, mode);
    if (d.task != nullptr) d.task->last_proc = id;
    return d;
  }
  Task* Pick(ProcId id, PickMode mode = PickMode::kFast) { return Dispatched(id, mode).task; }
  // 0: none.
  uint64_t PickId(ProcId id, PickMode mode = PickMode::kFast) {
    Task* t = Pick(id, mode);
    return t == nullptr ? 0 : t->id;
  }

  // The ids that `id` gets until nothing is left.
  std::vector<uint64_t> Drain(ProcId id, PickMode mode = PickMode::kExhaustive) {
    std::vector<uint64_t> ids;
    while (uint64_t t = PickId(id, mode)) ids.push_back(t);
    return ids;
  }

  // Runs what `id` picks for its slice, but at most `at_most`, and preempts it.
  Task* RunSlice(ProcId id, Nanos at_most) {
    const Dispatch d = Dispatched(id);
    if (d.task == nullptr) return nullptr;
    const Nanos ran = d.slice == 0 ? at_most : std::min(d.slice, at_most);
    now += ran;
    d.task->ran_for += ran;
    Enqueue(id, d.task, EnqueueReason::kPreempted);
    return d.task;
  }

  absl::Status Resize(int procs) {
    absl::Status status = policy_->Resize(Topology{procs});
    if (status.ok()) SetProcs(procs);
    return status;
  }

  Nanos now = 0;

 private:
  void SetProcs(int procs) {
    contexts_.assign(procs, ProcContext());
    for (int i = 0; i < procs; ++i) {
      contexts_[i].id = i;
      contexts_[i].state = (seed_ + 1) * 0x9e3779b97f4a7c15 + static_cast<uint64_t>(i) * 0x2545f4914f6cdd1d;
    }
  }

  const uint64_t seed_;
  std::unique_ptr<SchedulerPolicy> policy_;
  std::vector<ProcContext> contexts_;
  ProcContext foreign_;
  std::deque<Task> tasks_;
};

// Every scheduler that is linked in and is no wrapper, by name.
inline std::vector<std::string> AllSchedulers() {
  std::vector<std::string> names;
  for (const PluginInfo& info : ListPlugins(PluginKind::kScheduler)) {
    if (!info.is_wrapper) names.push_back(info.name);
  }
  return names;
}

}  // namespace gyre::testing

#endif  // GYRE_TESTS_SCHEDULERS_POLICY_HARNESS_H_
