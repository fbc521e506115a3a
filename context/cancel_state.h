// What can be cancelled: the part of a context that its cancel function, its parent and its timer share. Internal to
// context/.
//
// States form trees: a child is cancelled with its parent. A tree has one lock, which its states share: so a
// cancellation takes a whole subtree at once, and every state below is done when any Cancel of it returns.
//
// Who keeps a state: its context, its cancel functions, and itself (keepalive_) as long as nobody need hold one of
// those for the cancellation to be seen. Links of the tree do not count: a state that nobody keeps leaves the tree, and
// its children go to its parent, for only that can cancel them now.
//
// Any goroutine or foreign thread may call anything here.
//
// Invariants, under Tree::mu
//  1. A state with a parent is in that parent's list of children. A cancelled state has neither parent nor children.
//  2. err_ and cause_ are set once, before cancelled_; done_, if there is one, is closed before closed_ is set.
//  3. keepalive_ is set only on a state that somebody is yet to cancel: its timer, its parent.
//  4. A pointer to a state that comes from the tree is good while the lock is held, for a state that ends takes the
//  lock to
//     leave. Its count may be 0 by then: only weak_from_this().lock() tells.
#ifndef GYRE_CONTEXT_CANCEL_STATE_H_
#define GYRE_CONTEXT_CANCEL_STATE_H_

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "channels/chan.h"
#include "context/error.h"
#include "context/interface.h"
#include "runtime/timer.h"
#include "sync/mutex.h"

namespace gyre::internal {

class CancelState : public std::enable_shared_from_this<CancelState> {
 public:
  struct Tree {
    Mutex mu;
  };

  explicit CancelState(std::shared_ptr<Tree> tree) : tree_(std::move(tree)) {}
  virtual ~CancelState();
  CancelState(const CancelState&) = delete;
  CancelState& operator=(const CancelState&) = delete;

  // A new state that will be cancelled together with `parent`, at once if that is cancelled.
  template <typename State, typename... Args>
  static std::shared_ptr<State> MakeUnder(const context::Context& parent, Args&&... args) {
    const Parent found = Find(parent);
    auto state = std::make_shared<State>(found.state != nullptr ? found.state->tree_ : std::make_shared<Tree>(),
                                         std::forward<Args>(args)...);
    state->Attach(parent, found);
    return state;
  }

  // The nearest state that decides about the context, or null. It lives as long as the context.
  static CancelState* Of(const context::ContextInterface& impl);

  // Cancels this and all below. A null cause means err. False: it was cancelled before.
  bool Cancel(const Error& err, const Error& cause) { return End(err, cause, Notice::kTell); }

  RecvChan<Unit> Done();
  Error Err() const;    // null before
  Error Cause() const;  // null before

  size_t ChildCount() const;  // for tests

 protected:
  // kIgnore: without a call of this state's Cancelled().
  enum class Notice { kTell, kIgnore };
  bool End(const Error& err, const Error& cause, Notice notice);

  // It has been cancelled. Called once, without the lock.
  virtual void Cancelled() {}

  // With the lock held.
  bool is_cancelled() const { return cancelled_.load(std::memory_order_relaxed); }

  const std::shared_ptr<Tree> tree_;

  // Guarded by tree_->mu. (The analysis cannot tell that all states of a tree have the same.)
  bool wanted_ = false;     // its end is to be seen though nobody may hold it
  bool has_timer_ = false;  // that is yet to fire
  std::shared_ptr<CancelState> keepalive_;

 private:
  // Who decides about a context: a state, or an implementation that is not ours, or nobody (both null).
  struct Parent {
    CancelState* state = nullptr;
    const context::ContextInterface* other = nullptr;
  };
  static Parent Find(const context::Context& context);

  void Attach(const context::Context& parent, const Parent& found);
  void AttachTo(CancelState* parent);
  void AttachToOther(const context::Context& parent, const context::ContextInterface& other);

  // With the lock held.
  void Link(CancelState* parent);
  void Unlink();
  void SetDone(const Error& err, const Error& cause);

  // Guarded by tree_->mu.
  CancelState* parent_ = nullptr;
  CancelState* first_child_ = nullptr;
  CancelState* next_ = nullptr;  // sibling; during Cancel, the next one to do
  CancelState* prev_ = nullptr;
  std::function<bool()> detach_;  // from a parent that is not ours
  bool has_other_parent_ = false;
  Chan<Unit> done_;
  Error err_;
  Error cause_;

  // Written under the lock; read without it to see that what they stand for has been written.
  std::atomic<bool> done_made_{false};
  std::atomic<bool> cancelled_{false};
  std::atomic<bool> closed_{false};
};

// With a deadline.
class DeadlineState final : public CancelState {
 public:
  DeadlineState(std::shared_ptr<Tree> tree, Error cause)
      : CancelState(std::move(tree)), timer_(this), cause_of_timeout_(std::move(cause)) {}

  // Cancels it at `when`, on the clock that timers have.
  void StartTimer(Nanos when);
  void TimeIsUp();

 private:
  struct Alarm : Timer {
    explicit Alarm(DeadlineState* its_owner) : Timer(&Fire), owner(its_owner) {}
    static void Fire(Timer* timer, Nanos now);
    DeadlineState* const owner;
  };
  void Cancelled() override { timer_.Stop(); }

  Alarm timer_;
  const Error cause_of_timeout_;  // null: as the error
};

// A function that is called when a context ends.
class AfterFuncState final : public CancelState {
 public:
  AfterFuncState(std::shared_ptr<Tree> tree, absl::AnyInvocable<void()> f)
      : CancelState(std::move(tree)), f_(std::move(f)) {
    wanted_ = true;
  }
  // Once. False: the function has been started, or this has been called before.
  bool Stop();

 private:
  void Cancelled() override;
  absl::AnyInvocable<void()> f_;  // until it is started, or never will be
};

// Go, also where no goroutine runs. A fatal error if there is no memory for a stack: what is waited for would never
// happen.
void GoFromAnywhere(absl::AnyInvocable<void()> f);

}  // namespace gyre::internal

#endif  // GYRE_CONTEXT_CANCEL_STATE_H_
