// All schedules with at most `bound` preemptions, one after another, each once: Musuvathi and Qadeer, "Iterative
// Context Bounding for Systematic Testing of Multithreaded Programs", PLDI 2007 (CHESS). What `dfs` is, and what finds
// the failing schedule with the fewest preemptions when a failure is shrunk.
//
// The program must be the same in each run, as far as the decisions so far have been the same.
#ifndef GYRE_PLUGINS_STRATEGIES_BOUNDED_SEARCH_H_
#define GYRE_PLUGINS_STRATEGIES_BOUNDED_SEARCH_H_

#include <algorithm>
#include <cstddef>
#include <vector>

#include "plugins/strategy.h"

namespace gyre::strategies {

class BoundedSearch : public ExplorationStrategy {
 public:
  explicit BoundedSearch(int64_t bound = 0) : bound_(bound) {}

  absl::Status Start(uint64_t, const PluginOptions&) override { return absl::OkStatus(); }

  void BeginRun(uint64_t) override {
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

  // Steps to the next path, the last decisions changing fastest.
  bool EndRun() override {
    path_.resize(at_);
    while (!path_.empty() && path_.back().choice + 1 == path_.back().count) path_.pop_back();
    if (path_.empty()) return false;
    ++path_.back().choice;
    return true;
  }

 protected:
  int64_t bound_;

 private:
  struct Decision {
    uint32_t choice;
    uint32_t count;  // of those alternatives that the bound allows
    bool current_first;
  };
  std::vector<Decision> path_;
  size_t at_ = 0;
  int64_t preemptions_ = 0;
};

}  // namespace gyre::strategies

#endif  // GYRE_PLUGINS_STRATEGIES_BOUNDED_SEARCH_H_
