// Goroutines on linked segments. This file is compiled with -fsplit-stack; what it calls is not.
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <vector>

#include "channels/chan.h"
#include "gtest/gtest.h"
#include "plugins/registry.h"
#include "runtime/dump.h"
#include "runtime/go.h"
#include "runtime/park.h"
#include "runtime/runtime.h"
#include "stacks/split_probe.h"
#include "sync/wait_group.h"
#include "tests/testing/runtime_test.h"

namespace gyre {
namespace {

using testing::RunWith;

constexpr char kSegmented[] = "stack=segmented,procs=2";

bool Works() {
  return stacks::WhyNotSplit().empty();
}

class Segmented : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!Works()) GTEST_SKIP() << stacks::WhyNotSplit();
  }
};

// Where it does not work it says why, and everything else works.
TEST(SegmentedStart, WorksOrSaysWhyNot) {
  Config config;
  config.stack = "segmented";
  const auto runtime = Runtime::Create(config);
  EXPECT_EQ(runtime.ok(), Works()) << runtime.status();
  if (!Works()) {
    EXPECT_EQ(runtime.status().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_NE(runtime.status().message().find("contiguous and fixed"), absl::string_view::npos) << runtime.status();
  }
}

uint64_t LimitWord() {
  uint64_t limit = 0;
#if defined(__x86_64__)
  asm volatile("movq %%fs:0x70, %0" : "=r"(limit));
#endif
  return limit;
}

// Functions that call nothing which was not compiled as this file is: they ask for their own frames only.
[[gnu::noinline]] uint64_t Descend(uint64_t depth) {
  [[maybe_unused]] volatile uint64_t frame[16];
  for (uint64_t i = 0; i < 16; ++i) frame[i] = depth * i;
  uint64_t sum = depth == 0 ? 0 : Descend(depth - 1);
  for (uint64_t i = 0; i < 16; ++i) sum += frame[i];
  return sum;
}
constexpr uint64_t SumOf(uint64_t depth) {
  return depth * (depth + 1) / 2 * 120;
}

[[gnu::noinline]] void BigFrame() {
  [[maybe_unused]] volatile char frame[700'000];
  for (size_t i = 0; i < sizeof frame; i += 1000) frame[i] = 1;
}

struct Five {
  uint64_t values[5];
};
[[gnu::noinline]] Five Arguments(int a, double b, uint64_t c, float d, uint64_t e, uint64_t f, uint64_t g, uint64_t h,
                                 double i, Five j, uint64_t k) {
  [[maybe_unused]] volatile char frame[400];
  frame[0] = 1;
  return {{static_cast<uint64_t>(a) + c + e + frame[0], static_cast<uint64_t>(b + d + i), f + g, h, j.values[4] + k}};
}

[[gnu::noinline]] int Variadic(int count, ...) {
  [[maybe_unused]] volatile char frame[500];
  frame[0] = 0;
  va_list arguments;
  va_start(arguments, count);
  int sum = frame[0];
  for (int i = 0; i < count; ++i)
    sum += i % 2 == 0 ? va_arg(arguments, int) : static_cast<int>(va_arg(arguments, double));
  va_end(arguments);
  return sum;
}

[[gnu::noinline]] int VariadicThatPrints(char* to, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  const int length = std::vsnprintf(to, 200, format, arguments);
  va_end(arguments);
  return length;
}

// Calls f at each of many depths, so that it begins at every distance from the first segment's edge.
template <typename F>
[[gnu::noinline]] void AtDepth(int depth, const F& f) {
  [[maybe_unused]] volatile char frame[24];
  frame[0] = 1;
  if (depth > 0) {
    AtDepth(depth - 1, f);
  } else {
    f();
  }
  frame[1] = 1;
}

TEST_F(Segmented, RecursesThroughManySegments) {
  RunWith(kSegmented, [] {
    const uint64_t before = CurrentStats().stacks.grown;
    std::vector<uint64_t> sums(50);
    WaitGroup all;
    for (uint64_t i = 0; i < 50; ++i) all.Go([i, &sums] { sums[i] = Descend(i * 1000); });
    all.Wait();
    for (uint64_t i = 0; i < 50; ++i) EXPECT_EQ(sums[i], SumOf(i * 1000));
    EXPECT_GT(CurrentStats().stacks.grown, before + 100);
  });
}

TEST_F(Segmented, AFrameGetsTheSegmentThatItNeeds) {
  RunWith(kSegmented, [] {
    for (int i = 0; i < 10; ++i) BigFrame();
    BigFrame();
    Descend(100);
  });
}

TEST_F(Segmented, ArgumentsAndResultsCrossEdges) {
  RunWith(kSegmented, [] {
    WaitGroup all;
    std::atomic<int> wrong{0};
    for (int depth = 0; depth < 60; ++depth) {
      all.Go([depth, &wrong] {
        AtDepth(depth, [&] {
          const Five five = Arguments(1, 2.5, 3, 4.5f, 5, 6, 7, 8, 9.0, Five{{1, 2, 3, 4, 5}}, 11);
          if (five.values[0] != 10 || five.values[1] != 16 || five.values[2] != 13 || five.values[3] != 8 ||
              five.values[4] != 16) {
            wrong.fetch_add(1);
          }
          if (Variadic(9, 1, 2.0, 3, 4.0, 5, 6.0, 7, 8.0, 9) != 45) wrong.fetch_add(1);
          char text[200];
          VariadicThatPrints(text, "%d %.1f %s %d %d %d %d %d", 1, 2.5, "three", 4, 5, 6, 7, 8);
          if (std::string(text) != "1 2.5 three 4 5 6 7 8") wrong.fetch_add(1);
        });
      });
    }
    all.Wait();
    EXPECT_EQ(wrong.load(), 0);
  });
}

struct CountsDestruction {
  int* count;
  ~CountsDestruction() { ++*count; }
};

[[gnu::noinline]] void ThrowAt(int depth, int* destroyed) {
  CountsDestruction counts{destroyed};
  if (depth < 0) return;
  Descend(20);
  if (depth == 0) throw std::runtime_error("deep");
  ThrowAt(depth - 1, destroyed);
}

// Catches and rethrows at every tenth level, and parks while it has the exception in hand.
[[gnu::noinline]] int RethrowThrough(int depth, int* destroyed) {
  if (depth == 0) {
    ThrowAt(300, destroyed);
    return 0;
  }
  [[maybe_unused]] volatile uint64_t frame[100];
  frame[0] = 1;
  try {
    return RethrowThrough(depth - 1, destroyed) + static_cast<int>(frame[0]);
  } catch (const std::runtime_error& error) {
    if (depth % 10 == 0) Sleep(absl::Microseconds(10));
    if (std::string(error.what()) != "deep") return -1000;
    if (depth == 200) return 1;
    throw;
  }
}

TEST_F(Segmented, ExceptionsCrossSegmentsAndParks) {
  RunWith("stack=segmented,procs=2", [] {
    std::atomic<int> right{0};
    WaitGroup all;
    for (int i = 0; i < 50; ++i) {
      all.Go([&right] {
        int destroyed = 0;
        if (RethrowThrough(200, &destroyed) == 1 && destroyed == 301) right.fetch_add(1);
        // The limit is what it was: this goes on in the first segment, and to the next when that is full.
        if (Descend(3000) == SumOf(3000)) right.fetch_add(1);
      });
    }
    all.Wait();
    EXPECT_EQ(right.load(), 100);
  });
}

[[gnu::noinline]] void GoexitAt(int depth, int* destroyed) {
  CountsDestruction counts{destroyed};
  [[maybe_unused]] volatile uint64_t frame[100];
  frame[0] = 1;
  if (depth < 0) return;
  if (depth == 0) Goexit();
  GoexitAt(depth - 1, destroyed);
  frame[1] = 1;
}

TEST_F(Segmented, GoexitUnwindsAllSegments) {
  RunWith(kSegmented, [] {
    int destroyed = 0;
    Chan<bool> done = MakeChan<bool>();
    Go([&destroyed, done] {
      struct Closes {
        Chan<bool> done;
        ~Closes() { done.Close(); }
      } closes{done};
      GoexitAt(500, &destroyed);
    });
    done.Recv();
    EXPECT_EQ(destroyed, 501);
  });
}

TEST_F(Segmented, AnUnwinderSeesTheWholeStack) {
  RunWith(kSegmented, [] {
    int frames = 0;
    WaitGroup all;
    all.Go([&frames] {
      AtDepth(500, [&] {
        void* addresses[1000];
        frames = internal::CaptureFrames(addresses, 1000, 0);
      });
    });
    all.Wait();
    EXPECT_GE(frames, 500);
  });
}

[[gnu::noinline]] uint64_t Leaf(uint64_t n) {
  [[maybe_unused]] volatile char frame[200];
  frame[0] = static_cast<char>(n);
  return static_cast<uint64_t>(frame[0]);
}
[[gnu::noinline]] uint64_t LoopAt(int depth, int rounds) {
  [[maybe_unused]] volatile char frame[16];
  frame[0] = 1;
  if (depth > 0) return LoopAt(depth - 1, rounds) + static_cast<uint64_t>(frame[0]);
  uint64_t sum = 0;
  for (int i = 0; i < rounds; ++i) sum += Leaf(1);
  return sum;
}

// It runs where there is room for it, so that who calls it need not.
[[gnu::noinline]] void Finish(WaitGroup* done) {
  done->Done();
  asm volatile("");
}

TEST_F(Segmented, CountsHotSplits) {
  RunWith("stack=segmented,procs=1", [] {
    constexpr int kRounds = 10'000, kDepths = 60;
    int hot = 0, cold = 0;
    for (int depth = 0; depth < kDepths; ++depth) {
      const uint64_t before = CurrentStats().stacks.hot_splits;
      WaitGroup done;
      done.Add(1);
      Go([depth, &done] {
        LoopAt(depth, kRounds);
        Finish(&done);
      });
      done.Wait();
      // It is counted when the goroutine has ended.
      testing::Eventually([] { return NumGoroutine() == 1; });
      for (int i = 0; i < 3; ++i) Yield();
      const uint64_t splits = CurrentStats().stacks.hot_splits - before;
      ++(splits >= kRounds - 1 ? hot : cold);
    }
    // A loop at the edge pays in each round; most are not at the edge.
    EXPECT_GE(hot, 1);
    EXPECT_GE(cold, kDepths / 2);
  });
}

TEST(SplitCode, RunsOnOtherStacksWithoutALimit) {
  for (const char* stack :
       {"stack=contiguous,procs=2", "stack=fixed,procs=2", "stack=contiguous:grow=double,procs=2"}) {
    RunWith(stack, [] {
      EXPECT_EQ(LimitWord(), 0u);
      WaitGroup all;
      for (int i = 0; i < 20; ++i) {
        all.Go([] {
          EXPECT_EQ(LimitWord(), 0u);
          EXPECT_EQ(Descend(100), SumOf(100));
          char text[200];
          VariadicThatPrints(text, "%d %.1f %s", 1, 2.5, "three");
          EXPECT_EQ(std::string(text), "1 2.5 three");
          EXPECT_EQ(Variadic(3, 1, 2.0, 3), 6);
          int destroyed = 0;
          try {
            ThrowAt(20, &destroyed);
          } catch (const std::runtime_error&) {
            EXPECT_EQ(destroyed, 21);
          }
        });
      }
      all.Wait();
    });
  }
}

using SegmentedDeathTest = Segmented;

TEST_F(SegmentedDeathTest, OverflowNamesTheGoroutineAndTheLimit) {
  EXPECT_EXIT(RunWith("stack=segmented:limit=1M,procs=1",
                      [] {
                        Go(GoOptions{.name = "deep"}, [] { Descend(1'000'000); });
                        Sleep(absl::Seconds(60));
                      }),
              ::testing::ExitedWithCode(2),
              "goroutine [0-9]+ \\(deep\\) stack exceeds 1048576-byte limit\nfatal error: stack overflow");
}

TEST_F(SegmentedDeathTest, AnUncaughtPanicIsReported) {
  EXPECT_EXIT(RunWith(kSegmented,
                      [] {
                        Go([] {
                          int destroyed = 0;
                          ThrowAt(100, &destroyed);
                        });
                        Sleep(absl::Seconds(60));
                      }),
              ::testing::ExitedWithCode(2), "panic: deep");
}

[[gnu::noinline]] void ReceiveAt(int depth, Chan<bool>& channel) {
  if (depth > 0) {
    ReceiveAt(depth - 1, channel);
  } else {
    channel.Recv();
  }
  asm volatile("");
}

TEST_F(SegmentedDeathTest, ADeadlockShowsAllFrames) {
  EXPECT_EXIT(RunWith("stack=segmented,procs=1",
                      [] {
                        Chan<bool> never = MakeChan<bool>();
                        Go([&never] { ReceiveAt(20, never); });
                        never.Recv();
                      }),
              ::testing::ExitedWithCode(2),
              "deadlock(.|\n)*chan receive(.|\n)*ReceiveAt(.|\n)*ReceiveAt(.|\n)*created by");
}

}  // namespace
}  // namespace gyre
