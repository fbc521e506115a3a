#include "runtime/simulation/explore.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "plugins/decisions.h"
#include "plugins/registry.h"
#include "plugins/strategies/bounded_search.h"
#include "plugins/strategies/follow.h"
#include "runtime/go.h"
#include "runtime/panic.h"
#include "runtime/simulation/chooser.h"
#include "runtime/simulation/run_simulation.h"
#include "runtime/simulation/shrink.h"

namespace gyre {

namespace {

using internal::simulation::Chooser;
using internal::simulation::ExploredRun;
using internal::simulation::SimulationEngine;

// Shrinking runs, at most.
constexpr int kMostShrinkingRuns = 5000;
constexpr int kMostRunsWithABound = 3000;

class Explorer {
 public:
  Explorer(const ExploreOptions& options, absl::FunctionRef<void()> body) : options_(options), body_(body) {}

  ExploredRun RunOnce(ExplorationStrategy& strategy, std::string* interleaving = nullptr) {
    constexpr absl::Duration kLongEnough = absl::Hours(1);
    ExploredRun run;
    Config config = options_.config;
    config.procs = 1;
    strategy.BeginRun(longest_);
    run.failure = internal::simulation::RunSimulation(
                      config, &strategy, [](auto&) {},
                      [&](const SimulationEngine& engine) {
                        const Chooser& chooser = *engine.chooser();
                        run.schedule = chooser.Schedule();
                        run.preemptions = chooser.preemptions();
                        run.decisions = chooser.decisions();
                        if (interleaving != nullptr) *interleaving = chooser.Interleaving();
                      },
                      [&] {
                        body_();
                        if (!options_.leaks) return;
                        if (NumGoroutine() > 1) Sleep(kLongEnough);
                        if (NumGoroutine() > 1) Fatal(absl::StrCat("goroutines are left behind: ", NumGoroutine() - 1));
                      })
                      .failure;
    longest_ = std::max(longest_, run.decisions);
    return run;
  }

  ExploredRun Follow(const Decisions& decisions, std::string* interleaving = nullptr) {
    strategies::Follow follow(decisions);
    return RunOnce(follow, interleaving);
  }

  // The failing run with the fewest preemptions, if that is found within a budget: all schedules with none are tried,
  // then all with one, and so on.
  ExploredRun Fewest(ExploredRun run, int* runs) {
    const std::string kind = run.Kind();
    for (int bound = 0; bound < run.preemptions; ++bound) {
      strategies::BoundedSearch all(bound);
      for (int i = 0; i < kMostRunsWithABound; ++i) {
        ExploredRun attempt = RunOnce(all);
        ++*runs;
        if (attempt.Kind() == kind) return attempt;
        if (!all.EndRun()) break;
      }
    }
    return run;
  }

 private:
  const ExploreOptions& options_;
  const absl::FunctionRef<void()> body_;
  uint64_t longest_ = 0;  // decisions of a run so far
};

template <typename T>
T ValueOrThrow(absl::StatusOr<T> value) {
  if (!value.ok()) throw std::invalid_argument(std::string(value.status().message()));
  return *std::move(value);
}

std::unique_ptr<ExplorationStrategy> StrategyFor(const ExploreOptions& options) {
  if (!options.replay.empty()) {
    return std::make_unique<strategies::Follow>(ValueOrThrow(DecisionsFromString(options.replay)));
  }
  Configured<ExplorationStrategy> made = ValueOrThrow(MakeStrategy(options.strategy));
  if (absl::Status status = made.plugin->Start(options.seed, made.options); !status.ok()) {
    throw std::invalid_argument(std::string(status.message()));
  }
  return std::move(made.plugin);
}

}  // namespace

Exploration Explore(const ExploreOptions& options, absl::FunctionRef<void()> body) {
  if (options.config.procs > 1) {
    throw std::invalid_argument(
        "an exploration runs on one virtual processor, which its strategy gives to any goroutine");
  }
  std::unique_ptr<ExplorationStrategy> strategy = StrategyFor(options);
  Exploration result;
  Explorer explorer(options, body);
  ExploredRun run;
  const int runs = options.replay.empty() ? options.runs : 1;
  const absl::Time give_up = absl::Now() + options.budget;
  while (result.runs < runs && !result.failed && !result.exhausted && absl::Now() < give_up) {
    run = explorer.RunOnce(*strategy);
    ++result.runs;
    result.failed = !run.failure.empty();
    result.exhausted = !strategy->EndRun() && !result.failed && options.replay.empty();
  }
  if (!result.failed) return result;
  if (options.shrink && options.replay.empty()) {
    const auto follow = [&](const Decisions& decisions) { return explorer.Follow(decisions); };
    run = Shrink(std::move(run), follow, kMostShrinkingRuns, &result.shrinking_runs);
    run = explorer.Fewest(std::move(run), &result.shrinking_runs);
    // Fewer preemptions may have come with other departures that nothing needs.
    run = Shrink(std::move(run), follow, kMostShrinkingRuns, &result.shrinking_runs);
  }
  result.failure = run.failure;
  result.schedule = DecisionsToString(run.schedule);
  result.preemptions = run.preemptions;
  result.decisions = run.decisions;
  explorer.Follow(run.schedule, &result.interleaving);
  return result;
}

std::string Exploration::ToString() const {
  if (!failed) {
    return absl::StrCat("no failure in ", runs, " runs", exhausted ? ", which are all that the strategy has" : "",
                        "\n");
  }
  return absl::StrCat("failed in run ", runs, "; the smallest schedule that fails so (", shrinking_runs,
                      " more runs) departs from the plain one in the following, with ", preemptions,
                      " preemptions among ", decisions, " decisions:\n", interleaving, "replay: ", schedule, "\n\n",
                      failure);
}

}  // namespace gyre
