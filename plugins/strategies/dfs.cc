// All schedules with at most so many preemptions, one after another: bounded_search.h.
#include "plugins/registry.h"
#include "plugins/strategies/bounded_search.h"

namespace gyre {
namespace {

class DepthFirst final : public strategies::BoundedSearch {
 public:
  absl::Status Start(uint64_t, const PluginOptions& options) override {
    bound_ = options.Int("bound");
    return absl::OkStatus();
  }
};

}  // namespace
}  // namespace gyre

GYRE_REGISTER_STRATEGY("dfs", gyre::DepthFirst, "all schedules with a bounded number of preemptions, each once",
                       gyre::IntOption("bound", 2, 0, 1000, "the most preemptions in a run"));
