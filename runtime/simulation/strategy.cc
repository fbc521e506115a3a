#include "runtime/simulation/strategy.h"

#include <algorithm>
#include <set>
#include <unordered_map>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "plugins/proc_context.h"
#include "plugins/spec.h"

namespace gyre::internal::simulation {

namespace {

class Fifo final : public Strategy {
 public:
  uint32_t Choose(const Alternatives&) override { return 0; }
};

class Random final : public Strategy {
 public:
  explicit Random(uint64_t seed) { random_.state = seed * 0x9e3779b97f4a7c15 | 1; }
  uint32_t Choose(const Alternatives& alternatives) override { return random_.Below(alternatives.count); }

 private:
  ProcContext random_;
};

class Pct final : public Strategy {
 public:
  explicit Pct(const StrategyOptions& options) : changes_(options.depth - 1) {
    random_.state = options.seed * 0x9e3779b97f4a7c15 | 1;
  }

  void BeginRun() override {
    priorities_.clear();
    change_at_.clear();
    for (int i = 0; i < changes_; ++i) change_at_.insert(random_.Below(static_cast<uint32_t>(longest_)));
    step_ = 0;
    lowest_ = 0;
    favourite_ = 0;
    favoured_ = 0;
  }

  uint32_t Choose(const Alternatives& alternatives) override {
    if (alternatives.ids == nullptr) return random_.Below(alternatives.count);
    uint32_t best = Highest(alternatives);
    // Who waits for others by looping through runtime calls would keep them waiting for ever.
    favoured_ = alternatives.ids[best] == favourite_ ? favoured_ + 1 : 0;
    if (change_at_.count(step_) != 0 || favoured_ > kPatience) {
      priorities_[alternatives.ids[best]] = --lowest_;
      favoured_ = 0;
      best = Highest(alternatives);
    }
    favourite_ = alternatives.ids[best];
    ++step_;
    return best;
  }

  bool EndRun(uint64_t) override {
    longest_ = std::max(longest_, step_);
    return true;
  }

 private:
  static constexpr uint64_t kPatience = 1000;

  uint32_t Highest(const Alternatives& alternatives) {
    uint32_t best = 0;
    for (uint32_t i = 0; i < alternatives.count; ++i) {
      if (Priority(alternatives.ids[i]) > Priority(alternatives.ids[best])) best = i;
    }
    return best;
  }

  int64_t Priority(uint64_t id) {
    auto [at, is_new] = priorities_.try_emplace(id, 0);
    if (is_new) at->second = static_cast<int64_t>(random_.Random() >> 2) + 1;  // above all that fell
    return at->second;
  }

  const int changes_;
  ProcContext random_;
  uint64_t longest_ = 16;  // a guess, until a run has ended
  std::unordered_map<uint64_t, int64_t> priorities_;
  std::set<uint64_t> change_at_;
  uint64_t step_ = 0;
  int64_t lowest_ = 0;
  uint64_t favourite_ = 0;
  uint64_t favoured_ = 0;
};

class Dfs final : public Strategy {
 public:
  explicit Dfs(int bound) : bound_(bound) {}

  void BeginRun() override {
    at_ = 0;
    preemptions_ = 0;
  }

  uint32_t Choose(const Alternatives& alternatives) override {
    if (at_ == path_.size()) {
      const bool may_preempt = !alternatives.current_first || preemptions_ < bound_;
      path_.push_back({0, may_preempt ? alternatives.count : 1, alternatives.current_first});
    }
    const Decision& decision = path_[at_++];
    if (decision.current_first && decision.choice != 0) ++preemptions_;
    return std::min(decision.choice, alternatives.count - 1);
  }

  bool EndRun(uint64_t) override {
    path_.resize(at_);
    while (!path_.empty() && path_.back().choice + 1 == path_.back().count) path_.pop_back();
    if (path_.empty()) return false;
    ++path_.back().choice;
    return true;
  }

 private:
  struct Decision {
    uint32_t choice;
    uint32_t count;  // of those alternatives that the bound allows
    bool current_first;
  };
  const int bound_;
  std::vector<Decision> path_;
  size_t at_ = 0;
  int preemptions_ = 0;
};

class Replay final : public Strategy {
 public:
  explicit Replay(Decisions decisions) : decisions_(std::move(decisions)) {}
  void BeginRun() override { number_ = 0; }
  uint32_t Choose(const Alternatives& alternatives) override {
    auto found = decisions_.find(number_++);
    // Another program than the one that was recorded may have fewer alternatives.
    return found == decisions_.end() ? 0 : std::min(found->second, alternatives.count - 1);
  }

 private:
  const Decisions decisions_;
  uint64_t number_ = 0;
};

}  // namespace

std::string DecisionsToString(const Decisions& decisions) {
  return absl::StrJoin(decisions, "/", absl::PairFormatter(":"));
}

absl::StatusOr<Decisions> DecisionsFromString(absl::string_view text) {
  Decisions decisions;
  for (absl::string_view part : absl::StrSplit(text, '/', absl::SkipEmpty())) {
    const std::pair<absl::string_view, absl::string_view> words = absl::StrSplit(part, absl::MaxSplits(':', 1));
    uint64_t number;
    uint32_t choice;
    if (!absl::SimpleAtoi(words.first, &number) || !absl::SimpleAtoi(words.second, &choice)) {
      return absl::InvalidArgumentError(
          absl::StrCat("\"", part, "\" is no decision; a schedule is written as number:alternative/number:alternative/..., "
                       "such as 17:1/40:2"));
    }
    decisions[number] = choice;
  }
  return decisions;
}

const std::vector<std::string>& StrategyNames() {
  static const auto* names = new std::vector<std::string>{"fifo", "random", "pct", "dfs"};
  return *names;
}

absl::StatusOr<std::unique_ptr<Strategy>> MakeStrategy(absl::string_view name, const StrategyOptions& options) {
  if (name == "fifo") return std::make_unique<Fifo>();
  if (name == "random") return std::make_unique<Random>(options.seed);
  if (name == "pct") return std::make_unique<Pct>(options);
  if (name == "dfs") return std::make_unique<Dfs>(options.bound);
  return absl::InvalidArgumentError(absl::StrCat("unknown strategy \"", name, "\"", DidYouMean(name, StrategyNames()),
                                                 "; there are: ", absl::StrJoin(StrategyNames(), ", ")));
}

std::unique_ptr<Strategy> MakeReplay(Decisions decisions) { return std::make_unique<Replay>(std::move(decisions)); }

}  // namespace gyre::internal::simulation
