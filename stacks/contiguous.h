// `contiguous`, the default: a slot of reserved address space for each goroutine, which takes memory as it is touched,
// and whose addresses never change.
#ifndef GYRE_STACKS_CONTIGUOUS_H_
#define GYRE_STACKS_CONTIGUOUS_H_

#include "stacks/slot_stacks.h"

namespace gyre::stacks {

class ContiguousStacks final : public SlotStacks {
 public:
  explicit ContiguousStacks(OsMemory* os = nullptr) : SlotStacks(os) {}
  absl::Status Start(int procs, const PluginOptions& options) override;
};

}  // namespace gyre::stacks

#endif  // GYRE_STACKS_CONTIGUOUS_H_
