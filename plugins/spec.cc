#include "plugins/spec.h"

#include <algorithm>
#include <numeric>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace gyre::internal {

namespace {

absl::Status Malformed(absl::string_view text, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("\"", text, "\": ", why,
                                                 "; the form is name, name:option=value,option=value or "
                                                 "wrapper(name:option=value):option=value"));
}

// Levenshtein's.
size_t EditDistance(absl::string_view a, absl::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t substituted = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
    }
  }
  return row[b.size()];
}

}  // namespace

absl::StatusOr<PluginSpec> ParseSpec(absl::string_view text) {
  PluginSpec spec;
  const size_t name_end = std::min(text.find_first_of("(:"), text.size());
  spec.name = std::string(absl::StripAsciiWhitespace(text.substr(0, name_end)));
  if (spec.name.empty()) return Malformed(text, "there is no plug-in name");
  size_t at = name_end;
  if (at < text.size() && text[at] == '(') {
    size_t depth = 1;
    const size_t inner_begin = ++at;
    for (; at < text.size() && depth > 0; ++at) depth += (text[at] == '(') - (text[at] == ')');
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
  const std::string* best = nullptr;
  size_t best_distance = std::max<size_t>(wrong.size() / 2, 2) + 1;
  for (const std::string& name : names) {
    const size_t distance = EditDistance(wrong, name);
    if (distance < best_distance) {
      best_distance = distance;
      best = &name;
    }
  }
  return best == nullptr ? "" : absl::StrCat(" (did you mean ", *best, "?)");
}

}  // namespace gyre::internal
