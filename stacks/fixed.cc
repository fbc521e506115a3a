#include "stacks/fixed.h"

#include "plugins/registry.h"

namespace gyre::stacks {

absl::Status FixedStacks::Start(int procs, const PluginOptions& options) {
  return StartSlots(procs, static_cast<size_t>(options.Bytes("size")), options.Bool("guard") ? "auto" : "off", kPage);
}

GYRE_REGISTER_STACK("fixed", FixedStacks, "stacks of one size, reserved whole",
                    BytesOption("size", "64K", 16 << 10, 1 << 30, "bytes of a stack, rounded up to whole pages"),
                    BoolOption("guard", true, "a page below each stack that faults"));

}  // namespace gyre::stacks
