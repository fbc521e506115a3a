// A group of goroutines that work on parts of one task and may fail, as golang.org/x/sync/errgroup.
//
//   gyre::ErrGroup group(ctx);                          // or without a context
//   for (const Url& url : urls) {
//     group.Go([&] { return Fetch(group.Ctx(), url); });   // returns a gyre::Error
//   }
//   gyre::Error err = group.Wait();                     // the first one, null if there was none
//
// The first error ends the group's context, with that error as the cause; so does Wait when it returns. The group must
// outlive its goroutines: call Wait before it goes.
#ifndef GYRE_CONTEXT_ERRGROUP_H_
#define GYRE_CONTEXT_ERRGROUP_H_

#include <type_traits>
#include <utility>

#include "channels/chan.h"
#include "context/context.h"
#include "context/error.h"
#include "runtime/go.h"
#include "sync/once.h"
#include "sync/wait_group.h"

namespace gyre {

class ErrGroup {
 public:
  ErrGroup() = default;
  // With a context made from `parent`.
  explicit ErrGroup(const context::Context& parent);
  ErrGroup(const ErrGroup&) = delete;
  ErrGroup& operator=(const ErrGroup&) = delete;

  // Nil if the group was made without one.
  const context::Context& Ctx() const { return ctx_; }

  // Runs f() in a new goroutine, once there are fewer than the limit.
  template <typename F>
  [[gnu::always_inline]] inline void Go(F&& f) {
    internal::CheckNotNil(f);
    if (slots_) slots_.Send(Unit{});
    Start(std::forward<F>(f));
  }

  // The same, or false at once if there are too many.
  template <typename F>
  [[gnu::always_inline]] inline bool TryGo(F&& f) {
    internal::CheckNotNil(f);
    if (slots_ && !slots_.TrySend(Unit{})) return false;
    Start(std::forward<F>(f));
    return true;
  }

  // At most n goroutines at a time; 0 admits none, a negative number any. Not while there are some: with a limit that
  // panics.
  void SetLimit(int n);

  // Returns when all goroutines have ended.
  Error Wait();

 private:
  template <typename F>
  struct Task {
    ErrGroup* group;
    F f;
    void operator()() {
      struct AtEnd {
        ErrGroup* group;
        ~AtEnd() noexcept(false) { group->Finish(); }
      } end{group};
      // In here f is destroyed before the group hears that it has ended.
      F last(std::move(f));
      if (Error err = last(); err != nullptr) group->Fail(err);
    }
  };

  template <typename F>
  [[gnu::always_inline]] inline void Start(F&& f) {
    static_assert(std::is_convertible_v<std::invoke_result_t<std::decay_t<F>&>, Error>, "f returns a gyre::Error");
    wait_group_.Add(1);
    try {
      gyre::Go(Task<std::decay_t<F>>{this, std::forward<F>(f)});
    } catch (...) {
      Finish();
      throw;
    }
  }
  void Fail(const Error& err);
  void Finish();

  context::Context ctx_;
  context::CancelCauseFunc cancel_;
  WaitGroup wait_group_;
  Chan<Unit> slots_;  // nil: no limit. Full: no more.
  Once first_;
  Error err_;
};

}  // namespace gyre

#endif  // GYRE_CONTEXT_ERRGROUP_H_
