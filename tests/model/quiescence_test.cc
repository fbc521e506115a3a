// Random operations on channels and locks, each in a goroutine of its own, one after another: after each, when
// everybody has either finished or blocked, exactly those must have finished, with those results, that a sequential
// model says. So this checks the order of every wait queue. Where Go leaves a choice (a select with several ready
// cases), the model follows it.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "channels/chan.h"
#include "channels/dynamic_select.h"
#include "channels/select.h"
#include "runtime/go.h"
#include "runtime/goroutine.h"
#include "runtime/panic.h"
#include "runtime/park.h"
#include "sync/cond.h"
#include "sync/mutex.h"
#include "sync/rwmutex.h"
#include "sync/semaphore.h"
#include "sync/wait_group.h"
#include "tests/model/seeds.h"
#include "tests/testing/runtime_test.h"

namespace gyre::testing {
namespace {

// What an operation came to; the model predicts the same.
struct Outcome {
  bool done = false;
  int chosen = 0;
  int value = 0;
  std::string panic;

  friend bool operator==(const Outcome&, const Outcome&) = default;
};

std::string ToText(const Outcome& o) {
  if (!o.done) return "blocked";
  return absl::StrCat("done, case ", o.chosen, ", value ", o.value, o.panic.empty() ? "" : ", panic: ", o.panic);
}

// An operation in a goroutine.
class Helper {
 public:
  Helper(std::string what, std::function<void(Outcome&)> f) : what_(std::move(what)) {
    Go([this, f = std::move(f)] {
      g_.store(internal::Self(), std::memory_order_release);
      Outcome outcome;
      try {
        f(outcome);
      } catch (const PanicError& error) {
        outcome.panic = error.what();
      }
      outcome.done = true;
      outcome_ = outcome;
      done_.store(true, std::memory_order_release);
    });
  }

  const std::string& what() const { return what_; }
  bool done() const { return done_.load(std::memory_order_acquire); }
  bool DoneOrBlocked() const {
    if (done()) return true;
    const internal::G* g = g_.load(std::memory_order_acquire);
    return g != nullptr && g->state.load(std::memory_order_acquire) == internal::GState::kWaiting;
  }
  Outcome outcome() const { return done() ? outcome_ : Outcome(); }

 private:
  const std::string what_;
  std::atomic<internal::G*> g_{nullptr};
  Outcome outcome_;
  std::atomic<bool> done_{false};
};

struct Case {
  bool is_send;
  int chan;
  int value;
};

// What must be: for each operation that was begun, its outcome so far.
struct Model {
  struct Waiting {
    int id;
    int which;  // case
    int value;
  };
  struct ChanState {
    int cap = 0;
    bool closed = false;
    std::deque<int> buffer;
    std::list<Waiting> senders, receivers;
  };

  std::map<int, Outcome> outcomes;
  std::vector<ChanState> chans;
  std::function<Outcome(int id)> actual;  // where there is a choice

  // Who is first in a queue. A select that waits there with several cases may be served in any of them.
  Waiting First(const std::list<Waiting>& queue) const {
    const int id = queue.front().id;
    for (const Waiting& w : queue) {
      if (w.id == id && w.which == actual(id).chosen) return w;
    }
    return queue.front();
  }

  void Finish(int id, Outcome outcome) {
    outcome.done = true;
    outcomes[id] = std::move(outcome);
    for (ChanState& ch : chans) {
      std::erase_if(ch.senders, [id](const Waiting& w) { return w.id == id; });
      std::erase_if(ch.receivers, [id](const Waiting& w) { return w.id == id; });
    }
  }

  bool Ready(const Case& c) const {
    const ChanState& ch = chans[c.chan];
    if (ch.closed) return true;
    if (c.is_send) return !ch.receivers.empty() || static_cast<int>(ch.buffer.size()) < ch.cap;
    return !ch.buffer.empty() || !ch.senders.empty();
  }

  // A ready case is carried out for operation `id`.
  void Perform(int id, int which, const Case& c) {
    ChanState& ch = chans[c.chan];
    Outcome outcome;
    outcome.chosen = which;
    if (c.is_send) {
      if (ch.closed) {
        outcome.panic = "send on closed channel";
        outcome.chosen = 0;
      } else if (!ch.receivers.empty()) {
        const Waiting receiver = First(ch.receivers);
        Finish(receiver.id, {true, receiver.which, c.value, ""});
      } else {
        ch.buffer.push_back(c.value);
      }
    } else if (!ch.buffer.empty()) {
      outcome.value = ch.buffer.front();
      ch.buffer.pop_front();
      if (!ch.senders.empty()) {
        const Waiting sender = First(ch.senders);
        ch.buffer.push_back(sender.value);
        Finish(sender.id, {true, sender.which, 0, ""});
      }
    } else if (!ch.senders.empty()) {
      const Waiting sender = First(ch.senders);
      outcome.value = sender.value;
      Finish(sender.id, {true, sender.which, 0, ""});
    }
    Finish(id, outcome);
  }

  // `otherwise`: the index of the default, or -1.
  void Select(int id, const std::vector<Case>& cases, int otherwise) {
    const Outcome came = actual(id);
    std::vector<int> ready;
    for (size_t i = 0; i < cases.size(); ++i) {
      if (Ready(cases[i])) ready.push_back(static_cast<int>(i));
    }
    if (!ready.empty()) {
      int chosen = ready[0];
      for (int i : ready) {
        const bool panics = cases[i].is_send && chans[cases[i].chan].closed;
        if (came.done && (came.panic.empty() ? !panics && came.chosen == i : panics)) chosen = i;
      }
      Perform(id, chosen, cases[chosen]);
    } else if (otherwise >= 0) {
      Finish(id, {true, otherwise, 0, ""});
    } else {
      for (size_t i = 0; i < cases.size(); ++i) {
        ChanState& ch = chans[cases[i].chan];
        (cases[i].is_send ? ch.senders : ch.receivers).push_back({id, static_cast<int>(i), cases[i].value});
      }
    }
  }

  void Close(int id, int chan) {
    ChanState& ch = chans[chan];
    if (ch.closed) {
      Finish(id, {true, 0, 0, "close of closed channel"});
      return;
    }
    ch.closed = true;
    while (!ch.receivers.empty()) Finish(ch.receivers.front().id, {true, First(ch.receivers).which, 0, ""});
    while (!ch.senders.empty()) Finish(ch.senders.front().id, {true, 0, 0, "send on closed channel"});
    Finish(id, {});
  }
};

class Driver {
 public:
  explicit Driver(uint64_t seed) : seed_(seed), random_(seed) {
    model_.actual = [this](int id) { return Actual(id); };
  }
  virtual ~Driver() = default;

  void Run(int steps) {
    for (int i = 0; i < steps && !::testing::Test::HasFailure(); ++i) Step();
    End();
    EXPECT_TRUE(Eventually([&] {
      return std::all_of(helpers_.begin(), helpers_.end(), [](auto& h) { return h.done(); });
    })) << Story();
  }

 protected:
  virtual void Step() = 0;
  virtual void End() = 0;  // what lets every operation finish

  // Starts f in a goroutine and waits until everybody has finished or blocked. Its number.
  int Begin(std::string what, std::function<void(Outcome&)> f) {
    const int id = static_cast<int>(helpers_.size());
    helpers_.emplace_back(std::move(what), std::move(f));
    AwaitQuiet();
    return id;
  }

  Outcome Actual(int id) const { return helpers_[id].outcome(); }

  void Compare() {
    for (size_t id = 0; id < helpers_.size(); ++id) {
      const Outcome expected = model_.outcomes[static_cast<int>(id)], actual = helpers_[id].outcome();
      ASSERT_EQ(ToText(actual), ToText(expected)) << "operation " << id << "\n" << Story();
    }
  }

  std::string Story() const {
    std::string text = absl::StrCat("seed ", seed_, "\n");
    for (size_t id = 0; id < helpers_.size(); ++id) {
      absl::StrAppend(&text, "  ", id, ": ", helpers_[id].what(), " -> ", ToText(helpers_[id].outcome()), "\n");
    }
    return text;
  }

  Random& random() { return random_; }
  Model& model() { return model_; }

 private:
  void AwaitQuiet() {
    const auto quiet = [&] {
      return std::all_of(helpers_.begin(), helpers_.end(), [](auto& h) { return h.DoneOrBlocked(); });
    };
    const auto count = [&] {
      return std::count_if(helpers_.begin(), helpers_.end(), [](auto& h) { return h.done(); });
    };
    // Twice: one that was blocked at the first look may have been woken by one that had not finished.
    ASSERT_TRUE(Eventually([&] {
      if (!quiet()) return false;
      const auto done = count();
      return quiet() && count() == done;
    })) << Story();
  }

  const uint64_t seed_;
  Random random_;
  std::deque<Helper> helpers_;
  Model model_;
};

// ---- Channels ----

class ChannelDriver final : public Driver {
 public:
  explicit ChannelDriver(uint64_t seed) : Driver(seed) {
    const int n = 1 + random().Below(3);
    for (int i = 0; i < n; ++i) {
      const int cap = random().Below(3);
      chans_.push_back(MakeChan<int>(cap));
      model().chans.emplace_back().cap = cap;
    }
  }

 private:
  void Step() override {
    const int what = random().Below(12);
    const int chan = random().Below(static_cast<int>(chans_.size()));
    const Chan<int> ch = chans_[chan];
    if (what < 3) {
      const int value = next_++;
      const int id = Begin(absl::StrCat("send ", value, " to ", chan), [=](Outcome&) { ch.Send(value); });
      model().Select(id, {{true, chan, value}}, -1);
    } else if (what < 6) {
      const int id = Begin(absl::StrCat("receive from ", chan), [=](Outcome& out) { out.value = ch.Recv(); });
      model().Select(id, {{false, chan, 0}}, -1);
    } else if (what < 7) {
      const int value = next_++;
      const int id = Begin(absl::StrCat("try to send ", value, " to ", chan),
                           [=](Outcome& out) { out.chosen = ch.TrySend(value) ? 0 : 1; });
      model().Select(id, {{true, chan, value}}, 1);
    } else if (what < 8) {
      const int id = Begin(absl::StrCat("try to receive from ", chan), [=](Outcome& out) {
        bool ok;
        out.chosen = ch.TryRecv(out.value, ok) ? 0 : 1;
      });
      model().Select(id, {{false, chan, 0}}, 1);
    } else if (what < 9 && random().OneIn(8)) {
      const int id = Begin(absl::StrCat("close ", chan), [=](Outcome&) { ch.Close(); });
      model().Close(id, chan);
    } else {
      StepSelect();
    }
    EXPECT_EQ(chans_[chan].Len(), static_cast<int64_t>(model().chans[chan].buffer.size())) << Story();
    Compare();
  }

  void StepSelect() {
    std::vector<Case> cases;
    std::string what = "select";
    const int n = 2 + random().Below(3);
    for (int i = 0; i < n; ++i) {
      Case c{random().OneIn(2), random().Below(static_cast<int>(chans_.size())), 0};
      if (c.is_send) c.value = next_++;
      absl::StrAppend(&what, c.is_send ? absl::StrCat(" send ", c.value, " to ") : " receive from ", c.chan);
      cases.push_back(c);
    }
    const bool otherwise = random().OneIn(3);
    if (otherwise) what += " default";
    const int id = Begin(what, [=, this](Outcome& out) {
      std::vector<SelectCase> select;
      for (const Case& c : cases) {
        if (c.is_send) {
          select.push_back(chans_[c.chan].OnSend(c.value));
        } else {
          select.push_back(chans_[c.chan].OnRecv([&out](int v) { out.value = v; }));
        }
      }
      if (otherwise) select.push_back(Default());
      out.chosen = SelectDynamic(absl::MakeSpan(select));
    });
    model().Select(id, cases, otherwise ? n : -1);
  }

  void End() override {
    for (const Chan<int>& ch : chans_) {
      try {
        ch.Close();
      } catch (const RuntimeError&) {  // it was closed
      }
    }
  }

  std::vector<Chan<int>> chans_;
  int next_ = 1;
};

// ---- Locks ----

class LockDriver final : public Driver {
 public:
  explicit LockDriver(uint64_t seed) : Driver(seed) {}

 private:
  static constexpr int kUnits = 3;

  void Step() override {
    switch (random().Below(6)) {
      case 0:
        StepMutex();
        break;
      case 1:
      case 2:
        StepRWMutex();
        break;
      case 3:
        StepWaitGroup();
        break;
      case 4:
        StepCond();
        break;
      default:
        StepSemaphore();
    }
    Compare();
  }

  void StepMutex() {
    switch (random().Below(3)) {
      case 0: {
        const int id = Begin("mutex lock", [this](Outcome&) ABSL_NO_THREAD_SAFETY_ANALYSIS { mu_.Lock(); });
        mu_held_ ? (void)mu_queue_.push_back(id) : (mu_held_ = true, model().Finish(id, {}));
        break;
      }
      case 1: {
        const int id =
            Begin("mutex try-lock", [this](Outcome& out) ABSL_NO_THREAD_SAFETY_ANALYSIS { out.value = mu_.TryLock(); });
        model().Finish(id, {true, 0, !mu_held_, ""});
        mu_held_ = true;
        break;
      }
      default:
        if (mu_held_) UnlockMutex();
    }
  }

  void UnlockMutex() {
    const int id = Begin("mutex unlock", [this](Outcome&) ABSL_NO_THREAD_SAFETY_ANALYSIS { mu_.Unlock(); });
    model().Finish(id, {});
    mu_held_ = !mu_queue_.empty();
    FinishFirst(mu_queue_);
  }

  void StepRWMutex() {
    switch (random().Below(6)) {
      case 0: {
        const int id = Begin("read lock", [this](Outcome&) ABSL_NO_THREAD_SAFETY_ANALYSIS { rw_.RLock(); });
        if (writing_ || writer_waits_ >= 0) {
          waiting_readers_.push_back(id);
        } else {
          ++readers_;
          model().Finish(id, {});
        }
        break;
      }
      case 1: {
        const int id =
            Begin("try read lock", [this](Outcome& out) ABSL_NO_THREAD_SAFETY_ANALYSIS { out.value = rw_.TryRLock(); });
        const bool ok = !writing_ && writer_waits_ < 0;
        readers_ += ok;
        model().Finish(id, {true, 0, ok, ""});
        break;
      }
      case 2: {
        const int id = Begin("write lock", [this](Outcome&) ABSL_NO_THREAD_SAFETY_ANALYSIS { rw_.Lock(); });
        writers_.push_back(id);
        AdmitWriter();
        break;
      }
      case 3: {
        const int id =
            Begin("try write lock", [this](Outcome& out) ABSL_NO_THREAD_SAFETY_ANALYSIS { out.value = rw_.TryLock(); });
        const bool ok = !writing_ && writer_waits_ < 0 && readers_ == 0;
        writing_ |= ok;
        model().Finish(id, {true, 0, ok, ""});
        break;
      }
      case 4:
        if (readers_ > 0) ReadUnlock();
        break;
      default:
        if (writing_) WriteUnlock();
    }
  }

  // The next writer keeps new readers out, and waits for those that there are.
  void AdmitWriter() {
    if (writing_ || writer_waits_ >= 0 || writers_.empty()) return;
    writer_waits_ = writers_.front();
    writers_.pop_front();
    WriterIfAlone();
  }
  void WriterIfAlone() {
    if (writer_waits_ < 0 || readers_ != 0) return;
    writing_ = true;
    model().Finish(writer_waits_, {});
    writer_waits_ = -1;
  }
  void ReadUnlock() {
    const int id = Begin("read unlock", [this](Outcome&) ABSL_NO_THREAD_SAFETY_ANALYSIS { rw_.RUnlock(); });
    model().Finish(id, {});
    --readers_;
    WriterIfAlone();
  }
  void WriteUnlock() {
    const int id = Begin("write unlock", [this](Outcome&) ABSL_NO_THREAD_SAFETY_ANALYSIS { rw_.Unlock(); });
    model().Finish(id, {});
    writing_ = false;
    readers_ += static_cast<int>(waiting_readers_.size());
    while (!waiting_readers_.empty()) FinishFirst(waiting_readers_);
    AdmitWriter();
  }

  void StepWaitGroup() {
    switch (random().Below(3)) {
      case 0: {
        if (count_ == 0 && !group_waiters_.empty()) break;
        const int n = 1 + random().Below(2);
        const int id = Begin(absl::StrCat("group add ", n), [=, this](Outcome&) { wg_.Add(n); });
        count_ += n;
        model().Finish(id, {});
        break;
      }
      case 1: {
        const int id = Begin("group wait", [this](Outcome&) { wg_.Wait(); });
        count_ == 0 ? model().Finish(id, {}) : group_waiters_.push_back(id);
        break;
      }
      default:
        if (count_ > 0) GroupDone();
    }
  }
  void GroupDone() {
    const int id = Begin("group done", [this](Outcome&) { wg_.Done(); });
    model().Finish(id, {});
    if (--count_ == 0) {
      while (!group_waiters_.empty()) FinishFirst(group_waiters_);
    }
  }

  void StepCond() {
    switch (random().Below(4)) {
      case 0:
      case 1: {
        const int id = Begin("cond wait", [this](Outcome&) {
          of_cond_.Lock();
          cond_.Wait();
          of_cond_.Unlock();
        });
        cond_waiters_.push_back(id);
        break;
      }
      case 2: {
        const int id = Begin("cond signal", [this](Outcome&) { cond_.Signal(); });
        model().Finish(id, {});
        FinishFirst(cond_waiters_);
        break;
      }
      default:
        if (random().OneIn(2)) Broadcast();
    }
  }
  void Broadcast() {
    const int id = Begin("cond broadcast", [this](Outcome&) { cond_.Broadcast(); });
    model().Finish(id, {});
    while (!cond_waiters_.empty()) FinishFirst(cond_waiters_);
  }

  void StepSemaphore() {
    const int n = 1 + random().Below(kUnits);
    switch (random().Below(3)) {
      case 0: {
        const int id = Begin(absl::StrCat("acquire ", n), [=, this](Outcome&) { semaphore_.Acquire(n); });
        acquiring_.push_back({id, n});
        Grant();
        break;
      }
      case 1: {
        const int id = Begin(absl::StrCat("try to acquire ", n),
                             [=, this](Outcome& out) { out.value = semaphore_.TryAcquire(n); });
        const bool ok = acquiring_.empty() && used_ + n <= kUnits;
        if (ok) used_ += n;
        model().Finish(id, {true, 0, ok, ""});
        break;
      }
      default:
        if (used_ > 0) Release(1 + random().Below(used_));
    }
  }
  void Release(int n) {
    const int id = Begin(absl::StrCat("release ", n), [=, this](Outcome&) { semaphore_.Release(n); });
    model().Finish(id, {});
    used_ -= n;
    Grant();
  }
  void Grant() {
    while (!acquiring_.empty() && used_ + acquiring_.front().second <= kUnits) {
      used_ += acquiring_.front().second;
      model().Finish(acquiring_.front().first, {});
      acquiring_.pop_front();
    }
  }

  void FinishFirst(std::deque<int>& queue) {
    if (queue.empty()) return;
    model().Finish(queue.front(), {});
    queue.pop_front();
  }

  void End() override {
    while (mu_held_) UnlockMutex();
    while (readers_ > 0 || writing_) writing_ ? WriteUnlock() : ReadUnlock();
    while (count_ > 0) GroupDone();
    Broadcast();
    while (used_ > 0) Release(used_);
  }

  Mutex mu_;
  bool mu_held_ = false;
  std::deque<int> mu_queue_;

  RWMutex rw_;
  int readers_ = 0;
  bool writing_ = false;
  int writer_waits_ = -1;  // for the readers to leave
  std::deque<int> writers_, waiting_readers_;

  WaitGroup wg_;
  int count_ = 0;
  std::deque<int> group_waiters_;

  Mutex of_cond_;
  Cond cond_{&of_cond_};
  std::deque<int> cond_waiters_;

  Semaphore semaphore_{kUnits};
  int used_ = 0;
  std::deque<std::pair<int, int>> acquiring_;
};

GYRE_TEST(Quiescence, ChannelsServeTheirQueuesInOrder) {
  for (uint64_t seed : Seeds(Scaled(10))) {
    ChannelDriver(seed).Run(40);
    if (::testing::Test::HasFailure()) return;
  }
}

GYRE_TEST(Quiescence, LocksServeTheirQueuesInOrder) {
  for (uint64_t seed : Seeds(Scaled(10))) {
    LockDriver(seed).Run(60);
    if (::testing::Test::HasFailure()) return;
  }
}

// Turns so short that they end in the middle of everything that blocks.
TEST(Quiescence, PR_07_PreemptionInsideBlockingLeavesTheQueuesInOrder) {
  for (const char* config : {"procs=2,preemption=klt:quantum=100us", "procs=2,preemption=cooperative:quantum=100us",
                             "procs=1,scheduler=global,preemption=klt:quantum=100us"}) {
    RunWith(config, [] {
      std::atomic<bool> stop{false};
      WaitGroup noise;  // so that there is somebody to be preempted for
      noise.Go([&] {
        while (!stop) Checkpoint();
      });
      for (uint64_t seed : Seeds(Scaled(10))) {
        ChannelDriver(seed).Run(30);
        LockDriver(seed).Run(30);
        if (::testing::Test::HasFailure()) break;
      }
      stop = true;
      noise.Wait();
    });
  }
}

}  // namespace
}  // namespace gyre::testing
