// Registration, making plug-ins from specs, and the sentence for each spec that cannot be made.
#include "plugins/registry.h"

#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/plugins/fake_plugins.h"
#include "tests/plugins/state_text.h"

namespace gyre {
namespace {

using ::testing::ElementsAre;
using ::testing::StartsWith;

class FakeStack final : public StackAllocator {
 public:
  absl::Status Start(int, const PluginOptions&) override { return absl::OkStatus(); }
  Stack Allocate(ProcContext&, size_t) override { return {}; }
  void Free(ProcContext&, Stack) override {}
  void ForEach(absl::FunctionRef<void(const Stack&)>) override {}
  StackStats Stats() const override { return {}; }
};

class FakePreemption final : public PreemptionStrategy {
 public:
  absl::Status Start(PreemptionHost&, const PluginOptions&) override { return absl::OkStatus(); }
  void Request(ProcId, PreemptReason) override {}
  Nanos Quantum() const override { return 1; }
  PreemptionTraits traits() const override { return {}; }
};

GYRE_REGISTER_SCHEDULER("plain", FakeScheduler, "a list", FakeScheduler::Limit());
GYRE_REGISTER_SCHEDULER("bare", FakeScheduler, "declares nothing, so that its Start fails on its own option");
GYRE_REGISTER_SCHEDULER_WRAPPER("around", FakeWrapper, "holds another", FakeWrapper::Depth());
GYRE_REGISTER_STACK("heap", FakeStack, "gives none", BytesOption("size", "64K", 4096, 1 << 20, "of each"),
                    ChoiceOption("guard", {"none", "page"}, "page", "what is below"));
GYRE_REGISTER_PREEMPTION("never", FakePreemption, "does not");

std::string Refused(const std::string& spec) {
  const auto made = MakeScheduler(spec);
  EXPECT_EQ(made.status().code(), absl::StatusCode::kInvalidArgument) << spec;
  return std::string(made.status().message());
}

TEST(RegistryTest, MakesWithDefaults) {
  EXPECT_EQ(StartedState("plain"), "limit=8 ");
}

TEST(RegistryTest, MakesWithOptions) {
  EXPECT_EQ(StartedState("plain:limit=100"), "limit=100 ");
}

TEST(RegistryTest, MakesAFreshObjectEachTime) {
  const auto first = MakeScheduler("plain");
  const auto second = MakeScheduler("plain");
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_NE(first->plugin, second->plugin);
}

TEST(RegistryTest, MakesTheOtherKinds) {
  const auto stack = MakeStackAllocator("heap:size=8K");
  ASSERT_TRUE(stack.ok()) << stack.status();
  EXPECT_NE(stack->plugin, nullptr);
  EXPECT_EQ(stack->options.Bytes("size"), 8192);
  EXPECT_EQ(stack->options.Choice("guard"), "page");
  const auto preemption = MakePreemption("never");
  ASSERT_TRUE(preemption.ok()) << preemption.status();
  EXPECT_NE(preemption->plugin, nullptr);
}

TEST(RegistryTest, WrapperGetsTheInnerOneWithItsOptions) {
  EXPECT_EQ(StartedState("around(plain)"), "depth=1 limit=8 ");
  EXPECT_EQ(StartedState("around(plain:limit=3):depth=2"), "depth=2 limit=3 ");
  EXPECT_EQ(StartedState("around(around(plain:limit=3):depth=2):depth=5"), "depth=5 depth=2 limit=3 ");
}

TEST(RegistryTest, WrappedPolicyWorks) {
  auto made = MakeScheduler("around(around(plain))");
  ASSERT_TRUE(made.ok()) << made.status();
  ASSERT_TRUE(made->plugin->Start(Topology{1}, made->options).ok());
  ProcContext p;
  p.id = 0;
  Task task;
  EXPECT_EQ(made->plugin->PickNext(p, PickMode::kExhaustive).task, nullptr);
  EXPECT_EQ(made->plugin->Enqueue(p, &task, EnqueueReason::kNew).kind, WakeHint::kAnyIdle);
  EXPECT_EQ(made->plugin->PickNext(p, PickMode::kFast).task, &task);
}

TEST(RegistryTest, UnknownNames) {
  EXPECT_EQ(Refused("quite_another"), "unknown scheduler \"quite_another\"; there are: around, bare, plain");
  EXPECT_EQ(Refused("plian"), "unknown scheduler \"plian\" (did you mean plain?); there are: around, bare, plain");
  EXPECT_EQ(Refused("around(plian)"),
            "unknown scheduler \"plian\" (did you mean plain?); there are: around, bare, plain");
  EXPECT_EQ(MakeStackAllocator("plain").status().message(), "unknown stack \"plain\"; there are: heap");
  EXPECT_EQ(MakePreemption("nver:x=1").status().message(),
            "unknown preemption \"nver\" (did you mean never?); there are: never");
}

TEST(RegistryTest, OptionErrorsSayWhose) {
  EXPECT_EQ(Refused("plain:limt=1"), "scheduler plain has no option \"limt\" (did you mean limit?); it has: limit");
  EXPECT_EQ(Refused("bare:limit=1"), "scheduler bare has no option \"limit\"; it has none");
  EXPECT_EQ(Refused("plain:limit=0"), "scheduler plain: limit=0 is out of range; it may be from 1 to 100");
  EXPECT_EQ(Refused("plain:limit=1,limit=2"), "scheduler plain: option \"limit\" is given twice");
  EXPECT_EQ(Refused("around(plain:limit=x)"), "scheduler plain: limit=x is not a whole number");
  EXPECT_EQ(Refused("around(plain):limit=1"), "scheduler around has no option \"limit\"; it has: depth");
  EXPECT_EQ(MakeStackAllocator("heap:guard=wall").status().message(),
            "stack heap: guard=wall is not one of: none, page");
}

TEST(RegistryTest, OnlyWrappersHoldAnother) {
  EXPECT_EQ(Refused("around"),
            "scheduler around wraps another scheduler: write around(name), with one of the names: around, bare, plain");
  EXPECT_EQ(Refused("around(around)"), Refused("around"));
  EXPECT_EQ(Refused("plain(bare)"), "scheduler plain does not wrap another: write it without parentheses");
  EXPECT_EQ(MakeStackAllocator("heap(heap)").status().message(),
            "stack heap does not wrap another: write it without parentheses");
}

TEST(RegistryTest, MalformedSpecsSayOfWhat) {
  EXPECT_THAT(Refused("plain:limit"), StartsWith("scheduler \"plain:limit\": \"limit\" is not option=value; the form"));
  EXPECT_THAT(std::string(MakeStackAllocator("").status().message()),
              StartsWith("stack \"\": there is no plug-in name"));
}

TEST(RegistryTest, ListsByKindSortedByName) {
  const std::vector<PluginInfo> schedulers = ListPlugins(PluginKind::kScheduler);
  ASSERT_EQ(schedulers.size(), 3u);
  EXPECT_EQ(schedulers[0].name, "around");
  EXPECT_TRUE(schedulers[0].is_wrapper);
  EXPECT_EQ(schedulers[1].name, "bare");
  EXPECT_EQ(schedulers[2].name, "plain");
  EXPECT_FALSE(schedulers[2].is_wrapper);
  EXPECT_EQ(schedulers[2].help, "a list");
  EXPECT_EQ(schedulers[2].origin, "built in");
  ASSERT_EQ(schedulers[2].options.size(), 1u);
  EXPECT_EQ(schedulers[2].options[0].name, "limit");

  const std::vector<PluginInfo> stacks = ListPlugins(PluginKind::kStack);
  ASSERT_EQ(stacks.size(), 1u);
  ASSERT_EQ(stacks[0].options.size(), 2u);
  EXPECT_EQ(stacks[0].options[0].default_value, "64K");
  EXPECT_THAT(stacks[0].options[1].choices, ElementsAre("none", "page"));
}

TEST(RegistryTest, KindNames) {
  EXPECT_EQ(PluginKindName(PluginKind::kScheduler), "scheduler");
  EXPECT_EQ(PluginKindName(PluginKind::kStack), "stack");
  EXPECT_EQ(PluginKindName(PluginKind::kPreemption), "preemption");
}

// A built-in plug-in that cannot be registered is a mistake in the program.
void Register(const std::string& name, std::vector<OptionSpec> options) {
  internal::Registration registration{};
  registration.kind = PluginKind::kScheduler;
  registration.name = name;
  registration.options = std::move(options);
  registration.scheduler = [] { return std::make_unique<FakeScheduler>(); };
  internal::GYRE_INTERNAL_REGISTER_PLUGIN(std::move(registration));
}

using RegistryDeathTest = ::testing::Test;

TEST(RegistryDeathTest, TakenName) {
  EXPECT_DEATH(Register("plain", {}), "gyre: the name of scheduler \"plain\" is taken by one that is built in");
}

TEST(RegistryDeathTest, NamesThatNoSpecCanSpell) {
  EXPECT_DEATH(Register("two words", {}), "scheduler \"two words\" cannot be called so; names are made of letters");
  EXPECT_DEATH(Register("", {}), "cannot be called so");
  EXPECT_DEATH(Register("new", {BoolOption("a=b", true, "")}), "scheduler \"new\" cannot have an option \"a=b\"");
}

TEST(RegistryDeathTest, OptionNamedLikeAKeyOfTheConfiguration) {
  for (const char* key : {"procs", "seed", "scheduler", "plugin"}) {
    EXPECT_DEATH(Register("new", {BoolOption(key, true, "")}),
                 "scheduler \"new\" names an option \"" + std::string(key) + "\", which is a key of the configuration");
  }
}

TEST(RegistryDeathTest, OptionsThatContradictThemselves) {
  EXPECT_DEATH(Register("new", {BoolOption("a", true, ""), IntOption("a", 1, 0, 9, "")}),
               "scheduler \"new\" declares the option \"a\" twice");
  EXPECT_DEATH(Register("new", {IntOption("a", 10, 0, 9, "")}),
               "a default that its own option refuses: scheduler \"new\": a=10 is out of range; it may be from 0 to 9");
  EXPECT_DEATH(Register("new", {ChoiceOption("a", {"x", "y"}, "z", "")}), "a=z is not one of: x, y");
  EXPECT_DEATH(Register("new", {DurationOption("a", "soon", 0, 9, "")}), "a=soon is not a duration");
}

TEST(RegistryDeathTest, PolicyThatAsksForWhatItDidNotDeclare) {
  EXPECT_DEATH(StartedState("bare"), "a plug-in asks for option \"limit\", which it did not declare");
}

}  // namespace
}  // namespace gyre
