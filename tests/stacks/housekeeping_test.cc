// What becomes of the memory of stacks that were once large, or many: runtime/housekeeping.cc under every allocator.
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "channels/chan.h"
#include "plugins/registry.h"
#include "runtime/go.h"
#include "runtime/runtime.h"
#include "sync/wait_group.h"
#include "tests/testing/runtime_test.h"

namespace gyre {
namespace {

using testing::Eventually;
using testing::Scaled;

constexpr size_t kMiB = 1 << 20;

size_t ResidentBytes() {
  size_t all = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> all >> resident;
  return resident * 4096;
}

// Every stack allocator, on threads.
std::vector<Config> Allocators() {
  std::vector<Config> configs;
  for (const PluginInfo& plugin : ListPlugins(PluginKind::kStack)) {
    for (int procs : {1, 4}) {
      Config config;
      config.stack = plugin.name;
      config.procs = procs;
      // A build with a sanitizer has no segments, and says so at the start.
      if (absl::IsFailedPrecondition(Runtime::Create(config).status())) continue;
      configs.push_back(config);
    }
  }
  Config doubling;
  doubling.stack = "contiguous:grow=double";
  doubling.procs = 2;
  configs.push_back(doubling);
  return configs;
}

// Writes a frame of about a KiB per level, calls `at_the_bottom`, and adds up on the way back what it wrote.
template <typename F>
[[gnu::noinline]] uint64_t Recurse(int depth, uint64_t seed, const F& at_the_bottom) {
  volatile uint64_t frame[120];
  for (uint64_t i = 0; i < 120; i += 8) frame[i] = seed * (i + 1);
  uint64_t sum = 0;
  if (depth > 0) {
    sum = Recurse(depth - 1, seed + 1, at_the_bottom);
  } else {
    at_the_bottom();
  }
  for (uint64_t i = 0; i < 120; i += 8) sum += frame[i];
  return sum;
}

uint64_t Checksum(int depth, uint64_t seed) {
  uint64_t sum = 0;
  for (int level = 0; level <= depth; ++level) {
    for (uint64_t i = 0; i < 120; i += 8) sum += (seed + static_cast<uint64_t>(level)) * (i + 1);
  }
  return sum;
}

void RecurseToSixtyFourMiBThenPark() {
  // A frame has 960 bytes of its own and some more.
  const int depth = 64 * 1024;
  const size_t before = ResidentBytes();
  Chan<bool> deep = MakeChan<bool>(), go_on = MakeChan<bool>();
  Chan<uint64_t> result = MakeChan<uint64_t>();
  Go(GoOptions{.stack_size = 1 << 30}, [=] {
    const uint64_t sum = Recurse(depth, 7, [] {});
    deep.Send(true);
    go_on.Recv();
    result.Send(sum);
  });
  deep.Recv();
  EXPECT_TRUE(Eventually([&] { return ResidentBytes() < before + 8 * kMiB; }))
      << ResidentBytes() / kMiB << " MiB, " << before / kMiB << " before";
  // Counted after the memory is gone.
  EXPECT_TRUE(Eventually([] { return CurrentStats().stacks.shrunk_bytes >= 60 * kMiB; }));
  go_on.Send(true);
  EXPECT_EQ(result.Recv(), Checksum(depth, 7));
}

#if !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__)  // whose frames are larger, and shadow is resident too
TEST(Housekeeping, ADeepStackThatParksGivesItsMemoryBack) {
  for (const char* stack : {"contiguous:limit=1G", "contiguous:limit=1G,grow=double", "contiguous"}) {
    testing::RunWith(absl::StrCat("procs=2,stack=", stack), RecurseToSixtyFourMiBThenPark);
  }
}

GYRE_TEST_OVER(Housekeeping, TheMemoryOfABurstComesBack, Allocators()) {
  const int kGoroutines = 100'000;
  const size_t before = ResidentBytes();
  {
    Chan<bool> gate = MakeChan<bool>();
    WaitGroup all;
    for (int i = 0; i < kGoroutines; ++i) all.Go([gate] { gate.Recv(); });
    EXPECT_TRUE(Eventually([&] { return CurrentStats().parks >= kGoroutines; }));
    EXPECT_GE(ResidentBytes(), before + kGoroutines * size_t{2048});
    gate.Close();
    all.Wait();
  }
  // Of a processor's caches, and of 1024 stacks, it keeps what there is.
  EXPECT_TRUE(Eventually([&] { return ResidentBytes() < before + 40 * kMiB; }))
      << ResidentBytes() / kMiB << " MiB, " << before / kMiB << " before; trimmed "
      << CurrentStats().stacks.trimmed_bytes / kMiB;
}
#endif

// Shrinking and waking meet: the sleeps are about as long as a goroutine must be parked before it is looked at.
GYRE_TEST_OVER(Housekeeping, GoroutinesMayBeReadiedWhileTheyShrink, Allocators()) {
  constexpr int kGoroutines = 1000;
  std::atomic<int> wrong{0};
  WaitGroup all;
  for (int i = 0; i < kGoroutines; ++i) {
    all.Go([i, &wrong] {
      for (int round = 0; round < 3; ++round) {
        const int depth = (i * 31 + round * 17) % 10;
        const uint64_t sum = Recurse(depth, static_cast<uint64_t>(i), [&] {
          // Deep again, and back, so that there is something to be given back.
          if (Recurse(25, 1, [] {}) != Checksum(25, 1)) wrong.fetch_add(1);
          Sleep(absl::Microseconds(500'000 + (i * 7919 + round * 104729) % 600'000));
        });
        if (sum != Checksum(depth, static_cast<uint64_t>(i))) wrong.fetch_add(1);
      }
    });
  }
  all.Wait();
  EXPECT_EQ(wrong.load(), 0);
}

GYRE_TEST_OVER(Housekeeping, AHundredThousandRecurseParkAndComeBack, Allocators()) {
  const int kGoroutines = Scaled(100'000);
  Chan<bool> gate = MakeChan<bool>();
  Chan<uint64_t> sums = MakeChan<uint64_t>(64);
  const auto depth_of = [](int i) { return static_cast<int>((static_cast<uint64_t>(i) * 2654435761u >> 7) % 16); };
  for (int i = 0; i < kGoroutines; ++i) {
    Go([=] { sums.Send(Recurse(depth_of(i), static_cast<uint64_t>(i), [&] { gate.Recv(); })); });
  }
  uint64_t expected = 0, sum = 0;
  for (int i = 0; i < kGoroutines; ++i) expected += Checksum(depth_of(i), static_cast<uint64_t>(i));
  gate.Close();
  for (int i = 0; i < kGoroutines; ++i) sum += sums.Recv();
  EXPECT_EQ(sum, expected);
}

GYRE_TEST_OVER(Housekeeping, MillionsOneAfterAnotherTakeNoMoreMemory, Allocators()) {
  const auto run = [](int count) {
    std::atomic<int> ran{0};
    for (int i = 0; i < count; ++i) {
      Go([&ran] { ran.fetch_add(1, std::memory_order_relaxed); });
      if (i % 16 == 0) Yield();
    }
    while (ran.load(std::memory_order_relaxed) != count) Yield();
  };
  run(Scaled(100'000));
  const size_t before = ResidentBytes();
  run(Scaled(1'000'000));
  EXPECT_LE(ResidentBytes(), before + 16 * kMiB);
}

}  // namespace
}  // namespace gyre
