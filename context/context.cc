#include "context/context.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "context/cancel_node.h"
#include "context/cancel_state.h"
#include "runtime/dump.h"
#include "runtime/panic.h"
#include "runtime/park.h"

namespace gyre {

namespace {

// Lives for ever, from before the first constructor runs.
template <typename T>
union Permanent {
  template <typename... Args>
  constexpr explicit Permanent(Args... args) : value(args...) {}
  ~Permanent() {}
  T value;
};

// A pointer that counts nothing.
Error Uncounted(const ErrorValue* value) {
  return Error(Error(), value);
}

class CanceledError final : public ErrorValue {
 public:
  std::string Error() const override { return "context canceled"; }
};

class DeadlineExceededError final : public ErrorValue {
 public:
  std::string Error() const override { return "context deadline exceeded"; }
  bool Timeout() const override { return true; }
  bool Temporary() const override { return true; }
};

constinit Permanent<CanceledError> canceled;
constinit Permanent<DeadlineExceededError> deadline_exceeded;

}  // namespace

namespace internal {

namespace {

// Background and TODO.
class EmptyContext final : public ContextNode {
 public:
  constexpr explicit EmptyContext(const char* name) : ContextNode(Immortal{}), name_(name) {}
  std::optional<absl::Time> Deadline() const override { return std::nullopt; }
  RecvChan<Unit> Done() const override { return nullptr; }
  Error Err() const override { return nullptr; }
  std::string Suffix() const override { return name_; }

 private:
  const char* const name_;
};

constinit Permanent<EmptyContext> background("context.Background");
constinit Permanent<EmptyContext> todo("context.TODO");

class UncancelledNode final : public ContextNode {
 public:
  using ContextNode::ContextNode;
  std::optional<absl::Time> Deadline() const override { return std::nullopt; }
  RecvChan<Unit> Done() const override { return nullptr; }
  Error Err() const override { return nullptr; }
  std::string Suffix() const override { return ".WithoutCancel"; }
  const std::any* OwnValue(const context::Key& key) const override {
    return key.As<CancelKey>() != nullptr ? &nothing_ : nullptr;  // what is above is not our concern
  }

 private:
  const std::any nothing_;
};

}  // namespace

// ---- the chain ----

const std::any* ContextNode::Value(const context::Key& key) const {
  const ContextNode* node = this;
  for (;;) {
    if (const std::any* own = node->OwnValue(key)) return own;
    const context::ContextInterface* above = node->parent();
    if (above == nullptr) return nullptr;
    const ContextNode* next = From(*above);
    if (next == nullptr) return above->Value(key);
    node = next;
  }
}

std::string ContextNode::String() const {
  std::vector<std::string> parts;
  const context::ContextInterface* link = this;
  for (; link != nullptr; link = From(*link)->parent()) {
    if (From(*link) == nullptr) {
      parts.push_back(link->String());
      break;
    }
    parts.push_back(From(*link)->Suffix());
  }
  std::string name;
  for (auto part = parts.rbegin(); part != parts.rend(); ++part) name += *part;
  return name;
}

std::string TypeText(const std::type_info& type) {
  return TypeName(type);
}

ValueNodeBase::ValueNodeBase(context::Context parent)
    : ContextNode(parent), decider_(From(parent.impl()) != nullptr ? From(parent.impl())->Decider() : &parent.impl()) {}

std::string CancelNode::Suffix() const {
  if (!own_deadline_) return ".WithCancel";
  return absl::StrCat(".WithDeadline(", absl::FormatTime(*deadline_), " [", absl::FormatDuration(*deadline_ - Now()),
                      "])");
}

// ---- what the header's templates and inline functions call ----

void CheckParent(const context::Context& parent) {
  if (!parent) Panic("cannot create context from nil parent");
}

void PanicNilKey() {
  Panic("nil key");
}

namespace {

// On the clock that timers and policies have. Now() is read first: an instant between the two reads makes it later.
Nanos ToNanos(absl::Time deadline) {
  if (deadline == absl::InfiniteFuture()) return kNever;
  const Nanos left = absl::ToInt64Nanoseconds(deadline - Now());  // saturates
  Nanos when;
  return __builtin_add_overflow(MonotonicNow(), left, &when) ? kNever : when;
}

}  // namespace

DeadlineScope::DeadlineScope(const context::Context& ctx) {
  const std::optional<absl::Time> deadline = ctx.Deadline();
  if (!deadline.has_value()) return;
  const Nanos inner = ToNanos(*deadline);
  outer_ = SetTaskDeadline(inner);
  changed_ = true;
  if (outer_ < inner) SetTaskDeadline(outer_);
}

DeadlineScope::~DeadlineScope() {
  if (changed_) SetTaskDeadline(outer_);
}

}  // namespace internal

namespace context {

using gyre::internal::AfterFuncState;
using gyre::internal::CancelNode;
using gyre::internal::CancelState;
using gyre::internal::CheckParent;
using gyre::internal::DeadlineState;

const Error& Canceled = *new Error(Uncounted(&canceled.value));
const Error& DeadlineExceeded = *new Error(Uncounted(&deadline_exceeded.value));

// ---- handles ----

std::string ContextInterface::String() const {
  return gyre::internal::TypeText(typeid(*this));
}

void Context::Unref(const ContextInterface* impl) {
  while (impl != nullptr && impl->refs_.load(std::memory_order_relaxed) != ContextInterface::kImmortal) {
    // Release: what was done with this handle comes before the destruction; acquire, for the one who destroys.
    if (impl->refs_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    auto* last = const_cast<ContextInterface*>(impl);
    impl = last->TakeParent();
    delete last;
  }
}

const std::any& Context::NoValue() {
  static const std::any nothing;
  return nothing;
}

void Context::PanicNil() {
  PanicRuntimeError("invalid memory address or nil pointer dereference");
}

void CancelFunc::operator()() const {
  if (state_ != nullptr) state_->Cancel(Canceled, nullptr);
}

void CancelCauseFunc::operator()(const Error& cause) const {
  if (state_ != nullptr) state_->Cancel(Canceled, cause);
}

bool StopFunc::operator()() const {
  return state_ != nullptr && state_->Stop();
}

// ---- contexts ----

Context Background() {
  return Context(&gyre::internal::background.value);
}
Context TODO() {
  return Context(&gyre::internal::todo.value);
}

namespace {

template <typename Func>
std::pair<Context, Func> MakeCancellable(const Context& parent) {
  CheckParent(parent);
  auto state = CancelState::MakeUnder<CancelState>(parent);
  Context ctx = Make<CancelNode>(parent, state, parent.Deadline(), false);
  return {std::move(ctx), Func(std::move(state))};
}

}  // namespace

std::pair<Context, CancelFunc> WithCancel(const Context& parent) {
  return MakeCancellable<CancelFunc>(parent);
}

std::pair<Context, CancelCauseFunc> WithCancelCause(const Context& parent) {
  return MakeCancellable<CancelCauseFunc>(parent);
}

std::pair<Context, CancelFunc> WithDeadlineCause(const Context& parent, absl::Time deadline, Error cause) {
  CheckParent(parent);
  if (std::optional<absl::Time> sooner = parent.Deadline(); sooner.has_value() && *sooner < deadline) {
    return WithCancel(parent);
  }
  auto state = CancelState::MakeUnder<DeadlineState>(parent, std::move(cause));
  Context ctx = Make<CancelNode>(parent, state, deadline, true);
  if (deadline <= Now()) {
    state->TimeIsUp();
  } else {
    const Nanos when = gyre::internal::ToNanos(deadline);
    if (when != kNever) state->StartTimer(when);
  }
  return {std::move(ctx), CancelFunc(std::move(state))};
}

std::pair<Context, CancelFunc> WithDeadline(const Context& parent, absl::Time deadline) {
  return WithDeadlineCause(parent, deadline, nullptr);
}

std::pair<Context, CancelFunc> WithTimeoutCause(const Context& parent, absl::Duration timeout, Error cause) {
  return WithDeadlineCause(parent, Now() + timeout, std::move(cause));
}

std::pair<Context, CancelFunc> WithTimeout(const Context& parent, absl::Duration timeout) {
  return WithDeadlineCause(parent, Now() + timeout, nullptr);
}

Context WithoutCancel(const Context& parent) {
  CheckParent(parent);
  return Make<gyre::internal::UncancelledNode>(parent);
}

StopFunc AfterFunc(const Context& ctx, absl::AnyInvocable<void()> f) {
  CheckParent(ctx);
  gyre::internal::CheckNotNil(f);
  return StopFunc(CancelState::MakeUnder<AfterFuncState>(ctx, std::move(f)));
}

Error Cause(const Context& ctx) {
  const CancelState* state = CancelState::Of(ctx.impl());
  return state != nullptr ? state->Cause() : ctx.Err();
}

}  // namespace context
}  // namespace gyre
