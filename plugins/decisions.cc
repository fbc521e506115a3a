#include "plugins/decisions.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace gyre {

namespace {
constexpr char kNone[] = "-";
}

std::string DecisionsToString(const Decisions& decisions) {
  return decisions.empty() ? kNone : absl::StrJoin(decisions, "/", absl::PairFormatter(":"));
}

absl::StatusOr<Decisions> DecisionsFromString(absl::string_view text) {
  Decisions decisions;
  if (text == kNone) return decisions;
  for (absl::string_view part : absl::StrSplit(text, '/', absl::SkipEmpty())) {
    const std::pair<absl::string_view, absl::string_view> words = absl::StrSplit(part, absl::MaxSplits(':', 1));
    uint64_t number;
    uint32_t choice;
    if (!absl::SimpleAtoi(words.first, &number) || !absl::SimpleAtoi(words.second, &choice)) {
      return absl::InvalidArgumentError(
          absl::StrCat("\"", part,
                       "\" is no decision; a schedule is written as number:alternative/number:alternative/..., "
                       "such as 17:1/40:2, or as - where it has none"));
    }
    decisions[number] = choice;
  }
  return decisions;
}

}  // namespace gyre
