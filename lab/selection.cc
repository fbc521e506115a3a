#include "lab/selection.h"

#include <cstddef>

#include "absl/strings/str_cat.h"

namespace gyre::lab {

absl::StatusOr<std::vector<Selection>> ParseSelections(const std::vector<std::string>& words) {
  std::vector<Selection> selections;
  for (const std::string& word : words) {
    const size_t equals = word.find('=');
    if (equals == std::string::npos) {
      const absl::StatusOr<const Workload*> workload = FindWorkload(word);
      if (!workload.ok()) return workload.status();
      selections.push_back({*workload, {}});
    } else if (selections.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("the parameter ", word, " comes before any workload; write it behind one: skynet leaves=1000"));
    } else {
      selections.back().written.emplace_back(word.substr(0, equals), word.substr(equals + 1));
    }
  }
  return selections;
}

}  // namespace gyre::lab
