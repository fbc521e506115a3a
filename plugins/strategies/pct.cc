// Burckhardt, Kothari, Musuvathi, Nagarakatte, "A Randomized Scheduler with Probabilistic Guarantees of Finding Bugs",
// ASPLOS 2010: every goroutine has a random priority and the highest runs; at depth-1 decisions, chosen at random, the
// one that runs falls below all others.
//
// The bound: a bug of depth d is one that d ordering constraints between the steps of goroutines bring about. A run
// finds it with a probability of at least 1 / (n k^(d-1)) among n goroutines and k decisions. Most bugs have a depth of
// 1 to 3. k is not known before a program runs: it is the most that a run so far has needed, so the bound holds from
// the second run on, for a program whose number of decisions does not grow.
#include <set>
#include <unordered_map>

#include "plugins/registry.h"
#include "plugins/strategy.h"

namespace gyre {
namespace {

class Pct final : public ExplorationStrategy {
 public:
  absl::Status Start(uint64_t seed, const PluginOptions& options) override {
    random_.state = seed * 0x9e3779b97f4a7c15 | 1;
    changes_ = options.Int("depth") - 1;
    return absl::OkStatus();
  }

  void BeginRun(uint64_t longest) override {
    const auto steps = static_cast<uint32_t>(longest != 0 ? longest : kFirstGuess);
    priorities_.clear();
    change_at_.clear();
    for (int64_t i = 0; i < changes_; ++i) change_at_.insert(random_.Below(steps));
    step_ = 0;
    lowest_ = 0;
    favourite_ = 0;
    favoured_ = 0;
  }

  uint32_t Choose(const Alternatives& alternatives) override {
    const uint64_t step = step_++;
    if (alternatives.ids == nullptr) return random_.Below(alternatives.count);
    uint32_t best = Highest(alternatives);
    // Who waits for others by looping through runtime calls would keep them waiting for ever.
    favoured_ = alternatives.ids[best] == favourite_ ? favoured_ + 1 : 0;
    if (change_at_.count(step) != 0 || favoured_ > kPatience) {
      priorities_[alternatives.ids[best]] = --lowest_;
      favoured_ = 0;
      best = Highest(alternatives);
    }
    favourite_ = alternatives.ids[best];
    return best;
  }

 private:
  static constexpr uint64_t kPatience = 1000;
  static constexpr uint64_t kFirstGuess = 16;  // decisions of the first run

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

  int64_t changes_ = 0;
  ProcContext random_;
  std::unordered_map<uint64_t, int64_t> priorities_;
  std::set<uint64_t> change_at_;
  uint64_t step_ = 0;
  int64_t lowest_ = 0;
  uint64_t favourite_ = 0;
  uint64_t favoured_ = 0;
};

}  // namespace
}  // namespace gyre

GYRE_REGISTER_STRATEGY("pct", gyre::Pct,
                       "random priorities, which change at a few random decisions: finds a bug of depth d among n "
                       "goroutines and k decisions with a probability of at least 1 / (n k^(d-1)) a run",
                       gyre::IntOption("depth", 3, 1, 100, "how many ordering constraints the bug needs"));
