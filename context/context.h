// Contexts, as Go's package context: a request's deadline, its end, and the values that go with it, handed down from
// caller to callee and from goroutine to goroutine.
//
//   auto [ctx, cancel] = gyre::context::WithTimeout(gyre::context::Background(), absl::Seconds(1));
//   gyre::Go([ctx = ctx] { Work(ctx); });
//   gyre::Select(answers.OnRecv(...), ctx.Done().OnRecv([&] { absl::PrintF("%s\n", ctx.Err()->Error()); }));
//   cancel();                                           // call it in any case, once the work is over
//
// Contexts are made from contexts; one that ends takes with it all that were made from it, before the cancel function
// returns. A Context is a handle (context/interface.h), and copying it cheap. All functions may be called from
// anywhere, at the same time.
//
// A context that nobody will ever end, because all its handles and cancel functions have gone, is forgotten. One with a
// deadline, or whose Done somebody has asked for, is ended by its timer or its parent also then.
#ifndef GYRE_CONTEXT_CONTEXT_H_
#define GYRE_CONTEXT_CONTEXT_H_

#include <concepts>
#include <cstddef>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "context/error.h"
#include "context/interface.h"
#include "context/node.h"
#include "runtime/go.h"

namespace gyre::internal {
class AfterFuncState;

void CheckParent(const context::Context& parent);
[[noreturn]] void PanicNilKey();

// A character pointer that leads nowhere.
template <typename T>
bool IsNullText(const T& value) {
  if constexpr (std::is_same_v<T, const char*> || std::is_same_v<T, char*>) return value == nullptr;
  return false;
}

// The deadline of the running goroutine, as policies see it, for a scope.
class DeadlineScope {
 public:
  explicit DeadlineScope(const context::Context& ctx);
  ~DeadlineScope();
  DeadlineScope(const DeadlineScope&) = delete;
  DeadlineScope& operator=(const DeadlineScope&) = delete;

 private:
  Nanos outer_ = kNever;
  bool changed_ = false;
};
}  // namespace gyre::internal

namespace gyre::context {

// Why contexts end: "context canceled", and "context deadline exceeded", which is a timeout and temporary.
extern const Error& Canceled;
extern const Error& DeadlineExceeded;

// Ends a context. Only the first call does anything; a default-constructed one does nothing.
class CancelFunc {
 public:
  CancelFunc() = default;
  explicit CancelFunc(std::shared_ptr<gyre::internal::CancelState> state) : state_(std::move(state)) {}
  void operator()() const;

 private:
  std::shared_ptr<gyre::internal::CancelState> state_;
};

// The same, with a cause. Null means Canceled.
class CancelCauseFunc {
 public:
  CancelCauseFunc() = default;
  explicit CancelCauseFunc(std::shared_ptr<gyre::internal::CancelState> state) : state_(std::move(state)) {}
  void operator()(const Error& cause) const;

 private:
  std::shared_ptr<gyre::internal::CancelState> state_;
};

// Takes an AfterFunc back. True: its function will not be called because of this call.
class StopFunc {
 public:
  StopFunc() = default;
  explicit StopFunc(std::shared_ptr<gyre::internal::AfterFuncState> state) : state_(std::move(state)) {}
  bool operator()() const;

 private:
  std::shared_ptr<gyre::internal::AfterFuncState> state_;
};

// Never ends, has no deadline and no values: what others are made from. TODO is for where it is not clear yet from
// which.
Context Background();
Context TODO();

// Each of these panics with "cannot create context from nil parent".
std::pair<Context, CancelFunc> WithCancel(const Context& parent);
std::pair<Context, CancelCauseFunc> WithCancelCause(const Context& parent);

// Ends at the deadline with DeadlineExceeded. If the parent ends sooner anyway, this is WithCancel. The cause, if any,
// is for that end, not for the cancel function's.
std::pair<Context, CancelFunc> WithDeadline(const Context& parent, absl::Time deadline);
std::pair<Context, CancelFunc> WithDeadlineCause(const Context& parent, absl::Time deadline, Error cause);
std::pair<Context, CancelFunc> WithTimeout(const Context& parent, absl::Duration timeout);
std::pair<Context, CancelFunc> WithTimeoutCause(const Context& parent, absl::Duration timeout, Error cause);

// Has its parent's values, and never ends.
Context WithoutCancel(const Context& parent);

// Has `value` for `key`, and all else from its parent. Keys are compared with ==, and only with keys of the same type:
// a package keeps its keys apart from others' by a type of its own. A type without == does not compile. nullptr as the
// key is a panic, as a value it hides the parent's. Character pointers become std::strings.
template <typename K, typename V>
requires std::equality_comparable<gyre::internal::Kept<K>> && std::copy_constructible<gyre::internal::Kept<V>> Context
WithValue(const Context& parent, K&& key, V&& value) {
  gyre::internal::CheckParent(parent);
  using KeptKey = gyre::internal::Kept<K>;
  using KeptValue = gyre::internal::Kept<V>;
  if constexpr (std::is_same_v<KeptKey, std::nullptr_t>) {
    gyre::internal::PanicNilKey();
  } else {
    if (gyre::internal::IsNullText(key)) gyre::internal::PanicNilKey();
    if (gyre::internal::IsNullText(value)) {
      return Make<gyre::internal::ValueNode<KeptKey, std::nullptr_t>>(parent, std::forward<K>(key), nullptr);
    }
    return Make<gyre::internal::ValueNode<KeptKey, KeptValue>>(parent, std::forward<K>(key), std::forward<V>(value));
  }
}

// Calls f in a goroutine of its own once ctx has ended, at once if it has. The result takes it back.
StopFunc AfterFunc(const Context& ctx, absl::AnyInvocable<void()> f);

// Why ctx has ended: what was given to a cancel function or a Cause variant, or else ctx.Err(). Null before.
Error Cause(const Context& ctx);

// Calls f with the deadline of ctx, if it is earlier than its own, as that of the goroutine: for scheduling policies
// that look at deadlines (edf).
template <typename F>
decltype(auto) Run(const Context& ctx, F&& f) {
  gyre::internal::DeadlineScope scope(ctx);
  return std::forward<F>(f)();
}

}  // namespace gyre::context

#endif  // GYRE_CONTEXT_CONTEXT_H_
