// What is special to `contiguous`: the counting of growth, and what shrinking does with a guard that moves.
#include "stacks/contiguous.h"

#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "plugins/registry.h"
#include "tests/stacks/stack_fault_harness.h"

namespace gyre::stacks {
namespace {

constexpr size_t kPage = 4096;

class ContiguousTest : public testing::TestWithParam<const char*> {  // the guard
 protected:
  void Start(std::vector<std::pair<std::string, std::string>> options) {
    options.emplace_back("guard", GetParam());
    for (const PluginInfo& info : ListPlugins(PluginKind::kStack)) {
      if (info.name != "contiguous") continue;
      ASSERT_TRUE(stacks_.Start(1, *PluginOptions::Parse(info.name, info.options, options)).ok());
    }
    p_.id = 0;
  }
  int Touch(Stack& stack, size_t below_top) {
    const FaultHarness::Result result = harness_.Write(stacks_, stack, stack.top - below_top);
    EXPECT_TRUE(result.finished);
    return result.faults;
  }
  size_t Shrink(Stack& stack, size_t used) {
    return stacks_.Shrink(stack, reinterpret_cast<uintptr_t>(stack.top - used));
  }

  ContiguousStacks stacks_;
  ProcContext p_;
  FaultHarness harness_;
};

TEST_P(ContiguousTest, DoublesAtItsGuard) {
  Start({{"grow", "double"}});
  Stack stack = stacks_.Allocate(p_, 0);
  for (size_t page = 1; page <= 64; ++page) {
    // The second, third, fifth, ninth page and so on.
    const bool at_the_guard = page > 1 && ((page - 1) & (page - 2)) == 0;
    EXPECT_EQ(Touch(stack, page * kPage - 8), at_the_guard ? 1 : 0) << page;
  }
  EXPECT_EQ(stacks_.Stats().grown, 6u);
}

TEST_P(ContiguousTest, AFrameLargerThanTheStackGrowsItOnce) {
  Start({{"grow", "double"}});
  Stack stack = stacks_.Allocate(p_, 0);
  EXPECT_EQ(Touch(stack, 100 * 1024), 1);
  EXPECT_EQ(stacks_.Stats().grown, 1u);
  EXPECT_EQ(Touch(stack, 120 * 1024), 0);
}

TEST_P(ContiguousTest, ShrinksToWhatIsUsedAndCountsAgain) {
  Start({{"grow", "double"}});
  Stack stack = stacks_.Allocate(p_, 0);
  for (size_t page = 1; page <= 64; ++page) Touch(stack, page * kPage - 8);
  EXPECT_EQ(Shrink(stack, 17 * kPage), 0u) << "more than a quarter is in use";
  EXPECT_EQ(Shrink(stack, 3 * kPage - 1000), 61 * kPage);
  EXPECT_EQ(stacks_.Stats().shrunk, 1u);
  EXPECT_EQ(Touch(stack, 4 * kPage - 8), 0);
  EXPECT_EQ(stack.top[-static_cast<std::ptrdiff_t>(3 * kPage - 8)], 1) << "what was in use is gone";
  EXPECT_EQ(Touch(stack, 4 * kPage + 8), 1);
  EXPECT_EQ(stacks_.Stats().grown, 7u);
}

TEST_P(ContiguousTest, ALimitOfAGibibyteIsGrownIntoAndGivenBack) {
  Start({{"grow", "double"}, {"limit", "1G"}});
  Stack stack = stacks_.Allocate(p_, 0);
  ASSERT_EQ(stack.size(), size_t{1} << 30);
  for (size_t page = 1; page <= 4096; ++page) Touch(stack, page * kPage - 8);
  Touch(stack, (size_t{1} << 30) - 8);
  EXPECT_GE(stacks_.Stats().grown, 8u);
  EXPECT_EQ(Shrink(stack, 500), 4096 * kPage);
  EXPECT_EQ(Touch(stack, kPage + 8), 1) << "the guard is back";
  EXPECT_EQ(harness_.Write(stacks_, stack, stack.low - 1).last, FaultAction::kOverflow);
}

TEST_P(ContiguousTest, ARecycledStackHasTheSizeItGrewTo) {
  Start({{"grow", "double"}});
  Stack stack = stacks_.Allocate(p_, 0);
  Touch(stack, 30000);
  stacks_.Free(p_, stack);
  stack = stacks_.Allocate(p_, 0);
  EXPECT_EQ(Touch(stack, 30000), 0);
  stacks_.Free(p_, stack);
  stacks_.Trim(0, SIZE_MAX);
  // Trimmed, it begins with a page again.
  stack = stacks_.Allocate(p_, 0);
  EXPECT_EQ(Touch(stack, 30000), 1);
}

TEST_P(ContiguousTest, ALargeClosureMayBeWrittenFromAnotherStack) {
  Start({{"grow", "double"}});
  Stack creator = stacks_.Allocate(p_, 0);
  Stack created = stacks_.Allocate(p_, 200000);
  const FaultHarness::Result result = harness_.Write(stacks_, creator, created.top - 190000);
  EXPECT_TRUE(result.finished);
  EXPECT_EQ(stacks_.Stats().grown, 0u);
}

TEST_P(ContiguousTest, LazyStacksShrinkWithoutCountingGrowth) {
  Start({{"grow", "lazy"}});
  Stack stack = stacks_.Allocate(p_, 0);
  std::memset(stack.low, 1, stack.size());
  EXPECT_EQ(Shrink(stack, stack.size() / 2), 0u);
  EXPECT_EQ(Shrink(stack, 100), stack.size() - kPage);
  EXPECT_EQ(Shrink(stack, 100), 0u);
  EXPECT_EQ(stacks_.Stats().grown, 0u);
  EXPECT_EQ(stacks_.Stats().shrunk, 1u);
}

INSTANTIATE_TEST_SUITE_P(Guards, ContiguousTest, testing::Values("auto", "mprotect"),
                         [](const testing::TestParamInfo<const char*>& info) { return std::string(info.param); });

}  // namespace
}  // namespace gyre::stacks
