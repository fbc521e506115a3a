// The preemption strategies by themselves: what they ask of the runtime, and their options.
#include "plugins/preemption.h"

#include <csignal>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "plugins/registry.h"

namespace gyre {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

// Writes down what it is asked for.
class Host final : public PreemptionHost {
 public:
  void RaiseFlag(ProcId proc) override { flags.push_back(proc); }
  void SignalMachine(ProcId proc, int signal) override { signals.emplace_back(proc, signal); }
  bool PreemptInPlace() override {
    ++preempted_in_place;
    return true;
  }
  bool PreemptByCall() override {
    ++preempted_by_call;
    return true;
  }
  Nanos CostOf(PreemptionMeans means) override { return means == PreemptionMeans::kCall ? 2'000 : cost; }
  absl::Status InstallHandler(int signal, void (*handler)(PreemptionHost&)) override {
    handlers.emplace_back(signal, handler);
    return refusal;
  }

  std::vector<ProcId> flags;
  std::vector<std::pair<ProcId, int>> signals;
  std::vector<std::pair<int, void (*)(PreemptionHost&)>> handlers;
  int preempted_in_place = 0;
  int preempted_by_call = 0;
  Nanos cost = 5'000;
  absl::Status refusal;
};

std::unique_ptr<PreemptionStrategy> Started(const std::string& spec, Host& host) {
  auto made = MakePreemption(spec);
  if (!made.ok()) {
    ADD_FAILURE() << made.status();
    return nullptr;
  }
  EXPECT_EQ(made->plugin->Start(host, made->options), absl::OkStatus());
  return std::move(made->plugin);
}

TEST(NoPreemptionTest, AsksForNothing) {
  Host host;
  const auto none = Started("none", host);
  ASSERT_NE(none, nullptr);
  EXPECT_FALSE(none->traits().preempts);
  EXPECT_FALSE(none->traits().asynchronous);
  EXPECT_EQ(none->Quantum(), kNever);
  none->Request(0, PreemptReason::kSliceOver);
  none->Request(3, PreemptReason::kStopTheWorld);
  none->Stop();
  EXPECT_THAT(host.flags, IsEmpty());
  EXPECT_THAT(host.signals, IsEmpty());
  EXPECT_THAT(host.handlers, IsEmpty());
}

TEST(NoPreemptionTest, HasNoOptions) {
  EXPECT_EQ(MakePreemption("none:quantum=1ms").status().message(),
            "preemption none has no option \"quantum\"; it has none");
}

TEST(CooperativePreemptionTest, RaisesTheFlagOfTheProcessor) {
  Host host;
  const auto cooperative = Started("cooperative", host);
  ASSERT_NE(cooperative, nullptr);
  EXPECT_TRUE(cooperative->traits().preempts);
  EXPECT_FALSE(cooperative->traits().asynchronous);
  for (PreemptReason why : {PreemptReason::kSliceOver, PreemptReason::kPolicy, PreemptReason::kStopTheWorld}) {
    cooperative->Request(2, why);
  }
  cooperative->Request(0, PreemptReason::kSliceOver);
  EXPECT_THAT(host.flags, ElementsAre(2, 2, 2, 0));
  EXPECT_THAT(host.signals, IsEmpty());
  EXPECT_THAT(host.handlers, IsEmpty());
}

TEST(KltPreemptionTest, RaisesTheFlagAndSignalsTheThread) {
  Host host;
  const auto klt = Started("klt", host);
  ASSERT_NE(klt, nullptr);
  EXPECT_TRUE(klt->traits().preempts);
  EXPECT_TRUE(klt->traits().asynchronous);
  ASSERT_EQ(host.handlers.size(), 1u);
  klt->Request(1, PreemptReason::kSliceOver);
  EXPECT_THAT(host.flags, ElementsAre(1));
  EXPECT_THAT(host.signals, ElementsAre(Pair(1, host.handlers[0].first)));
  host.handlers[0].second(host);
  EXPECT_EQ(host.preempted_in_place, 1);
}

TEST(KltPreemptionTest, CannotStartWithoutItsHandler) {
  Host host;
  host.refusal = absl::FailedPreconditionError("the program handles SIGURG itself");
  auto klt = MakePreemption("klt");
  ASSERT_TRUE(klt.ok()) << klt.status();
  EXPECT_EQ(klt->plugin->Start(host, klt->options), host.refusal);
}

TEST(KltPreemptionTest, RefusesAQuantumThatPreemptionItselfWouldEat) {
  Host host;
  host.cost = 12'345;
  const auto start = [&](const std::string& spec) {
    auto klt = MakePreemption(spec);
    return klt->plugin->Start(host, klt->options);
  };
  EXPECT_EQ(start("klt:quantum=100us").message(),
            "preemption klt: one preemption takes 12.3 us on this machine, 12 % of a quantum of 100 us; the quantum may be "
            "124 us or more, or force=on");
  EXPECT_EQ(start("klt:quantum=100us,force=on"), absl::OkStatus());
  EXPECT_EQ(start("klt:quantum=124us"), absl::OkStatus());
  EXPECT_EQ(start("signal:quantum=50us"), absl::OkStatus());
}

TEST(SignalPreemptionTest, RaisesTheFlagSignalsAndCalls) {
  Host host;
  const auto signal = Started("signal", host);
  ASSERT_NE(signal, nullptr);
  EXPECT_TRUE(signal->traits().asynchronous);
  EXPECT_TRUE(signal->traits().on_stack);
  signal->Request(1, PreemptReason::kSliceOver);
  EXPECT_THAT(host.flags, ElementsAre(1));
  ASSERT_EQ(host.handlers.size(), 1u);
  EXPECT_THAT(host.signals, ElementsAre(Pair(1, host.handlers[0].first)));
  host.handlers[0].second(host);
  EXPECT_EQ(host.preempted_by_call, 1);
}

class QuantumTest : public ::testing::TestWithParam<const char*> {};

TEST_P(QuantumTest, DefaultIsGos) {
  Host host;
  const auto strategy = Started(GetParam(), host);
  ASSERT_NE(strategy, nullptr);
  EXPECT_EQ(strategy->Quantum(), 10'000'000);
  EXPECT_EQ(strategy->traits().default_quantum, 10'000'000);
  EXPECT_EQ(strategy->traits().finest_quantum, 50'000);
}

TEST_P(QuantumTest, FollowsTheOption) {
  for (const auto& [text, quantum] : {std::pair("50us", Nanos{50'000}), std::pair("1.5ms", Nanos{1'500'000}),
                                      std::pair("10s", Nanos{10'000'000'000})}) {
    Host host;
    const auto strategy = Started(std::string(GetParam()) + ":quantum=" + text, host);
    ASSERT_NE(strategy, nullptr);
    EXPECT_EQ(strategy->Quantum(), quantum) << text;
  }
}

TEST_P(QuantumTest, RefusesWhatIsTooFineOrTooLong) {
  for (const std::string text : {"49us", "0", "11s"}) {
    EXPECT_EQ(
        MakePreemption(std::string(GetParam()) + ":quantum=" + text).status().message(),
        "preemption " + std::string(GetParam()) + ": quantum=" + text + " is out of range; it may be from 50us to 10s");
  }
}

INSTANTIATE_TEST_SUITE_P(Strategies, QuantumTest, ::testing::Values("cooperative", "klt", "signal"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace gyre
