// Goroutines: making, yielding, sleeping, ending.
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "runtime/go.h"
#include "runtime/park.h"
#include "tests/testing/runtime_test.h"

namespace gyre {
namespace {

using testing::Eventually;
using testing::Scaled;

GYRE_TEST(Goroutine, GR_01_ArgumentsAreEvaluatedBySpawner) {
  constexpr int kCount = 100;
  std::vector<std::atomic<int>> seen(kCount);
  std::atomic<int> done{0};
  for (int i = 0; i < kCount; ++i) {
    Go([i, &seen, &done] {
      ++seen[i];
      ++done;
    });
  }
  ASSERT_TRUE(Eventually([&] { return done == kCount; }));
  for (int i = 0; i < kCount; ++i) EXPECT_EQ(seen[i], 1) << i;
}

GYRE_TEST(Goroutine, GR_04_NumGoroutineCountsLiveOnes) {
  EXPECT_EQ(NumGoroutine(), 1);
  std::atomic<bool> go_on{false};
  for (int i = 0; i < 100; ++i) {
    Go([&] {
      while (!go_on) Sleep(absl::Milliseconds(1));
    });
  }
  EXPECT_EQ(NumGoroutine(), 101);
  go_on = true;
  EXPECT_TRUE(Eventually([] { return NumGoroutine() == 1; }));
}

GYRE_TEST(Goroutine, GR_05_IdsAreUnique) {
  const int count = Scaled(1000);
  std::vector<uint64_t> ids(count);
  std::atomic<int> done{0};
  for (int i = 0; i < count; ++i) {
    Go([&, i] {
      ids[i] = internal::SelfId();
      ++done;
    });
    if (i % 10 == 0) Yield();
  }
  ASSERT_TRUE(Eventually([&] { return done == count; }));
  const std::set<uint64_t> distinct(ids.begin(), ids.end());
  EXPECT_EQ(distinct.size(), ids.size());
  EXPECT_EQ(distinct.count(internal::SelfId()), 0u);
  EXPECT_GT(*distinct.begin(), 0u);
}

GYRE_TEST(Goroutine, GR_06_GoexitUnwindsInReverseOrderAndEndsOnlyItself) {
  std::vector<char> order;
  std::atomic<bool> ended{false};
  std::atomic<bool> reached{false};
  struct Defer {
    std::vector<char>& order;
    char name;
    ~Defer() { order.push_back(name); }
  };
  Go([&] {
    struct Last {
      std::atomic<bool>& ended;
      ~Last() { ended = true; }
    } last{ended};
    Defer a{order, 'a'};
    Defer b{order, 'b'};
    Defer c{order, 'c'};
    Goexit();
    reached = true;
  });
  ASSERT_TRUE(Eventually([&] { return ended.load(); }));
  EXPECT_EQ(order, (std::vector<char>{'c', 'b', 'a'}));
  EXPECT_FALSE(reached);
}

GYRE_TEST(Goroutine, GR_07_CatchAllCannotStopGoexit) {
  std::atomic<int> entered{0};
  std::atomic<bool> reached{false};
  std::atomic<bool> ended{false};
  Go([&] {
    struct Last {
      std::atomic<bool>& ended;
      ~Last() { ended = true; }
    } last{ended};
    try {
      try {
        Goexit();
      } catch (...) {
        ++entered;
      }
      reached = true;
    } catch (...) {
      ++entered;
    }
    reached = true;
  });
  ASSERT_TRUE(Eventually([&] { return ended.load(); }));
  EXPECT_EQ(entered, 2);
  EXPECT_FALSE(reached);
}

void (*volatile end_here)() = [] { Goexit(); };  // opaque: the compiler would see that Descend never returns

int Descend(int depth, std::atomic<int>& unwound) {
  struct Count {
    std::atomic<int>& unwound;
    ~Count() { ++unwound; }
  } count{unwound};
  if (depth == 1) {
    end_here();
    return 0;
  }
  return Descend(depth - 1, unwound) + 1;
}

GYRE_TEST(Goroutine, GR_08_GoexitUnwindsEveryFrame) {
  constexpr int kDepth = 200;
  std::atomic<int> unwound{0};
  Go([&] { Descend(kDepth, unwound); });
  EXPECT_TRUE(Eventually([&] { return unwound == kDepth && NumGoroutine() == 1; }));
}

GYRE_TEST(Goroutine, GR_13_YieldReturnsWhenAlone) {
  const int count = Scaled(10000);
  int yields = 0;
  for (int i = 0; i < count; ++i) {
    Yield();
    ++yields;
  }
  EXPECT_EQ(yields, count);
}

GYRE_TEST(Goroutine, ClosuresAreDestroyedOnce) {
  auto token = std::make_shared<int>(1);
  for (int i = 0; i < 100; ++i) Go([token] { Yield(); });
  EXPECT_TRUE(Eventually([&] { return NumGoroutine() == 1; }));
  EXPECT_EQ(token.use_count(), 1);
}

GYRE_TEST(Goroutine, LargeAndAlignedClosures) {
  struct alignas(256) Large {
    char bytes[32768];
  };
  auto large = std::make_unique<Large>();
  large->bytes[32767] = 7;
  std::atomic<int> sum{0};
  for (int i = 0; i < 10; ++i) {
    Go([copy = *large, &sum] {
      EXPECT_EQ(reinterpret_cast<uintptr_t>(&copy) % 256, 0u);
      sum += copy.bytes[32767];
    });
  }
  EXPECT_TRUE(Eventually([&] { return sum == 70; }));
}

GYRE_TEST(Goroutine, AConstructorThatThrowsLeavesNothingBehind) {
  struct Throws {
    Throws() = default;
    Throws(const Throws&) { throw std::runtime_error("copy"); }
    void operator()() const {}
  } f;
  EXPECT_THROW(Go(f), std::runtime_error);
  EXPECT_EQ(NumGoroutine(), 1);
}

GYRE_TEST(Goroutine, SC_06_ABurstRunsEachExactlyOnce) {
  const int count = Scaled(10000);
  std::vector<std::atomic<int>> cells(count);
  for (int i = 0; i < count; ++i) Go([&, i] { ++cells[i]; });
  ASSERT_TRUE(Eventually([] { return NumGoroutine() == 1; }));
  for (int i = 0; i < count; ++i) ASSERT_EQ(cells[i], 1) << i;
}

GYRE_TEST(Goroutine, TM_01_SleepLastsAtLeastAsLong) {
  const Nanos before = NowNanos();
  Sleep(absl::Milliseconds(3));
  EXPECT_GE(NowNanos() - before, 3'000'000);
}

GYRE_TEST(Goroutine, TM_02_SleepOfNothingReturnsAtOnce) {
  Sleep(absl::ZeroDuration());
  Sleep(absl::Seconds(-1));
  Sleep(-absl::InfiniteDuration());
  EXPECT_EQ(NumGoroutine(), 1);
}

GYRE_TEST(Goroutine, ManySleepersAllWake) {
  const int count = Scaled(2000);
  std::atomic<int> woken{0};
  for (int i = 0; i < count; ++i) {
    Go([&, i] {
      Sleep(absl::Microseconds(i % 50 * 100));
      ++woken;
    });
  }
  EXPECT_TRUE(Eventually([&] { return woken == count; }));
}

GYRE_TEST(Goroutine, PN_13_ExceptionsStayWithTheirGoroutine) {
  std::atomic<int> right{0};
  constexpr int kCount = 50;
  for (int i = 0; i < kCount; ++i) {
    Go([&, i] {
      try {
        Yield();
        throw i;
      } catch (int caught) {
        Yield();  // others throw and catch meanwhile
        try {
          Sleep(absl::Microseconds(10));
          throw std::to_string(i);
        } catch (const std::string& inner) {
          Yield();
          if (caught == i && inner == std::to_string(i) && std::uncaught_exceptions() == 0) ++right;
        }
        try {
          Yield();
          throw;
        } catch (int again) {
          if (again == i) ++right;
        }
      }
    });
  }
  EXPECT_TRUE(Eventually([] { return NumGoroutine() == 1; }));
  EXPECT_EQ(right, 2 * kCount);
}

}  // namespace
}  // namespace gyre
