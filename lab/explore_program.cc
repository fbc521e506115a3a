#include "lab/explore_program.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "lab/child.h"
#include "plugins/decisions.h"
#include "plugins/registry.h"
#include "plugins/spec.h"
#include "runtime/simulation/shrink.h"

namespace gyre::lab {

namespace {

using internal::simulation::ExploredRun;

constexpr absl::Duration kLongestRun = absl::Minutes(1);
constexpr int kMostShrinkingRuns = 1000;

struct ChildRun {
  ExploredRun run;
  bool simulated = false;  // it said so
  std::string output;      // but for what the simulator says
};

// "simulation: schedule 17:1/40:2 of 57 decisions, 2 preemptions"
bool ReadSchedule(absl::string_view line, ExploredRun* run) {
  const std::vector<absl::string_view> words = absl::StrSplit(line, ' ');
  if (words.size() != 8 || words[0] != "simulation:" || words[1] != "schedule") return false;
  const absl::StatusOr<Decisions> schedule = DecisionsFromString(words[2]);
  if (!schedule.ok()) return false;
  run->schedule = *schedule;
  return absl::SimpleAtoi(words[4], &run->decisions) && absl::SimpleAtoi(words[6], &run->preemptions);
}

class ProgramExplorer {
 public:
  ProgramExplorer(const ExploreOptions& options, const std::vector<std::string>& words)
      : options_(options), words_(words) {}

  // One run; the strategy is spelled out.
  absl::StatusOr<ChildRun> RunOnce(const std::string& strategy, uint64_t seed, bool summary = true) {
    Config config = options_.config;
    config.procs = 1;
    config.seed = seed;
    const std::string options = config.engine.substr(std::min(config.engine.find(':'), config.engine.size()));
    config.engine = absl::StrCat("simulation(", strategy, ")", options);
    if (summary) config.engine = WithEngineOption(config.engine, "report=summary");
    config.engine = WithEngineOption(config.engine, absl::StrCat("decisions=", longest_));
    const absl::StatusOr<ChildResult> child = RunProgram(words_, config.ToString(), kLongestRun);
    if (!child.ok()) return child.status();
    ChildRun result;
    for (absl::string_view line : absl::StrSplit(child->output, '\n')) {
      if (ReadSchedule(line, &result.run)) {
        result.simulated = true;
      } else if (!absl::StartsWith(line, "simulation: ")) {
        absl::StrAppend(&result.output, line, "\n");
      }
    }
    if (!child->ended.empty()) {
      result.run.failure = child->ended;
    } else if (child->exit_code != 0) {
      const std::string why = SentenceOf(result.output);
      result.run.failure = why.empty() ? absl::StrCat("it exited with code ", child->exit_code) : why;
    }
    longest_ = std::max(longest_, result.run.decisions);
    if (!summary) result.output = child->output;
    return result;
  }

 private:
  const ExploreOptions& options_;
  const std::vector<std::string>& words_;
  uint64_t longest_ = 0;
};

std::string ReplayOf(const Decisions& decisions) {
  return absl::StrCat("replay:schedule=", DecisionsToString(decisions));
}

}  // namespace

std::string WithEngineOption(std::string engine, absl::string_view option) {
  const size_t inner_end = engine.rfind(')');
  const bool has_options = engine.find(':', inner_end == std::string::npos ? 0 : inner_end) != std::string::npos;
  absl::StrAppend(&engine, has_options ? "," : ":", option);
  return engine;
}

absl::StatusOr<Exploration> ExploreProgram(const ExploreOptions& options, const std::vector<std::string>& words) {
  const absl::StatusOr<internal::PluginSpec> spec = internal::ParseSpec(options.strategy);
  if (!spec.ok()) return spec.status();
  if (absl::Status status = MakeStrategy(options.strategy).status(); !status.ok()) return status;
  if (spec->name == "dfs") {
    return absl::InvalidArgumentError(
        "strategy dfs remembers what it has tried, and each run of a program is a process of its own: use random or "
        "pct, or "
        "link the program to the lab (lab/program.h)");
  }
  Exploration result;
  ProgramExplorer explorer(options, words);
  ChildRun found;
  const bool replays = !options.replay.empty();
  const absl::Time give_up = absl::Now() + options.budget;
  while (result.runs < (replays ? 1 : options.runs) && !result.failed && absl::Now() < give_up) {
    const std::string strategy = replays ? absl::StrCat("replay:schedule=", options.replay) : options.strategy;
    absl::StatusOr<ChildRun> run = explorer.RunOnce(strategy, options.seed + static_cast<uint64_t>(result.runs));
    if (!run.ok()) return run.status();
    found = *std::move(run);
    ++result.runs;
    result.failed = !found.run.failure.empty();
    if (found.simulated) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        words[0], " did not run on the simulator: it must be a program of gyre::Main, and link //:gyre; it ",
        result.failed ? "said: " : "ended well", found.run.failure));
  }
  if (!result.failed) return result;
  const uint64_t seed = options.seed + static_cast<uint64_t>(result.runs - 1);
  if (options.shrink && !replays) {
    const auto follow = [&](const Decisions& decisions) {
      const absl::StatusOr<ChildRun> run = explorer.RunOnce(ReplayOf(decisions), seed);
      return run.ok() ? run->run : ExploredRun{};
    };
    found.run = Shrink(std::move(found.run), follow, kMostShrinkingRuns, &result.shrinking_runs);
  }
  // Once more, for its words: the simulator prints the interleaving of a run that fails.
  const absl::StatusOr<ChildRun> shown = explorer.RunOnce(ReplayOf(found.run.schedule), seed, /*summary=*/false);
  if (!shown.ok()) return shown.status();
  bool inside = false;
  for (absl::string_view line : absl::StrSplit(shown->output, '\n')) {
    if (absl::StartsWith(line, "simulation: ")) {
      inside = absl::StartsWith(line, "simulation: this run departs");
    } else {
      absl::StrAppend(inside ? &result.interleaving : &result.failure, line, "\n");
    }
  }
  result.schedule = DecisionsToString(found.run.schedule);
  result.preemptions = found.run.preemptions;
  result.decisions = found.run.decisions;
  return result;
}

}  // namespace gyre::lab
