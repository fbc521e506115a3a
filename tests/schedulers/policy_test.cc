// What every scheduling policy owes the runtime (plugins/scheduler.h), checked on every scheduler that is linked in and
// on several numbers of processors.
#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <random>
#include <semaphore>
#include <set>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "gtest/gtest.h"
#include "tests/schedulers/policy_harness.h"

namespace gyre {
namespace {

using testing::AllSchedulers;
using testing::PolicyHarness;

class PolicyTest : public ::testing::TestWithParam<std::tuple<std::string, int>> {
 protected:
  const std::string& spec() const { return std::get<0>(GetParam()); }
  int procs() const { return std::get<1>(GetParam()); }
  // Whether any processor can run any task.
  static bool Balances(const std::string& spec) {
    return spec.rfind("local", 0) != 0 && spec.find("steal=off") == std::string::npos;
  }
};

// The runtime in miniature: processors that run, yield, block, wake, spawn and end tasks at random, and a model of what
// is enqueued.
class Model {
 public:
  Model(const std::string& spec, int procs, bool balances, uint64_t seed)
      : h_(spec, procs, seed), balances_(balances), random_(seed), running_(procs, nullptr) {
    traits_ = h_.policy().traits();
  }

  void Step() {
    h_.now += Below(100'000);
    const ProcId id = static_cast<ProcId>(Below(h_.procs()));
    if (Below(8) == 0) {  // from a thread without a processor
      Enqueue(kNoProc, Below(2) == 0 ? Create(kNoProc) : TakeBlocked(), EnqueueReason::kInjected);
      return;
    }
    Task* self = running_[id];
    if (self == nullptr) return PickAny(id);
    self->ran_for += Below(50'000);
    switch (Below(8)) {
      case 0:
      case 1:
        Enqueue(id, Create(id), EnqueueReason::kNew);
        return;
      case 2:
        Enqueue(id, TakeBlocked(), EnqueueReason::kUnblocked);
        return;
      case 3:
        if (traits_.wants_task_hooks) {
          self->priority = static_cast<int32_t>(Below(5)) - 2;
          self->deadline = Below(2) == 0 ? kNever : h_.now + Below(1'000'000);
          h_.policy().AttributesChanged(h_.context(id), *self);
        }
        return;
      case 4:
        running_[id] = nullptr;
        Enqueue(id, self, EnqueueReason::kYielded);
        return PickAny(id);
      case 5:
        running_[id] = nullptr;
        Enqueue(id, self, EnqueueReason::kPreempted);
        return PickAny(id);
      case 6:
        running_[id] = nullptr;
        if (traits_.wants_block_hook) h_.policy().TaskBlocked(h_.context(id), *self);
        blocked_.push_back(self);
        return PickAny(id);
      case 7:
        running_[id] = nullptr;
        if (traits_.wants_task_hooks) h_.policy().TaskExited(h_.context(id), *self);
        return PickAny(id);
    }
  }

  void Resize() {
    for (ProcId id = 0; id < h_.procs(); ++id) {
      if (running_[id] != nullptr) Enqueue(id, std::exchange(running_[id], nullptr), EnqueueReason::kPreempted);
    }
    const int procs = 1 + static_cast<int>(Below(8));
    ASSERT_TRUE(h_.Resize(procs).ok());
    running_.assign(procs, nullptr);
  }

  // Everything that is enqueued comes out, once.
  void Drain() {
    for (bool found = true; found;) {
      found = false;
      for (ProcId id = 0; id < h_.procs(); ++id) {
        running_[id] = nullptr;
        if (balances_ && id != 0) continue;  // the first finds all there is
        for (Task* t; (t = Take(id, PickMode::kExhaustive)) != nullptr;) found = true;
      }
    }
    EXPECT_TRUE(enqueued_.empty()) << enqueued_.size() << " tasks are lost";
  }

 private:
  uint64_t Below(uint64_t n) { return random_() % n; }

  Task* Create(ProcId id) {
    Task* t = h_.NewTask();
    t->priority = static_cast<int32_t>(Below(5)) - 2;
    t->weight = 1 + static_cast<uint32_t>(Below(4096));
    if (Below(2) == 0) t->deadline = h_.now + static_cast<Nanos>(Below(1'000'000));
    if (traits_.wants_task_hooks) h_.policy().TaskCreated(h_.context(id), *t);
    return t;
  }

  Task* TakeBlocked() {
    if (blocked_.empty()) return nullptr;
    const size_t i = Below(blocked_.size());
    std::swap(blocked_[i], blocked_.back());
    Task* t = blocked_.back();
    blocked_.pop_back();
    return t;
  }

  void Enqueue(ProcId id, Task* t, EnqueueReason why) {
    if (t == nullptr) return;
    ASSERT_TRUE(enqueued_.insert(t).second);
    const WakeHint hint = h_.Enqueue(id, t, why);
    if (hint.kind == WakeHint::kProc || hint.kind == WakeHint::kPreempt) {
      ASSERT_GE(hint.proc, 0);
      ASSERT_LT(hint.proc, h_.procs());
    }
  }

  Task* Take(ProcId id, PickMode mode) {
    const Dispatch d = h_.Dispatched(id, mode);
    EXPECT_GE(d.slice, 0);
    if (d.task != nullptr) {
      EXPECT_EQ(enqueued_.erase(d.task), 1u) << "task " << d.task->id << " was not enqueued";
    } else if (mode == PickMode::kExhaustive && balances_) {
      EXPECT_TRUE(enqueued_.empty()) << enqueued_.size() << " tasks are out of sight";
    }
    return d.task;
  }

  void PickAny(ProcId id) { running_[id] = Take(id, static_cast<PickMode>(Below(3))); }

  PolicyHarness h_;
  const bool balances_;
  PolicyTraits traits_;
  std::mt19937_64 random_;
  std::vector<Task*> running_;
  std::vector<Task*> blocked_;
  std::set<Task*> enqueued_;
};

TEST_P(PolicyTest, LosesAndDoublesNothing) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    Model model(spec(), procs(), Balances(spec()), seed);
    for (int i = 0; i < 4000 && !HasFailure(); ++i) model.Step();
    model.Drain();
    ASSERT_FALSE(HasFailure()) << "seed " << seed;
  }
}

TEST_P(PolicyTest, ResizeKeepsEverything) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    Model model(spec(), procs(), Balances(spec()), seed);
    for (int i = 0; i < 4000 && !HasFailure(); ++i) {
      model.Step();
      if (i % 200 == 199) model.Resize();
    }
    model.Drain();
    ASSERT_FALSE(HasFailure()) << "seed " << seed;
  }
}

// More than any bounded queue holds, made by one, run by all.
TEST_P(PolicyTest, ABurstComesOutOnce) {
  PolicyHarness h(spec(), procs());
  constexpr int kTasks = 3000;
  for (int i = 0; i < kTasks; ++i) {
    h.Enqueue(0, h.NewTask(), i % 2 == 0 ? EnqueueReason::kNew : EnqueueReason::kYielded);
  }
  std::set<uint64_t> seen;
  for (bool found = true; found;) {
    found = false;
    for (ProcId id = 0; id < procs(); ++id) {
      if (uint64_t t = h.PickId(id, PickMode::kExhaustive)) {
        EXPECT_TRUE(seen.insert(t).second) << "task " << t;
        found = true;
      }
    }
  }
  EXPECT_EQ(seen.size(), static_cast<size_t>(kTasks));
}

// A lone task that yields runs again, whatever the search mode.
TEST_P(PolicyTest, ALoneYielderGoesOn) {
  PolicyHarness h(spec(), procs());
  Task* t = h.NewTask();
  for (PickMode mode : {PickMode::kFast, PickMode::kSearch, PickMode::kExhaustive}) {
    for (int i = 0; i < 200; ++i) {
      h.Enqueue(0, t, EnqueueReason::kYielded);
      ASSERT_EQ(h.Pick(0, mode), t);
    }
  }
}

// SC-02, SC-03: of two equals that do nothing but yield, neither waits for ever.
TEST_P(PolicyTest, TwoYieldersBothRun) {
  PolicyHarness h(spec(), 1);
  std::map<Task*, int> runs;
  Task* a = h.NewTask();
  Task* b = h.NewTask();
  h.Enqueue(0, a, EnqueueReason::kNew);
  h.Enqueue(0, b, EnqueueReason::kNew);
  for (int i = 0; i < 1000; ++i) {
    Task* t = h.Pick(0);
    ASSERT_NE(t, nullptr);
    ++runs[t];
    h.now += 1000;
    t->ran_for += 1000;
    h.Enqueue(0, t, EnqueueReason::kYielded);
  }
  EXPECT_GT(runs[a], 300);
  EXPECT_GT(runs[b], 300);
}

// SC-05: one that is injected runs, however much the processor's own tasks spawn and wake each other.
TEST_P(PolicyTest, AnInjectedTaskIsNotStarved) {
  PolicyHarness h(spec(), 1);
  h.Enqueue(0, h.NewTask(), EnqueueReason::kNew);
  h.Enqueue(0, h.NewTask(), EnqueueReason::kNew);
  Task* injected = h.NewTask();
  h.Enqueue(kNoProc, injected, EnqueueReason::kInjected);
  for (int i = 0; i < 2000; ++i) {
    Task* t = h.Pick(0);
    ASSERT_NE(t, nullptr);
    if (t == injected) return;
    h.now += 10'000;
    t->ran_for += 10'000;
    h.Enqueue(0, t, EnqueueReason::kUnblocked);
  }
  FAIL() << "2000 picks, and the injected task was not among them";
}

// Threads that each hold a processor pick, yield, preempt, block, wake, spawn and end tasks all at once.
TEST_P(PolicyTest, ThreadsLoseAndDoubleNothing) {
  constexpr int kPicks = 4000;
  PolicyHarness h(spec(), procs());
  SchedulerPolicy& policy = h.policy();
  const PolicyTraits traits = policy.traits();
  enum class Where : int { kEnqueued, kRunning, kBlocked, kDead };
  struct Tracked : Task {
    std::atomic<Where> where{Where::kEnqueued};
  };
  std::atomic<uint64_t> next_id{1};
  std::atomic<bool> stop{false};
  std::vector<std::vector<std::unique_ptr<Tracked>>> made(procs() + 1);
  auto create = [&](size_t thread, ProcContext& p) {
    Tracked* t = made[thread].emplace_back(std::make_unique<Tracked>()).get();
    t->id = next_id.fetch_add(1, std::memory_order_relaxed);
    t->priority = static_cast<int32_t>(t->id % 3);
    if (t->id % 2 == 0) t->deadline = static_cast<Nanos>(t->id);
    if (traits.wants_task_hooks) policy.TaskCreated(p, *t);
    return t;
  };
  auto enqueue = [&](ProcContext& p, Tracked* t, EnqueueReason why) {
    t->where.store(Where::kEnqueued, std::memory_order_relaxed);
    policy.Enqueue(p, t, why);
  };
  // Every thread leaves a blocked task here for another to wake.
  std::vector<std::atomic<Tracked*>> blocked(8);

  std::vector<std::thread> threads;
  for (ProcId id = 0; id < procs(); ++id) {
    threads.emplace_back([&, id] {
      ProcContext& p = h.context(id);
      std::mt19937_64 random(id + 1);
      enqueue(p, create(id, p), EnqueueReason::kNew);
      for (int i = 0; i < kPicks; ++i) {
        ++p.tick;
        p.now += 1000;
        auto* self = static_cast<Tracked*>(policy.PickNext(p, static_cast<PickMode>(random() % 3)).task);
        if (self == nullptr) {
          if (random() % 4 == 0) enqueue(p, create(id, p), EnqueueReason::kNew);
          continue;
        }
        ASSERT_EQ(self->where.exchange(Where::kRunning, std::memory_order_relaxed), Where::kEnqueued);
        self->last_proc = id;
        self->ran_for += 500;
        if (random() % 4 == 0) enqueue(p, create(id, p), EnqueueReason::kNew);
        switch (random() % 4) {
          case 0:
            enqueue(p, self, EnqueueReason::kYielded);
            break;
          case 1:
            enqueue(p, self, EnqueueReason::kPreempted);
            break;
          case 2:
            self->where.store(Where::kBlocked, std::memory_order_relaxed);
            self = blocked[random() % blocked.size()].exchange(self, std::memory_order_acq_rel);
            if (self != nullptr) enqueue(p, self, EnqueueReason::kUnblocked);
            break;
          case 3:
            self->where.store(Where::kDead, std::memory_order_relaxed);
            if (traits.wants_task_hooks) policy.TaskExited(p, *self);
            break;
        }
      }
    });
  }
  threads.emplace_back([&] {  // has no processor
    ProcContext& p = h.context(kNoProc);
    for (int i = 0; i < 500 && !stop.load(std::memory_order_relaxed); ++i) {
      enqueue(p, create(procs(), p), EnqueueReason::kInjected);
      Tracked* t = blocked[i % blocked.size()].exchange(nullptr, std::memory_order_acq_rel);
      if (t != nullptr) enqueue(p, t, EnqueueReason::kInjected);
      policy.Stats();
      std::this_thread::yield();
    }
  });
  for (std::thread& t : threads) t.join();
  if (HasFatalFailure()) return;
  for (bool found = true; found;) {
    found = false;
    for (ProcId id = 0; id < procs(); ++id) {
      while (auto* t = static_cast<Tracked*>(h.Pick(id, PickMode::kExhaustive))) {
        ASSERT_EQ(t->where.exchange(Where::kRunning), Where::kEnqueued);
        found = true;
      }
    }
  }
  for (const auto& each : made) {
    for (const auto& t : each) ASSERT_NE(t->where.load(), Where::kEnqueued) << "task " << t->id << " is lost";
  }
}

// The runtime's sleep protocol (runtime/idle.cc) in miniature: a hint must reach whoever can run the task. An end
// of a slice (kPreempt) wakes nobody: it is for one that runs.
TEST_P(PolicyTest, InjectedWorkWakesASleeper) {
  PolicyHarness h(spec(), procs());
  SchedulerPolicy& policy = h.policy();
  struct Sleeper {
    std::atomic<bool> idle{false};
    std::binary_semaphore wake{0};
  };
  std::vector<Sleeper> sleepers(procs());
  std::atomic<bool> stop{false};
  std::counting_semaphore<> ran{0};
  std::vector<std::thread> threads;
  for (ProcId id = 0; id < procs(); ++id) {
    threads.emplace_back([&, id] {
      ProcContext& p = h.context(id);
      Sleeper& me = sleepers[id];
      while (!stop.load(std::memory_order_seq_cst)) {
        ++p.tick;
        Task* t = policy.PickNext(p, PickMode::kFast).task;
        if (t == nullptr) {
          // A read-modify-write is the full fence, and one that ThreadSanitizer knows.
          me.idle.exchange(true, std::memory_order_seq_cst);
          ++p.tick;
          t = policy.PickNext(p, PickMode::kExhaustive).task;
          if (t == nullptr && !stop.load(std::memory_order_seq_cst)) {
            me.wake.acquire();
          } else if (!me.idle.exchange(false, std::memory_order_seq_cst)) {
            me.wake.acquire();  // a waker was first: its release is ours
          }
        }
        if (t != nullptr) ran.release();
      }
    });
  }
  auto wake = [&](ProcId id) {
    if (!sleepers[id].idle.exchange(false, std::memory_order_seq_cst)) return false;
    sleepers[id].wake.release();
    return true;
  };
  for (int i = 0; i < 300; ++i) {
    Task* t = h.NewTask();
    t->priority = i;  // each more urgent than all that ran: a policy that preempts must still see who sleeps
    t->deadline = 1000 - i;
    const WakeHint hint = h.Enqueue(kNoProc, t, EnqueueReason::kInjected);
    if (hint.kind == WakeHint::kProc) {
      wake(hint.proc);
    } else if (hint.kind == WakeHint::kAnyIdle) {
      for (ProcId id = 0; id < procs() && !wake(id); ++id) {
      }
    }
    if (!ran.try_acquire_for(std::chrono::seconds(20))) {
      ADD_FAILURE() << "task " << t->id << " waits, and the hint was " << hint.kind << " for processor " << hint.proc;
      break;
    }
  }
  stop.store(true, std::memory_order_seq_cst);
  for (ProcId id = 0; id < procs(); ++id) wake(id);
  for (std::thread& t : threads) t.join();
}

TEST_P(PolicyTest, DumpsItself) {
  struct Sum : StateWriter {
    void Number(absl::string_view, int64_t value) override { sum += value; }
    void ProcNumber(ProcId proc, absl::string_view, int64_t value) override {
      EXPECT_GE(proc, 0);
      sum += value;
    }
    int64_t sum = 0;
  };
  PolicyHarness h(spec(), procs());
  for (int i = 0; i < 7; ++i) h.Enqueue(0, h.NewTask(), EnqueueReason::kNew);
  for (int i = 0; i < 5; ++i) h.Enqueue(0, h.NewTask(), EnqueueReason::kInjected);
  Sum sum;
  h.policy().DumpState(sum);
  EXPECT_EQ(sum.sum, 12);  // every number is a count of enqueued tasks
}

std::vector<std::string> Specs() {
  std::vector<std::string> specs = AllSchedulers();
  for (const char* variant :
       {"gmp:steal=one", "gmp:steal=off", "gmp:runnext=off,yielded=shared,shared_every=1", "lifo:fair_every=3",
        "local:spawn=spread", "las:service=wake,boost=1ms", "las:levels=1", "priority:preempt=off"}) {
    specs.push_back(variant);
  }
  return specs;
}

INSTANTIATE_TEST_SUITE_P(All, PolicyTest,
                         ::testing::Combine(::testing::ValuesIn(Specs()), ::testing::Values(1, 2, 4, 8)),
                         [](const auto& info) {
                           std::string name = std::get<0>(info.param) + "_" + std::to_string(std::get<1>(info.param));
                           for (char& c : name) {
                             if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
                           }
                           return name;
                         });

}  // namespace
}  // namespace gyre
