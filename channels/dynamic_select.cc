#include "channels/dynamic_select.h"

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/strings/str_cat.h"
#include "runtime/panic.h"

namespace gyre {

int SelectDynamic(absl::Span<SelectCase> cases) {
  using internal::SelectEntry;
  const size_t n = cases.size();
  if (n > SelectCase::kMaxCases) {
    Panic(absl::StrCat("SelectDynamic: ", n, " cases; the most is ", SelectCase::kMaxCases));
  }
  if (n == 0) internal::ParkForever(WaitReason::kSelectNoCases);

  int default_index = -1;
  std::vector<SelectEntry> entries(n);
  for (size_t i = 0; i < n; ++i) {
    if (cases[i].erased_ == nullptr) continue;
    if (cases[i].erased_->is_default) {
      if (default_index >= 0) {
        Panic(absl::StrCat("SelectDynamic: two defaults, cases ", default_index, " and ", i, "; there may be one"));
      }
      default_index = static_cast<int>(i);
    }
    cases[i].erased_->Describe(entries[i]);
  }
  std::vector<uint16_t> orders(2 * n);
  std::vector<internal::Slot<internal::Waiter>> waiters(n);
  const internal::SelectOutcome outcome =
      internal::SelectGo(entries.data(), static_cast<int>(n), {orders.data(), orders.data() + n, waiters.data()},
                         /*wait=*/default_index < 0);

  const int index = outcome.chosen < 0 ? default_index : outcome.chosen;
  const std::shared_ptr<internal::ErasedCase> chosen = cases[static_cast<size_t>(index)].erased_;
  chosen->Chosen();
  chosen->Handle(outcome.received);
  return index;
}

}  // namespace gyre
