// `fixed`: every stack is a plain mapping of one size, with or without a guard. The baseline for the other allocators.
#ifndef GYRE_STACKS_FIXED_H_
#define GYRE_STACKS_FIXED_H_

#include "stacks/slot_stacks.h"

namespace gyre::stacks {

class FixedStacks final : public SlotStacks {
 public:
  explicit FixedStacks(OsMemory* os = nullptr) : SlotStacks(os) {}
  absl::Status Start(int procs, const PluginOptions& options) override;
};

}  // namespace gyre::stacks

#endif  // GYRE_STACKS_FIXED_H_
