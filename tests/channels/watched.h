// A goroutine whose state a test can look at: whether it is blocked, and in what.
#ifndef GYRE_TESTS_CHANNELS_WATCHED_H_
#define GYRE_TESTS_CHANNELS_WATCHED_H_

#include <atomic>
#include <functional>
#include <utility>

#include "runtime/go.h"
#include "runtime/goroutine.h"
#include "runtime/park.h"
#include "runtime/runtime.h"
#include "tests/testing/runtime_test.h"

namespace gyre::testing {

class Watched {
 public:
  // Starts f in a goroutine. This object must outlive it.
  template <typename F>
  explicit Watched(F f) {
    Go([this, f = std::move(f)]() mutable {
      g_.store(internal::Self(), std::memory_order_release);
      f();
      done_.store(true, std::memory_order_release);
    });
  }
  Watched(const Watched&) = delete;
  Watched& operator=(const Watched&) = delete;

  bool done() const { return done_.load(std::memory_order_acquire); }

  // Whether it gets to wait for `reason`. Then it is in whatever queue it waits in.
  bool Blocks(WaitReason reason) const {
    return Eventually([&] { return IsBlocked(reason) || done(); }) && !done();
  }
  bool Ends() const {
    return Eventually([&] { return done(); });
  }

 private:
  bool IsBlocked(WaitReason reason) const {
    const internal::G* g = g_.load(std::memory_order_acquire);
    return g != nullptr && !done() && g->state.load(std::memory_order_relaxed) == internal::GState::kWaiting &&
           g->wait_reason.load(std::memory_order_relaxed) == reason;
  }

  std::atomic<internal::G*> g_{nullptr};
  std::atomic<bool> done_{false};
};

// For bodies that leave goroutines blocked for ever. These must own nothing: their destructors never run.
inline void RunAbandoning(const std::function<void()>& body) {
  for (const Config& config : SmallMatrix()) {
    SCOPED_TRACE(config.ToString());
    Runtime runtime(config);
    EXPECT_TRUE(runtime.Run(body));
  }
}

// Runs f, which is to panic; the text.
template <typename Error, typename F>
std::string PanicText(F f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return "(no panic)";
}

}  // namespace gyre::testing

#endif  // GYRE_TESTS_CHANNELS_WATCHED_H_
