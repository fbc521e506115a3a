#include "stacks/contiguous.h"

#include "plugins/registry.h"

namespace gyre::stacks {

absl::Status ContiguousStacks::Start(int procs, const PluginOptions& options) {
  return StartSlots(procs, static_cast<size_t>(options.Bytes("limit")), options.Choice("guard"),
                    static_cast<size_t>(options.Bytes("guard_size")));
}

GYRE_REGISTER_STACK("contiguous", ContiguousStacks, "a reserved slot for each goroutine, committed as it is used",
                    BytesOption("limit", "256K", 16 << 10, 1 << 30, "bytes that a stack may grow to"),
                    ChoiceOption("guard", {"auto", "madvise", "mprotect", "off"}, "auto",
                                 "what makes the pages below a stack fault"),
                    BytesOption("guard_size", "16K", 4096, 1 << 20, "bytes of the guard, rounded up to whole pages"));

}  // namespace gyre::stacks
