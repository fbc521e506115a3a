// What every stack allocator owes the runtime, for each that is registered and for the variants below.
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "plugins/registry.h"
#include "plugins/stack.h"
#include "stacks/split_probe.h"
#include "tests/stacks/stack_fault_harness.h"

namespace gyre::stacks {
namespace {

constexpr size_t kPage = 4096;

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr int kScale = 20;  // shadow memory and shadow bookkeeping make the large numbers too large
#else
constexpr int kScale = 1;
#endif

size_t ResidentBytes() {
  size_t all = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> all >> resident;
  return resident * kPage;
}

size_t Mappings() {
  std::ifstream maps("/proc/self/maps");
  size_t lines = 0;
  for (std::string line; std::getline(maps, line);) ++lines;
  return lines;
}

ProcContext Proc(ProcId id) {
  ProcContext context;
  context.id = id;
  context.state += static_cast<uint64_t>(id + 2);
  return context;
}

std::vector<std::string> AllSpecs() {
  std::vector<std::string> specs;
  for (const PluginInfo& plugin : ListPlugins(PluginKind::kStack)) {
    if (plugin.name != "segmented" || WhyNotSplit().empty()) specs.push_back(plugin.name);
  }
  for (const char* variant :
       {"contiguous:grow=double", "contiguous:guard=mprotect", "contiguous:grow=double,guard=mprotect",
        "contiguous:guard=off", "contiguous:limit=100K,guard_size=64K", "fixed:guard=off", "fixed:size=20K"}) {
    specs.push_back(variant);
  }
  return specs;
}

std::string SpecName(const testing::TestParamInfo<std::string>& info) {
  std::string name = info.param;
  std::replace_if(name.begin(), name.end(), [](char c) { return !std::isalnum(static_cast<unsigned char>(c)); }, '_');
  return name;
}

class StackAllocatorTest : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    absl::StatusOr<Configured<StackAllocator>> made = MakeStackAllocator(GetParam());
    ASSERT_TRUE(made.ok()) << made.status();
    allocator_ = std::move(made->plugin);
    const absl::Status started = allocator_->Start(4, made->options);
    ASSERT_TRUE(started.ok()) << started;
  }
  bool Has(const char* text) const { return GetParam().find(text) != std::string::npos; }
  bool Guarded() const { return !Has("guard=off") && !Segmented(); }
  // First segments are packed, and take 2 KiB and a header.
  bool Segmented() const { return Has("segmented"); }
  size_t BytesEach() const { return Segmented() ? 2112 : kPage; }

  // Writes a byte in each page from the top down, growing the stack where it must.
  void TouchDownTo(Stack& stack, char* low) {
    for (char* at = stack.top - 1; at >= low; at -= kPage) ASSERT_TRUE(harness_.Write(*allocator_, stack, at).finished);
  }

  std::unique_ptr<StackAllocator> allocator_;
  FaultHarness harness_;
};

TEST_P(StackAllocatorTest, StacksDoNotOverlapAndAreAligned) {
  ProcContext p = Proc(0);
  std::vector<Stack> stacks;
  for (int i = 0; i < 2000; ++i) {
    stacks.push_back(allocator_->Allocate(p, 0));
    ASSERT_TRUE(stacks.back());
    EXPECT_EQ(reinterpret_cast<uintptr_t>(stacks.back().top) % 64, 0u);
    EXPECT_GE(stacks.back().size(), Segmented() ? 2048 : 16u << 10);
  }
  std::sort(stacks.begin(), stacks.end(), [](const Stack& a, const Stack& b) { return a.low < b.low; });
  for (size_t i = 1; i < stacks.size(); ++i) ASSERT_LE(stacks[i - 1].top, stacks[i].low);
  for (const Stack& stack : stacks) allocator_->Free(p, stack);
  EXPECT_EQ(allocator_->Stats().live, 0u);
}

TEST_P(StackAllocatorTest, AllOfAStackCanBeUsed) {
  ProcContext p = Proc(0);
  for (size_t min : {size_t{0}, size_t{1}, size_t{40000}, size_t{300000}, size_t{5} << 20}) {
    Stack stack = allocator_->Allocate(p, min);
    ASSERT_TRUE(stack);
    ASSERT_GE(stack.size(), min);
    TouchDownTo(stack, stack.low);
    std::memset(stack.low, 0x5a, stack.size());
    EXPECT_EQ(std::count(stack.low, stack.top, 0x5a), static_cast<std::ptrdiff_t>(stack.size()));
    allocator_->Free(p, stack);
  }
}

TEST_P(StackAllocatorTest, TheFirstPageNeedsNoFault) {
  ProcContext p = Proc(0);
  for (int i = 0; i < 200; ++i) {
    Stack stack = allocator_->Allocate(p, 0);
    std::memset(stack.top - std::min(kPage, stack.size()), 1, std::min(kPage, stack.size()));
    // What is asked for is there without a fault up to 64 KiB: the closure is written by whoever makes the goroutine.
    Stack large = allocator_->Allocate(p, 50000);
    std::memset(large.top - 50000, 1, 50000);
    allocator_->Free(p, large);
  }
}

TEST_P(StackAllocatorTest, BelowAStackThereIsAGuard) {
  if (!Guarded()) GTEST_SKIP() << "this variant has none";
  ProcContext p = Proc(0);
  std::vector<Stack> stacks;
  for (int i = 0; i < 100; ++i) stacks.push_back(allocator_->Allocate(p, 0));
  for (Stack& stack : stacks) {
    for (size_t below : {size_t{1}, size_t{64}, kPage}) {
      const FaultHarness::Result result = harness_.Write(*allocator_, stack, stack.low - below);
      ASSERT_FALSE(result.finished);
      ASSERT_EQ(result.last, FaultAction::kOverflow);
    }
  }
}

TEST_P(StackAllocatorTest, AJumpOverTheGuardIsAnOverflowUnlessItLandsInAStack) {
  ProcContext p = Proc(0);
  std::vector<Stack> stacks;
  for (int i = 0; i < 50; ++i) stacks.push_back(allocator_->Allocate(p, 0));
  std::sort(stacks.begin(), stacks.end(), [](const Stack& a, const Stack& b) { return a.low < b.low; });
  Stack& stack = stacks[40];
  const auto in_neighbour = reinterpret_cast<uintptr_t>(stacks[39].top - 8);
  const auto below_neighbour = reinterpret_cast<uintptr_t>(stacks[39].low - 8);
  if (Guarded()) {
    EXPECT_NE(allocator_->OnFault(stack, in_neighbour), FaultAction::kOverflow);
    EXPECT_EQ(allocator_->OnFault(stack, below_neighbour), FaultAction::kOverflow);
  }
  EXPECT_EQ(allocator_->OnFault(stack, 8), FaultAction::kNotMine);
  EXPECT_EQ(allocator_->OnFault(stack, reinterpret_cast<uintptr_t>(&stack)), FaultAction::kNotMine);
  EXPECT_EQ(allocator_->OnFault(stack, reinterpret_cast<uintptr_t>(stack.top - 8)), FaultAction::kNotMine);
}

TEST_P(StackAllocatorTest, AnImpossibleSizeIsRefused) {
  ProcContext p = Proc(0);
  errno = 0;
  EXPECT_FALSE(allocator_->Allocate(p, size_t{1} << 40));
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(allocator_->Stats().live, 0u);
}

TEST_P(StackAllocatorTest, ShrinkKeepsWhatIsInUseAndGivesBackTheRest) {
  ProcContext p = Proc(0);
  Stack stack = allocator_->Allocate(p, 2 << 20);
  ASSERT_TRUE(stack);
  TouchDownTo(stack, stack.top - (1 << 20));
  char* sp = stack.top - 5000;
  std::memset(sp, 0x77, 5000);
  const size_t given_back = allocator_->Shrink(stack, reinterpret_cast<uintptr_t>(sp));
  EXPECT_EQ(std::count(sp, stack.top, 0x77), 5000);
  if (given_back != 0) {
    EXPECT_GE(given_back, (size_t{1} << 20) - 4 * kPage);
    EXPECT_EQ(allocator_->Stats().shrunk, 1u);
    EXPECT_EQ(allocator_->Shrink(stack, reinterpret_cast<uintptr_t>(sp)), 0u);
  }
  // It grows again.
  TouchDownTo(stack, stack.low);
  EXPECT_EQ(allocator_->Shrink(stack, reinterpret_cast<uintptr_t>(stack.low + 64)), 0u);
  allocator_->Free(p, stack);
}

TEST_P(StackAllocatorTest, ProcessorsAndForeignThreadsExchangeStacks) {
  constexpr int kThreads = 6, kRounds = 200, kAtOnce = 60;
  std::vector<std::vector<Stack>> mailboxes(kThreads);
  std::vector<std::unique_ptr<std::atomic<int>>> turns;
  for (int i = 0; i < kThreads; ++i) turns.push_back(std::make_unique<std::atomic<int>>(0));
  std::vector<std::thread> threads;
  for (int id = 0; id < kThreads; ++id) {
    threads.emplace_back([&, id] {
      ProcContext p = Proc(id < 4 ? id : kNoProc);
      for (int round = 0; round < kRounds; ++round) {
        std::vector<Stack> mine;
        for (int i = 0; i < kAtOnce; ++i) {
          mine.push_back(allocator_->Allocate(p, i % 7 == 0 ? 20000 : 0));
          ASSERT_TRUE(mine.back());
          *reinterpret_cast<int*>(mine.back().top - 64) = id;
        }
        for (const Stack& stack : mine) ASSERT_EQ(*reinterpret_cast<int*>(stack.top - 64), id);
        // To the next thread's mailbox, which it has emptied when its turn is even.
        std::atomic<int>& turn = *turns[static_cast<size_t>((id + 1) % kThreads)];
        if (turn.load(std::memory_order_acquire) % 2 == 0) {
          mailboxes[static_cast<size_t>((id + 1) % kThreads)].swap(mine);
          turn.fetch_add(1, std::memory_order_release);
        }
        for (const Stack& stack : mine) allocator_->Free(p, stack);
        std::atomic<int>& own = *turns[static_cast<size_t>(id)];
        if (own.load(std::memory_order_acquire) % 2 == 1) {
          for (const Stack& stack : mailboxes[static_cast<size_t>(id)]) allocator_->Free(p, stack);
          mailboxes[static_cast<size_t>(id)].clear();
          own.fetch_add(1, std::memory_order_release);
        }
      }
    });
  }
  for (int i = 0; i < 50; ++i) allocator_->Trim(0, SIZE_MAX);
  for (std::thread& thread : threads) thread.join();
  ProcContext p = Proc(0);
  for (const std::vector<Stack>& mailbox : mailboxes) {
    for (const Stack& stack : mailbox) allocator_->Free(p, stack);
  }
  EXPECT_EQ(allocator_->Stats().live, 0u);
}

TEST_P(StackAllocatorTest, TenMillionOneAfterAnotherTakeNoMoreMemory) {
  ProcContext p = Proc(0);
  const auto run = [&](int count) {
    for (int i = 0; i < count; ++i) {
      const Stack stack = allocator_->Allocate(p, 0);
      stack.top[-1] = 1;
      allocator_->Free(p, stack);
    }
  };
  run(1000);
  const size_t before = ResidentBytes();
  run(10'000'000 / kScale);
  EXPECT_LE(ResidentBytes(), before + (1 << 20));
  EXPECT_LE(allocator_->Stats().cached, 200u);
}

TEST_P(StackAllocatorTest, TrimGivesTheMemoryOfABurstBack) {
  ProcContext p = Proc(0);
  const size_t kStacks = 20000;
  std::vector<Stack> stacks(kStacks);
  const size_t before = ResidentBytes();
  for (Stack& stack : stacks) {
    stack = allocator_->Allocate(p, 0);
    ASSERT_TRUE(stack);
    stack.top[-1] = 1;
  }
  for (const Stack& stack : stacks) allocator_->Free(p, stack);
  const size_t burst = ResidentBytes();
  EXPECT_GE(burst, before + kStacks * BytesEach());
  const size_t given_back = allocator_->Trim(100 * kPage, SIZE_MAX);
  // One that a processor keeps holds on to its neighbours under `segmented`: 61 of them.
  const size_t kept = Segmented() ? 70 * 62 : 200;
  EXPECT_GE(given_back, (kStacks - kept) * BytesEach());
  EXPECT_LE(ResidentBytes(), burst - (kStacks - kept) * BytesEach() + (4 << 20));
  EXPECT_GE(allocator_->Stats().trimmed, kStacks - kept);
  for (Stack& stack : stacks) {
    stack = allocator_->Allocate(p, 0);
    ASSERT_TRUE(stack);
    ASSERT_TRUE(harness_.Write(*allocator_, stack, stack.low).finished);
    if (&stack - stacks.data() > 1000) break;
  }
}

TEST_P(StackAllocatorTest, AMillionStacksAtOnceNeedFewMappings) {
  const size_t kStacks = 1'000'000 / kScale;
  // With mprotect, guards cost mappings, as many as the allocator allows itself; that variant is checked for going on.
  const size_t most = Has("mprotect") ? 60000 : 3000;
  ProcContext p = Proc(0);
  std::vector<Stack> stacks(kStacks);
  for (Stack& stack : stacks) {
    stack = allocator_->Allocate(p, 0);
    ASSERT_TRUE(stack) << std::strerror(errno);
  }
  EXPECT_LE(Mappings(), most);
  EXPECT_EQ(allocator_->Stats().live, kStacks);
  // A sample of them is usable from end to end.
  for (size_t i = 0; i < kStacks; i += kStacks / 50) {
    ASSERT_TRUE(harness_.Write(*allocator_, stacks[i], stacks[i].low).finished);
    ASSERT_TRUE(harness_.Write(*allocator_, stacks[i], stacks[i].top - 1).finished);
  }
  size_t seen = 0;
  allocator_->ForEach([&](const Stack&) { ++seen; });
  EXPECT_GE(seen, kStacks);
}

INSTANTIATE_TEST_SUITE_P(All, StackAllocatorTest, testing::ValuesIn(AllSpecs()), SpecName);

}  // namespace
}  // namespace gyre::stacks
