#include "plugins/spec.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace gyre::internal {

namespace {

absl::Status Malformed(absl::string_view text, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("\"", text, "\": ", why,
                                                 "; the form is name, name:option=value,option=value or "
                                                 "wrapper(name:option=value):option=value"));
}

bool IsNameCharacter(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-';
}

// How many insertions, deletions, replacements and swaps of neighbours make `b` of `a`, with no place edited twice
// (optimal string alignment): "gpm" is one slip away from "gmp", where Levenshtein's distance counts two.
size_t EditDistance(absl::string_view a, absl::string_view b) {
  std::vector<std::vector<size_t>> cost(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) cost[i][0] = i;
  for (size_t j = 0; j <= b.size(); ++j) cost[0][j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    for (size_t j = 1; j <= b.size(); ++j) {
      cost[i][j] =
          std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1, cost[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
      }
    }
  }
  return cost[a.size()][b.size()];
}

// One is the beginning of the other, and long enough to mean it: "coop" for "cooperative".
bool IsAbbreviation(absl::string_view a, absl::string_view b) {
  return std::min(a.size(), b.size()) >= 3 && (absl::StartsWith(a, b) || absl::StartsWith(b, a));
}

}  // namespace

bool IsPluginName(absl::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), IsNameCharacter);
}

absl::StatusOr<PluginSpec> ParseSpec(absl::string_view text) {
  text = absl::StripAsciiWhitespace(text);
  PluginSpec spec;
  size_t at = static_cast<size_t>(std::find_if_not(text.begin(), text.end(), IsNameCharacter) - text.begin());
  spec.name = std::string(text.substr(0, at));
  if (spec.name.empty()) return Malformed(text, "there is no plug-in name");
  if (at < text.size() && text[at] == '(') {
    size_t depth = 1;
    const size_t inner_begin = ++at;
    for (; at < text.size() && depth > 0; ++at) {
      if (text[at] == '(') ++depth;
      if (text[at] == ')') --depth;
    }
    if (depth != 0) return Malformed(text, "a parenthesis is not closed");
    spec.inner = std::string(absl::StripAsciiWhitespace(text.substr(inner_begin, at - 1 - inner_begin)));
    spec.has_inner = true;
    if (spec.inner.empty()) return Malformed(text, "there is nothing between the parentheses");
  }
  if (at == text.size()) return spec;
  if (text[at] != ':') return Malformed(text, absl::StrCat("\"", text.substr(at), "\" is left over"));
  for (absl::string_view part : absl::StrSplit(text.substr(at + 1), ',')) {
    part = absl::StripAsciiWhitespace(part);
    const size_t equals = part.find('=');
    if (equals == absl::string_view::npos || equals == 0) {
      return Malformed(text, absl::StrCat("\"", part, "\" is not option=value"));
    }
    spec.options.emplace_back(std::string(absl::StripAsciiWhitespace(part.substr(0, equals))),
                              std::string(absl::StripAsciiWhitespace(part.substr(equals + 1))));
  }
  return spec;
}

std::string DidYouMean(absl::string_view wrong, const std::vector<std::string>& names) {
  const std::string typed = absl::AsciiStrToLower(wrong);
  const size_t slips_forgiven = std::max<size_t>(typed.size() / 3, 1);
  const std::string* best = nullptr;
  size_t best_distance = slips_forgiven + 1;
  for (const std::string& name : names) {
    const std::string lower = absl::AsciiStrToLower(name);
    size_t distance = EditDistance(typed, lower);
    if (IsAbbreviation(typed, lower)) distance = std::min(distance, slips_forgiven);
    if (distance < best_distance) {
      best_distance = distance;
      best = &name;
    }
  }
  return best == nullptr ? "" : absl::StrCat(" (did you mean ", *best, "?)");
}

}  // namespace gyre::internal
