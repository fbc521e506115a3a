// Every alternative alike, at every decision: a random walk.
#include "plugins/registry.h"
#include "plugins/strategy.h"

namespace gyre {
namespace {

class RandomWalk final : public ExplorationStrategy {
 public:
  absl::Status Start(uint64_t seed, const PluginOptions&) override {
    random_.state = seed * 0x9e3779b97f4a7c15 | 1;
    return absl::OkStatus();
  }
  uint32_t Choose(const Alternatives& alternatives) override { return random_.Below(alternatives.count); }

 private:
  ProcContext random_;
};

}  // namespace
}  // namespace gyre

GYRE_REGISTER_STRATEGY("random", gyre::RandomWalk, "every alternative alike, at every decision");
