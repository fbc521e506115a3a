// Follows a schedule: the given decisions, and alternative 0 wherever none is given. What `replay` is, and what
// shrinking a failure tries its candidates with.
#ifndef GYRE_PLUGINS_STRATEGIES_FOLLOW_H_
#define GYRE_PLUGINS_STRATEGIES_FOLLOW_H_

#include <algorithm>
#include <utility>

#include "plugins/decisions.h"
#include "plugins/strategy.h"

namespace gyre::strategies {

class Follow : public ExplorationStrategy {
 public:
  explicit Follow(Decisions decisions = {}) : decisions_(std::move(decisions)) {}

  absl::Status Start(uint64_t, const PluginOptions&) override { return absl::OkStatus(); }
  void BeginRun(uint64_t) override { number_ = 0; }
  uint32_t Choose(const Alternatives& alternatives) override {
    const auto found = decisions_.find(number_++);
    // Another program than the one that was recorded may have fewer alternatives.
    return found == decisions_.end() ? 0 : std::min(found->second, alternatives.count - 1);
  }
  bool EndRun() override { return false; }

 protected:
  Decisions decisions_;

 private:
  uint64_t number_ = 0;
};

}  // namespace gyre::strategies

#endif  // GYRE_PLUGINS_STRATEGIES_FOLLOW_H_
