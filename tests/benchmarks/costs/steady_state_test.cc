// What operations cost once everything is warm: no allocation, no lock. The allocations are counted by standing in for
// malloc; the locks, by stepping through every instruction that the operation executes, so that nothing can hide from
// it and nothing has to be built in for it.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_format.h"
#include "gyre.h"
#include "tests/benchmarks/costs/allocations.h"
#include "tests/benchmarks/costs/operations.h"
#include "tests/benchmarks/costs/stepper.h"

namespace gyre::costs {

namespace {

constexpr int kShort = kBatch, kLong = 2 * kBatch;

Config TwoProcessors() {
  Config config;
  config.procs = 2;
  config.preemption = "none";  // a thread that is stepped through is late for everything
  return config;
}

// Keeps the other processor busy while `body` runs, so that the operations take the paths of several processors and
// nobody steals what they leave in a queue.
void BesideABusyProcessor(absl::FunctionRef<void()> body) {
  std::atomic<bool> runs = false, stop = false;
  WaitGroup group;
  group.Go([&] {
    runs = true;
    while (!stop.load(std::memory_order_relaxed)) __builtin_ia32_pause();
  });
  while (!runs) Yield();
  body();
  stop = true;
  group.Wait();
}

// Of one operation.
struct Cost {
  double instructions = 0, atomics = 0, locks = 0;
};

bool IsLockAcquisition(uintptr_t address) {
  for (const std::string& function : FunctionsAt(address)) {
    if (absl::StrContains(function, "Lock::Lock(") || absl::StrContains(function, "Lock::TryLock(")) return true;
  }
  return false;
}

// The difference between two lengths, for each operation.
Cost CostOf(const StepCounts& few, const StepCounts& many) {
  constexpr double kOperations = kLong - kShort;
  Cost cost;
  cost.instructions = static_cast<double>(many.instructions - few.instructions) / kOperations;
  for (const auto& [address, count] : many.locked) {
    const auto before = few.locked.find(address);
    const double per_operation =
        static_cast<double>(count - (before == few.locked.end() ? 0 : before->second)) / kOperations;
    cost.atomics += per_operation;
    if (IsLockAcquisition(address)) cost.locks += per_operation;
  }
  return cost;
}

absl::StatusOr<Cost> Measure(const Operation& operation) {
  const auto windows = StepThrough([&] {
    Runtime runtime(TwoProcessors());
    runtime.Run([&] {
      BesideABusyProcessor([&] {
        operation.run(kLong);
        for (const int length : {kShort, kLong}) {
          StepBegin();
          operation.run(length);
          StepEnd();
        }
      });
    });
  });
  if (!windows.ok()) return windows.status();
  if (windows->size() != 2) return absl::InternalError(absl::StrFormat("%d windows", windows->size()));
  return CostOf((*windows)[0], (*windows)[1]);
}

// What must not take a lock. A batch of `spawn_join` has one Wait that parks and one Done that wakes it, which do.
const std::map<std::string, double>& MostLocks() {
  static const auto* most = new std::map<std::string, double>{
      {"yield", 0},        {"spawn_join", 2.0 / kBatch}, {"mutex_uncontended", 0},
      {"rwmutex_read", 0}, {"context_err", 0},           {"checkpoint", 0},
  };
  return *most;
}

class SteadyState : public ::testing::TestWithParam<Operation> {};

TEST_P(SteadyState, LocksPerOperation) {
  if (!CountsAllocations()) GTEST_SKIP() << "a sanitizer's code is not ours";
  const auto cost = Measure(GetParam());
  if (absl::IsUnimplemented(cost.status())) GTEST_SKIP() << cost.status();
  ASSERT_TRUE(cost.ok()) << cost.status();
  absl::PrintF("%-24s %8.1f instructions, %5.2f atomic read-modify-writes, %5.2f locks\n", GetParam().name,
               cost->instructions, cost->atomics, cost->locks);
  RecordProperty("instructions", absl::StrFormat("%.1f", cost->instructions));
  RecordProperty("atomics", absl::StrFormat("%.2f", cost->atomics));
  RecordProperty("locks", absl::StrFormat("%.2f", cost->locks));
  EXPECT_GT(cost->instructions, 0);
  if (const auto most = MostLocks().find(GetParam().name); most != MostLocks().end()) {
    EXPECT_LE(cost->locks, most->second + 1e-9);
  } else if (std::string(GetParam().name) == "buffered_send_recv") {
    EXPECT_GE(cost->locks, 2) << "a channel has a lock: it should have been seen";
  }
}

TEST_P(SteadyState, AllocatesNothing) {
  if (!CountsAllocations()) GTEST_SKIP() << "a sanitizer has its own malloc";
  Runtime runtime(TwoProcessors());
  uint64_t few = 0, many = 0;
  runtime.Run([&] {
    BesideABusyProcessor([&] {
      const Operation& operation = GetParam();
      operation.run(5 * kLong);
      const uint64_t before = Allocations();
      operation.run(kShort);
      const uint64_t between = Allocations();
      operation.run(kLong);
      few = between - before;
      many = Allocations() - between;
    });
  });
  EXPECT_EQ(many, few) << "for " << kLong << " operations, not " << kShort;
}

INSTANTIATE_TEST_SUITE_P(Each, SteadyState, ::testing::ValuesIn(Operations()),
                         [](const auto& instance) { return instance.param.name; });

}  // namespace
}  // namespace gyre::costs
