#include "context/cancel_state.h"

#include <any>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "channels/select.h"
#include "channels/time.h"
#include "context/cancel_node.h"
#include "context/context.h"
#include "context/node.h"
#include "runtime/go.h"
#include "runtime/panic.h"
#include "runtime/thread_state.h"

namespace gyre::internal {

using context::Context;
using context::ContextInterface;

// ---- joining a parent ----

CancelState* CancelState::Of(const ContextInterface& impl) {
  const std::any* value = impl.Value(context::Key::Of(CancelKey{}));
  CancelState* const* state = value != nullptr ? std::any_cast<CancelState*>(value) : nullptr;
  return state != nullptr ? *state : nullptr;
}

CancelState::Parent CancelState::Find(const Context& context) {
  const ContextInterface* decider = &context.impl();
  if (const ContextNode* node = ContextNode::From(*decider)) {
    decider = node->Decider();
    node = ContextNode::From(*decider);
    if (node != nullptr) return {node->cancel_state(), nullptr};
  }
  // Not ours. If it hands out the Done of one of ours that it wraps, it ends with that.
  const RecvChan<Unit> done = decider->Done();
  if (done == nullptr) return {};
  CancelState* inner = Of(*decider);
  if (inner != nullptr && inner->Done() == done) return {inner, nullptr};
  return {nullptr, decider};
}

void CancelState::Attach(const Context& parent, const Parent& found) {
  if (found.state != nullptr) {
    AttachTo(found.state);
  } else if (found.other != nullptr) {
    AttachToOther(parent, *found.other);
  }
}

void CancelState::AttachTo(CancelState* parent) {
  {
    MutexLock hold(&tree_->mu);
    if (!parent->is_cancelled()) {
      Link(parent);
      if (wanted_) keepalive_ = shared_from_this();
      return;
    }
  }
  Cancel(parent->err_, parent->cause_);
}

void CancelState::AttachToOther(const Context& parent, const ContextInterface& other) {
  if (Error err = other.Err(); err != nullptr) {
    Cancel(err, context::Cause(parent));
    return;
  }
  const auto* funcer = dynamic_cast<const context::AfterFuncer*>(&other);
  if (funcer == nullptr) {
    GoFromAnywhere([parent, state = shared_from_this()] {
      Select(parent.Done().OnRecv([&] { state->Cancel(parent.Err(), context::Cause(parent)); }),
             state->Done().OnRecv([] {}));
    });
    return;
  }
  {
    MutexLock hold(&tree_->mu);
    has_other_parent_ = true;
    if (wanted_) keepalive_ = shared_from_this();
  }
  // Weak, and without the parent: the parent holds this function.
  std::function<bool()> detach = funcer->AfterFunc([weak = weak_from_this(), &other] {
    if (std::shared_ptr<CancelState> state = weak.lock()) {
      CancelState* inner = Of(other);
      state->Cancel(other.Err(), inner != nullptr ? inner->Cause() : nullptr);
    }
  });
  MutexLock hold(&tree_->mu);
  if (!is_cancelled()) detach_ = std::move(detach);
}

void CancelState::Link(CancelState* parent) {
  parent_ = parent;
  prev_ = nullptr;
  next_ = parent->first_child_;
  if (next_ != nullptr) next_->prev_ = this;
  parent->first_child_ = this;
}

void CancelState::Unlink() {
  if (parent_ == nullptr) return;
  (prev_ != nullptr ? prev_->next_ : parent_->first_child_) = next_;
  if (next_ != nullptr) next_->prev_ = prev_;
  parent_ = next_ = prev_ = nullptr;
}

// ---- the end ----

void CancelState::SetDone(const Error& err, const Error& cause) {
  err_ = err;
  cause_ = cause != nullptr ? cause : err;
  // Release, here and below: who sees the flag sees what was written before.
  cancelled_.store(true, std::memory_order_release);
  if (done_made_.load(std::memory_order_relaxed)) done_.Close();
  closed_.store(true, std::memory_order_release);
}

bool CancelState::End(const Error& err, const Error& cause, Notice notice) {
  CancelState* ended = nullptr;  // a list by next_; they keep themselves
  {
    MutexLock hold(&tree_->mu);
    if (is_cancelled()) return false;
    Unlink();
    keepalive_ = shared_from_this();
    CancelState* todo = this;
    while (todo != nullptr) {
      CancelState* state = std::exchange(todo, todo->next_);
      state->SetDone(err, cause);
      CancelState* child = std::exchange(state->first_child_, nullptr);
      while (child != nullptr) {
        CancelState* next = child->next_;
        if (std::shared_ptr<CancelState> strong = child->weak_from_this().lock()) {
          child->parent_ = child->prev_ = nullptr;
          child->keepalive_ = std::move(strong);
          child->next_ = todo;
          todo = child;
        } else {
          // It is being destroyed, and waits for the lock. Its own children are ours now.
          if (CancelState* last = child->first_child_) {
            while (last->next_ != nullptr) last = last->next_;
            last->next_ = next;
            next = std::exchange(child->first_child_, nullptr);
          }
          child->parent_ = child->next_ = child->prev_ = nullptr;
        }
        child = next;
      }
      state->next_ = ended;
      ended = state;
    }
  }
  // Nobody else looks at the links of cancelled states.
  while (ended != nullptr) {
    CancelState* state = std::exchange(ended, ended->next_);
    std::shared_ptr<CancelState> keep = std::move(state->keepalive_);
    if (std::function<bool()> detach = std::move(state->detach_)) detach();
    if (state != this || notice == Notice::kTell) state->Cancelled();
  }
  return true;
}

CancelState::~CancelState() {
  if (closed_.load(std::memory_order_acquire)) return;  // it has left the tree
  std::vector<std::shared_ptr<CancelState>> disowned;   // destroyed after the lock has been let go
  {
    MutexLock hold(&tree_->mu);
    CancelState* parent = parent_;
    Unlink();
    CancelState* todo = std::exchange(first_child_, nullptr);
    while (todo != nullptr) {
      CancelState* child = std::exchange(todo, todo->next_);
      if (parent != nullptr) {
        child->Link(parent);
        continue;
      }
      // Nobody is above any more. If nothing but that kept it, it will never be cancelled.
      std::shared_ptr<CancelState> keep;
      if (!child->has_timer_) keep = std::move(child->keepalive_);
      if (keep != nullptr && keep.use_count() == 1 && child->first_child_ != nullptr) {
        // It is lost, and so are its children: here, rather than by recursion.
        CancelState* last = child->first_child_;
        while (last->next_ != nullptr) last = last->next_;
        last->next_ = todo;
        todo = std::exchange(child->first_child_, nullptr);
      }
      child->next_ = child->prev_ = child->parent_ = nullptr;
      if (keep != nullptr) disowned.push_back(std::move(keep));
    }
  }
  if (detach_) detach_();
}

// ---- what contexts ask ----

RecvChan<Unit> CancelState::Done() {
  if (!done_made_.load(std::memory_order_acquire)) {
    MutexLock hold(&tree_->mu);
    if (!done_made_.load(std::memory_order_relaxed)) {
      done_ = MakeChan<Unit>();
      if (is_cancelled()) {
        done_.Close();
      } else {
        wanted_ = true;
        if (parent_ != nullptr || has_other_parent_) keepalive_ = shared_from_this();
      }
      done_made_.store(true, std::memory_order_release);
    }
  }
  return done_;
}

Error CancelState::Err() const {
  if (!cancelled_.load(std::memory_order_acquire)) return nullptr;
  // Who learns the error may rely on Done's being closed, which happens under the lock.
  if (!closed_.load(std::memory_order_acquire)) MutexLock wait(&tree_->mu);
  return err_;
}

Error CancelState::Cause() const {
  if (!cancelled_.load(std::memory_order_acquire)) return nullptr;
  return cause_;
}

size_t CancelState::ChildCount() const {
  MutexLock hold(&tree_->mu);
  size_t count = 0;
  for (CancelState* child = first_child_; child != nullptr; child = child->next_) ++count;
  return count;
}

// ---- deadlines and functions ----

void DeadlineState::StartTimer(Nanos when) {
  MutexLock hold(&tree_->mu);
  if (is_cancelled()) return;
  timer_.Start(when);
  has_timer_ = true;
  keepalive_ = shared_from_this();
}

void DeadlineState::Alarm::Fire(Timer* timer, Nanos) {
  // Cancelling takes a lock, so that is for a goroutine.
  if (std::shared_ptr<CancelState> state = static_cast<Alarm*>(timer)->owner->weak_from_this().lock()) {
    GoFromAnywhere([state = std::move(state)] { static_cast<DeadlineState*>(state.get())->TimeIsUp(); });
  }
}

void DeadlineState::TimeIsUp() {
  Cancel(context::DeadlineExceeded, cause_of_timeout_);
}

bool AfterFuncState::Stop() {
  if (!End(context::Canceled, nullptr, Notice::kIgnore)) return false;
  f_ = nullptr;
  return true;
}

void AfterFuncState::Cancelled() {
  GoFromAnywhere(std::move(f_));
}

void GoFromAnywhere(absl::AnyInvocable<void()> f) {
  try {
    if (This().p != nullptr) {
      gyre::Go(std::move(f));
    } else {
      gyre::AfterFunc(absl::ZeroDuration(), std::move(f));
    }
  } catch (const PanicError& panic) {
    Fatal(absl::StrCat("context: a goroutine that has to run cannot be started: ", panic.what()));
  }
}

}  // namespace gyre::internal
