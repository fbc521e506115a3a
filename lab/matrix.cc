#include "lab/matrix.h"

#include <algorithm>
#include <cstddef>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace gyre::lab {

namespace {

// The text up to each comma that is not between parentheses.
std::vector<std::string> OuterParts(absl::string_view text) {
  std::vector<std::string> parts(1);
  int depth = 0;
  for (char c : text) {
    if (c == '(') ++depth;
    if (c == ')') --depth;
    if (c == ',' && depth <= 0) {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

}  // namespace

absl::StatusOr<std::vector<std::string>> SplitSpecs(absl::string_view flag, absl::string_view text) {
  std::vector<std::string> specs;
  for (const std::string& part : OuterParts(text)) {
    const std::string spec(absl::StripAsciiWhitespace(part));
    if (spec.empty()) {
      return absl::InvalidArgumentError(absl::StrCat("--", flag, "=", text, ": a name is missing beside a comma"));
    }
    const size_t end_of_name = spec.find_first_of("=:(");
    const bool is_option = end_of_name != std::string::npos && spec[end_of_name] == '=';
    if (is_option && specs.empty()) {
      return absl::InvalidArgumentError(absl::StrCat("--", flag, "=", text, " begins with an option, not with a name"));
    }
    if (is_option) {
      absl::StrAppend(&specs.back(), ",", spec);
    } else {
      specs.push_back(spec);
    }
  }
  return specs;
}

absl::StatusOr<std::vector<int>> SplitProcs(absl::string_view flag, absl::string_view text) {
  std::vector<int> all;
  for (absl::string_view part : absl::StrSplit(text, ',')) {
    int procs;
    if (!absl::SimpleAtoi(part, &procs) || procs < 1 || procs > Config::kMaxProcs) {
      return absl::InvalidArgumentError(absl::StrCat("--", flag, "=", text, ": \"", part,
                                                     "\" is not a number of processors from 1 to ", Config::kMaxProcs));
    }
    all.push_back(procs);
  }
  return all;
}

std::vector<Config> Configurations(const Config& base, const Axes& axes) {
  std::vector<Config> configs = {base};
  const auto multiply = [&configs](const auto& values, auto Config::*member) {
    if (values.empty()) return;
    std::vector<Config> product;
    for (const Config& config : configs) {
      for (const auto& value : values) {
        product.push_back(config);
        product.back().*member = value;
      }
    }
    configs = std::move(product);
  };
  multiply(axes.engines, &Config::engine);
  multiply(axes.schedulers, &Config::scheduler);
  multiply(axes.stacks, &Config::stack);
  multiply(axes.preemptions, &Config::preemption);
  multiply(axes.procs, &Config::procs);
  return configs;
}

}  // namespace gyre::lab
