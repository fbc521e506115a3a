// One schedule, that an exploration has printed: follow.h.
#include <string>
#include <utility>

#include "plugins/registry.h"
#include "plugins/strategies/follow.h"

namespace gyre {
namespace {

class Replay final : public strategies::Follow {
 public:
  absl::Status Start(uint64_t, const PluginOptions& options) override {
    absl::StatusOr<Decisions> decisions = DecisionsFromString(options.String("schedule"));
    if (!decisions.ok()) return decisions.status();
    decisions_ = *std::move(decisions);
    return absl::OkStatus();
  }
};

}  // namespace
}  // namespace gyre

GYRE_REGISTER_STRATEGY("replay", gyre::Replay, "the schedule that an exploration has printed",
                       gyre::StringOption("schedule", "-",
                                          "17:1/40:2: the 17th decision goes to alternative 1, the 40th "
                                          "to 2, all others to 0; -: all to 0"));
