#include "runtime/simulation/explore.h"

#include <stdexcept>
#include <utility>

#include "absl/strings/str_cat.h"
#include "plugins/decisions.h"
#include "plugins/registry.h"
#include "plugins/strategies/bounded_search.h"
#include "plugins/strategies/follow.h"
#include "runtime/go.h"
#include "runtime/panic.h"
#include "runtime/simulation/chooser.h"
#include "runtime/simulation/run_simulation.h"
#include "runtime/simulation/source_lines.h"

namespace gyre {

namespace {

using internal::simulation::Decision;
using internal::simulation::SimulationEngine;

struct Run {
  std::string failure;
  std::vector<Decision> record;
  uint64_t decisions = 0;

  Decisions Schedule() const {
    Decisions schedule;
    for (const Decision& decision : record) schedule[decision.number] = decision.choice;
    return schedule;
  }
  int Preemptions() const {
    int count = 0;
    for (const Decision& decision : record) count += decision.preemption;
    return count;
  }
};

// What kind of failure it is: numbers and names in its text may differ from run to run.
std::string KindOf(const Run& run) {
  return run.failure.substr(0, run.failure.find_first_of("0123456789\n"));
}

class Explorer {
 public:
  Explorer(const ExploreOptions& options, absl::FunctionRef<void()> body) : options_(options), body_(body) {}

  Run RunOnce(ExplorationStrategy& strategy) {
    constexpr absl::Duration kLongEnough = absl::Hours(1);
    Run run;
    Config config = options_.config;
    config.procs = 1;
    run.failure = internal::simulation::RunSimulation(
                      config, &strategy,
                      [&](const SimulationEngine& engine) {
                        run.record = engine.chooser()->record();
                        run.decisions = engine.chooser()->decisions();
                      },
                      [&] {
                        body_();
                        if (!options_.leaks) return;
                        if (NumGoroutine() > 1) Sleep(kLongEnough);
                        if (NumGoroutine() > 1) Fatal(absl::StrCat("goroutines are left behind: ", NumGoroutine() - 1));
                      })
                      .failure;
    return run;
  }

  // The failing run with the fewest preemptions, if that is found within a budget: all schedules with none are tried,
  // then all with one, and so on.
  Run Fewest(Run run, int* runs) {
    constexpr int kMostRuns = 3000;
    const std::string kind = KindOf(run);
    for (int bound = 0; bound < run.Preemptions(); ++bound) {
      strategies::BoundedSearch all(bound);
      for (int i = 0; i < kMostRuns; ++i) {
        Run attempt = RunOnce(all);
        ++*runs;
        if (KindOf(attempt) == kind) return attempt;
        if (!all.EndRun()) break;
      }
    }
    return run;
  }

  // Takes away what can be taken away of the decisions of `run`, first in large pieces, then one by one (Zeller and
  // Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", 2002). Those that remain are all needed.
  Run Shrink(Run run, int* runs) {
    constexpr int kMostRuns = 5000;
    const std::string kind = KindOf(run);
    Decisions needed = run.Schedule();
    for (size_t piece = std::max<size_t>(needed.size() / 2, 1); !needed.empty() && *runs < kMostRuns;) {
      bool smaller = false;
      for (size_t begin = 0; begin < needed.size() && *runs < kMostRuns;) {
        Decisions candidate;
        size_t index = 0;
        for (const auto& decision : needed) {
          if (index < begin || index >= begin + piece) candidate.insert(decision);
          ++index;
        }
        strategies::Follow replay(std::move(candidate));
        Run attempt = RunOnce(replay);
        ++*runs;
        // What it did, which may be less than what it was told: a decision that never came is not on the record.
        if (KindOf(attempt) == kind && attempt.record.size() < needed.size()) {
          needed = attempt.Schedule();
          run = std::move(attempt);
          smaller = true;
        } else {
          begin += piece;
        }
      }
      if (!smaller && piece == 1) break;
      piece = std::max<size_t>(std::min(piece / 2, needed.size()), 1);
    }
    return run;
  }

 private:
  const ExploreOptions& options_;
  const absl::FunctionRef<void()> body_;
};

std::string Interleaving(const Run& run) {
  std::string text;
  for (const Decision& decision : run.record) {
    absl::StrAppend(&text, "decision ", decision.number, ": ");
    if (decision.to == 0) {
      absl::StrAppend(&text, "the lot falls on number ", decision.choice, "\n");
    } else if (!decision.preemption) {
      absl::StrAppend(&text, "goroutine ", decision.to, " goes on\n");
    } else {
      absl::StrAppend(&text, "goroutine ", decision.from, " is stopped, goroutine ", decision.to, " goes on\n");
      for (const std::string& line : internal::simulation::SourceLines(decision.where)) {
        absl::StrAppend(&text, "    ", line, "\n");
      }
    }
  }
  return text;
}

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
  Run run;
  const int runs = options.replay.empty() ? options.runs : 1;
  while (result.runs < runs && !result.failed && !result.exhausted) {
    run = explorer.RunOnce(*strategy);
    ++result.runs;
    result.failed = !run.failure.empty();
    result.exhausted = !strategy->EndRun() && !result.failed && options.replay.empty();
  }
  if (!result.failed) return result;
  if (options.shrink && options.replay.empty()) {
    run = explorer.Shrink(std::move(run), &result.shrinking_runs);
    run = explorer.Fewest(std::move(run), &result.shrinking_runs);
    // Fewer preemptions may have come with other departures that nothing needs.
    run = explorer.Shrink(std::move(run), &result.shrinking_runs);
  }
  result.failure = run.failure;
  result.schedule = DecisionsToString(run.Schedule());
  result.preemptions = run.Preemptions();
  result.decisions = run.decisions;
  result.interleaving = Interleaving(run);
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
