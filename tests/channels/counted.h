// An element that can only be moved, and that knows how many of it live.
#ifndef GYRE_TESTS_CHANNELS_COUNTED_H_
#define GYRE_TESTS_CHANNELS_COUNTED_H_

#include <atomic>
#include <memory>
#include <utility>

#include <gtest/gtest.h>

namespace gyre::testing {

class Counted {
 public:
  explicit Counted(int value) : value_(std::make_unique<int>(value)) { ++live_; }
  Counted(Counted&& other) noexcept : value_(std::move(other.value_)) { ++live_; }
  ~Counted() {
    EXPECT_FALSE(destroyed_) << "destroyed twice";
    destroyed_ = true;
    --live_;
  }

  int value() const { return *value_; }  // crashes if it was moved from
  static int live() { return live_; }
  static void Reset() { live_ = 0; }

 private:
  static inline std::atomic<int> live_{0};
  std::unique_ptr<int> value_;
  bool destroyed_ = false;
};

}  // namespace gyre::testing

#endif  // GYRE_TESTS_CHANNELS_COUNTED_H_
