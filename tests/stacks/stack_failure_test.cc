// Every system call that a stack allocator makes is made to fail in turn, the first, the second and so on. Each
// failure must come out as an error status or an empty stack, and what works must go on working.
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "plugins/registry.h"
#include "stacks/contiguous.h"
#include "stacks/fixed.h"
#include "stacks/os_memory.h"
#include "stacks/segmented.h"
#include "stacks/split_probe.h"
#include "tests/stacks/stack_fault_harness.h"

namespace gyre::stacks {
namespace {

constexpr size_t kPage = 4096;

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr int kStep = 9;  // of the calls after the first hundred; mappings are slow to come and go under a sanitizer
#else
constexpr int kStep = 1;
#endif

class FailingOs : public OsMemory {
 public:
  // The `fail_at`th call fails, counted from 1; with `for_good`, so do all that follow.
  FailingOs(int fail_at, bool for_good) : fail_at_(fail_at), for_good_(for_good) {}

  void* Map(size_t bytes) noexcept override { return Fails() ? nullptr : OsMemory::Map(bytes); }
  bool Advise(void* start, size_t bytes, int advice) noexcept override {
    return !Fails() && OsMemory::Advise(start, bytes, advice);
  }
  bool Protect(void* start, size_t bytes, int protection) noexcept override {
    return !Fails() && OsMemory::Protect(start, bytes, protection);
  }
  bool BarrierOnAllThreads() noexcept override { return !Fails() && OsMemory::BarrierOnAllThreads(); }

  bool failed() const { return calls_ >= fail_at_; }

 protected:
  bool AdviseVector(absl::Span<const iovec> ranges, int advice) noexcept override {
    return !Fails() && OsMemory::AdviseVector(ranges, advice);
  }

 private:
  bool Fails() {
    ++calls_;
    const bool fails = for_good_ ? calls_ >= fail_at_ : calls_ == fail_at_;
    if (fails) errno = ENOMEM;
    return fails;
  }
  int calls_ = 0;
  const int fail_at_;
  const bool for_good_;
};

struct Variant {
  std::string plugin;
  std::vector<std::pair<std::string, std::string>> options;
};

PluginOptions OptionsOf(const Variant& variant) {
  for (const PluginInfo& info : ListPlugins(PluginKind::kStack)) {
    if (info.name == variant.plugin) return *PluginOptions::Parse(info.name, info.options, variant.options);
  }
  ADD_FAILURE() << variant.plugin << " is not registered";
  return PluginOptions();
}

class StackFailureTest : public testing::TestWithParam<Variant> {};

// What __morestack does at the first segment's edge.
void ExtendOnce(StackAllocator& allocator, const Stack& stack, int* failures) {
  auto& segmented = static_cast<SegmentedStacks&>(allocator);
  errno = 0;
  Segment* next = segmented.Extend(reinterpret_cast<Segment*>(stack.top), 1000);
  if (next == nullptr) {
    EXPECT_EQ(errno, ENOMEM);
    ++*failures;
    return;
  }
  std::memset(next->top() - next->room, 1, next->room);
  EXPECT_TRUE(segmented.Holds(stack, reinterpret_cast<uintptr_t>(next->top() - 1)));
}

// What a program does with stacks, in short. Returns how many allocations failed.
int Use(StackAllocator& allocator, FaultHarness& harness) {
  int failures = 0;
  ProcContext p, foreign;
  p.id = 0;
  for (int round = 0; round < 2; ++round) {
    std::vector<Stack> stacks;
    for (int i = 0; i < 150; ++i) {
      errno = 0;
      Stack stack = allocator.Allocate(i % 10 == 0 ? foreign : p, i % 20 == 0 ? 100000 : 0);
      if (!stack) {
        EXPECT_NE(errno, 0);
        ++failures;
        continue;
      }
      std::memset(stack.top - std::min(kPage, stack.size()), 1, std::min(kPage, stack.size()));
      stacks.push_back(stack);
    }
    for (size_t i = 0; i < stacks.size(); i += 33) {
      Stack& stack = stacks[i];
      const FaultHarness::Result grown = harness.Write(allocator, stack, stack.low);
      EXPECT_TRUE(grown.finished || grown.last == FaultAction::kNoMemory);
      if (grown.finished) std::memset(stack.low, 1, stack.size());
      if (allocator.traits().needs_switch_hooks) {
        ExtendOnce(allocator, stack, &failures);
      } else {
        const FaultHarness::Result over = harness.Write(allocator, stack, stack.low - 1);
        EXPECT_TRUE(over.finished || over.last == FaultAction::kOverflow);
      }
      allocator.Shrink(stack, reinterpret_cast<uintptr_t>(stack.top - 1000));
      EXPECT_EQ(stack.top[-1], 1);
    }
    for (const Stack& stack : stacks) allocator.Free(p, stack);
    allocator.Trim(0, SIZE_MAX);
    EXPECT_EQ(allocator.Stats().live, 0u);
  }
  return failures;
}

TEST_P(StackFailureTest, EachCallInTurn) {
  if (GetParam().plugin == "segmented" && !WhyNotSplit().empty()) GTEST_SKIP() << WhyNotSplit();
  const PluginOptions options = OptionsOf(GetParam());
  FaultHarness harness;
  int refused_starts = 0, runs_with_failures = 0, at = 1;
  for (bool reached = true; reached; at += at < 100 ? 1 : kStep) {
    for (bool for_good : {false, true}) {
      FailingOs os(at, for_good);
      std::unique_ptr<StackAllocator> allocator;
      if (GetParam().plugin == "fixed") {
        allocator = std::make_unique<FixedStacks>(&os);
      } else if (GetParam().plugin == "segmented") {
        allocator = std::make_unique<SegmentedStacks>(&os);
      } else {
        allocator = std::make_unique<ContiguousStacks>(&os);
      }
      const absl::Status started = allocator->Start(1, options);
      if (!started.ok()) {
        EXPECT_FALSE(started.message().empty());
        ++refused_starts;
      } else if (Use(*allocator, harness) > 0) {
        ++runs_with_failures;
      }
      reached = os.failed();
    }
    ASSERT_LT(at, 10000) << "it never runs without a failure";
  }
  EXPECT_GT(at, 10);
  EXPECT_GT(refused_starts, 0);
  EXPECT_GT(runs_with_failures, 0);
}

INSTANTIATE_TEST_SUITE_P(
    All, StackFailureTest,
    testing::Values(Variant{"fixed", {}}, Variant{"fixed", {{"guard", "off"}}}, Variant{"contiguous", {}},
                    Variant{"segmented", {}}, Variant{"segmented", {{"guard", "mprotect"}}},
                    Variant{"contiguous", {{"guard", "madvise"}}}, Variant{"contiguous", {{"guard", "mprotect"}}},
                    Variant{"contiguous", {{"grow", "double"}}},
                    Variant{"contiguous", {{"grow", "double"}, {"guard", "mprotect"}}}),
    [](const testing::TestParamInfo<Variant>& info) {
      std::string name = info.param.plugin;
      for (const auto& [option, value] : info.param.options) name += "_" + option + "_" + value;
      return name;
    });

TEST(ContiguousStart, DoublingWithoutGuardsIsRefused) {
  ContiguousStacks stacks;
  const absl::Status status = stacks.Start(1, OptionsOf({"contiguous", {{"grow", "double"}, {"guard", "off"}}}));
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find("grow=lazy"), absl::string_view::npos) << status;
}

TEST(ContiguousStart, SaysWhatGuardsIt) {
  for (const auto& [guard, words] : {std::pair<const char*, const char*>{"off", "no guards"},
                                     std::pair<const char*, const char*>{"mprotect", "guards by mprotect"}}) {
    ContiguousStacks stacks;
    ASSERT_TRUE(stacks.Start(1, OptionsOf({"contiguous", {{"guard", guard}}})).ok());
    EXPECT_EQ(stacks.Describe(), words);
  }
}

// A kernel without MADV_GUARD_INSTALL and with few mappings.
class OldKernel : public OsMemory {
 public:
  bool Advise(void* start, size_t bytes, int advice) noexcept override {
    if (advice == kGuardInstall || advice == kGuardRemove) {
      errno = EINVAL;
      return false;
    }
    return OsMemory::Advise(start, bytes, advice);
  }
  size_t MappingLimit() noexcept override { return 800; }

 protected:
  bool AdviseVector(absl::Span<const iovec>, int) noexcept override {
    errno = ENOSYS;
    return false;
  }
};

TEST(ContiguousStart, OnAnOldKernelGuardsLastAsLongAsTheMappings) {
  OldKernel os;
  for (const char* grow : {"lazy", "double"}) {
    ContiguousStacks stacks(&os);
    ASSERT_TRUE(stacks.Start(1, OptionsOf({"contiguous", {{"grow", grow}}})).ok());
    EXPECT_EQ(stacks.Describe(), "guards by mprotect");
    ProcContext p;
    p.id = 0;
    FaultHarness harness;
    int guarded = 0;
    for (int i = 0; i < 620; ++i) {
      Stack stack = stacks.Allocate(p, 0);
      ASSERT_TRUE(stack);
      if (!harness.Write(stacks, stack, stack.low - 1).finished) ++guarded;
      ASSERT_TRUE(harness.Write(stacks, stack, stack.low).finished);
    }
    EXPECT_EQ(guarded, 300);
    EXPECT_EQ(stacks.Describe(), "guards by mprotect, 320 stacks without");
  }
  ContiguousStacks stacks(&os);
  EXPECT_EQ(stacks.Start(1, OptionsOf({"contiguous", {{"guard", "madvise"}}})).code(),
            absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace gyre::stacks
