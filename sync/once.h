// Things that are done once, as Go's sync.Once, OnceFunc, OnceValue and OnceValues.
//
//   gyre::Once once;
//   once.Do([] { LoadTables(); });       // the first caller runs it; the others wait until it has ended
//
//   auto config = gyre::OnceValue([] { return ReadConfig(); });
//   Use(config());                       // read at the first call; copies of `config` share the value
//
// Do counts as done also if the function panics or calls Goexit; what it threw goes to that caller only. Calling Do
// from within the function, on the same Once, deadlocks.
#ifndef GYRE_SYNC_ONCE_H_
#define GYRE_SYNC_ONCE_H_

#include <atomic>
#include <exception>
#include <memory>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

#include "absl/functional/function_ref.h"
#include "runtime/panic.h"
#include "sync/mutex.h"

namespace gyre {

class Once {
 public:
  constexpr Once() = default;
  Once(const Once&) = delete;
  Once& operator=(const Once&) = delete;

  template <typename F>
  void Do(F&& f) {
    // Acquire: what the function did is visible.
    if (!done_.load(std::memory_order_acquire)) [[unlikely]]
      DoSlow(f);
  }

 private:
  void DoSlow(absl::FunctionRef<void()> f);

  std::atomic<bool> done_{false};
  Mutex mu_;  // held while the function runs
};

namespace internal {

// What the copies of a once function share. R: what f returns, without const and reference.
template <typename F, typename R>
class OnceState {
 public:
  explicit OnceState(F f) : f_(std::move(f)) {}

  void Run() {
    once_.Do([this] {
      try {
        if constexpr (std::is_void_v<R>) {
          (*f_)();
        } else {
          result_.emplace((*f_)());
        }
        ended_ = true;
      } catch (...) {
        thrown_ = std::current_exception();
        if (thrown_ == nullptr) throw;  // Goexit is no exception
        return;
      }
      f_.reset();  // what it holds is not needed any more
    });
    if (ended_) [[likely]]
      return;
    if (thrown_) std::rethrow_exception(thrown_);
    Panic("sync: the function of a once function has called Goexit, so there is no result");
  }

  const auto& result() const { return *result_; }

 private:
  struct Nothing {};
  Once once_;
  std::optional<F> f_;
  std::optional<std::conditional_t<std::is_void_v<R>, Nothing, R>> result_;
  std::exception_ptr thrown_;
  bool ended_ = false;
};

}  // namespace internal

// Returns a function that calls f once, however often, from wherever and in however many copies it is called. If f
// throws, every call throws that.
template <typename F>
auto OnceFunc(F&& f) {
  using State = internal::OnceState<std::decay_t<F>, void>;
  return [state = std::make_shared<State>(std::forward<F>(f))] { state->Run(); };
}

// The same for a function with a result, which every call returns: a reference that lives as long as the last copy of
// the function.
template <typename F>
auto OnceValue(F&& f) {
  using R = std::remove_cvref_t<std::invoke_result_t<std::decay_t<F>&>>;
  static_assert(!std::is_void_v<R>, "a function without a result is for OnceFunc");
  using State = internal::OnceState<std::decay_t<F>, R>;
  return [state = std::make_shared<State>(std::forward<F>(f))]() -> const R& {
    state->Run();
    return state->result();
  };
}

// The same for a function with several results: a std::pair or std::tuple, as in `auto [a, b] = values();`.
template <typename F>
auto OnceValues(F&& f) {
  using R = std::remove_cvref_t<std::invoke_result_t<std::decay_t<F>&>>;
  static_assert(
      requires { std::tuple_size<R>::value; }, "f returns a std::pair or a std::tuple");
  return OnceValue(std::forward<F>(f));
}

}  // namespace gyre

#endif  // GYRE_SYNC_ONCE_H_
