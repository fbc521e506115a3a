// A plug-in's spec as a user writes it, taken apart: name(inner):option=value,option=value.
#ifndef GYRE_PLUGINS_SPEC_H_
#define GYRE_PLUGINS_SPEC_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace gyre::internal {

struct PluginSpec {
  std::string name;
  std::string inner;  // the text between the parentheses; empty where there are none
  bool has_inner = false;
  std::vector<std::pair<std::string, std::string>> options;
};

// A malformed spec is an InvalidArgument error that shows the grammar.
absl::StatusOr<PluginSpec> ParseSpec(absl::string_view text);

// Whether a plug-in or an option can be called so, and be named in a spec: letters, digits, '_' and '-', at least one.
bool IsPluginName(absl::string_view name);

// " (did you mean X?)" where one of `names` is a near miss of `wrong`, else nothing.
std::string DidYouMean(absl::string_view wrong, const std::vector<std::string>& names);

}  // namespace gyre::internal

#endif  // GYRE_PLUGINS_SPEC_H_
