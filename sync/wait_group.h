// Waits for a number of things to happen, for goroutines to end mostly, as Go's sync.WaitGroup.
//
//   gyre::WaitGroup wg;
//   for (const Url& url : urls) wg.Go([&url] { Fetch(url); });
//   wg.Wait();
//
// Add (and Go) must come before the Wait that is to see them; a group may be used again once Wait has returned. A
// negative count is a panic. What happened before Done is visible after the Wait that it ends. The group may be
// destroyed when all its Waits have returned, though the last Done has not.
#ifndef GYRE_SYNC_WAIT_GROUP_H_
#define GYRE_SYNC_WAIT_GROUP_H_

#include <atomic>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "runtime/go.h"
#include "sync/sema.h"

namespace gyre {

class WaitGroup {
 public:
  constexpr WaitGroup() = default;
  WaitGroup(const WaitGroup&) = delete;
  WaitGroup& operator=(const WaitGroup&) = delete;

  void Add(int32_t delta) {
    // Wraps around for a negative delta, which then leaves the low half alone. Acquire and release: whoever counts to 0
    // passes on what all the others did.
    const uint64_t change = static_cast<uint64_t>(static_cast<int64_t>(delta)) << 32;
    const uint64_t state = state_.fetch_add(change, std::memory_order_acq_rel) + change;
    if (Count(state) < 0 || Waiters(state) != 0) [[unlikely]]
      Settle(state, delta);
  }

  void Done() { Add(-1); }

  // Returns when the count is 0.
  void Wait() {
    if (Count(state_.load(std::memory_order_acquire)) == 0) return;
    WaitSlow();
  }

  // Runs f() in a new goroutine, which counts until it has returned and f is destroyed.
  template <typename F>
  [[gnu::always_inline]] inline void Go(F&& f) {
    Start(nullptr, std::forward<F>(f));
  }
  template <typename F>
  [[gnu::always_inline]] inline void Go(const GoOptions& options, F&& f) {
    Start(&options, std::forward<F>(f));
  }

 private:
  template <typename F>
  [[gnu::always_inline]] inline void Start(const GoOptions* options, F&& f) {
    internal::CheckNotNil(f);
    Add(1);
    try {
      internal::StartGoroutine(
          internal::MakeGoroutine(nullptr, options, Counted<std::decay_t<F>>{this, std::forward<F>(f)}));
    } catch (...) {
      Done();
      throw;
    }
  }

  struct DoneAtEnd {
    WaitGroup* group;
    ~DoneAtEnd() noexcept(false) { group->Done(); }
  };

  template <typename F>
  struct Counted {
    WaitGroup* group;
    F f;
    void operator()() {
      DoneAtEnd done{group};
      if constexpr (std::is_trivially_destructible_v<F>) {
        f();
      } else {
        // What f holds must be gone before anybody is told that it has ended.
        F last(std::move(f));
        last();
      }
    }
  };

  // The state: the count in the upper half, the number of waiters in the lower.
  static constexpr int32_t Count(uint64_t state) { return static_cast<int32_t>(state >> 32); }
  static constexpr uint32_t Waiters(uint64_t state) { return static_cast<uint32_t>(state); }

  void Settle(uint64_t state, int32_t delta);
  void WaitSlow();

  std::atomic<uint64_t> state_{0};
  internal::Sema sema_;
};

}  // namespace gyre

#endif  // GYRE_SYNC_WAIT_GROUP_H_
