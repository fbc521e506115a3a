#include "lab/arguments.h"

#include <algorithm>
#include <cstddef>

#include "absl/flags/commandlineflag.h"
#include "absl/flags/reflection.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lab/table.h"
#include "plugins/spec.h"

namespace gyre::lab {

namespace {

absl::Status UnknownFlag(absl::string_view subcommand, absl::string_view name, const std::vector<FlagUse>& flags) {
  std::vector<std::string> names;
  for (const FlagUse& flag : flags) names.push_back(flag.name);
  const std::string suggestion = internal::DidYouMean(name, names);
  return absl::InvalidArgumentError(absl::StrCat(
      subcommand, " has no flag --", name, suggestion, "; ",
      names.empty() ? "it has none"
                    : absl::StrCat("it has: ", absl::StrJoin(names, ", ", [](std::string* out, const auto& flag) {
                                     absl::StrAppend(out, "--", flag);
                                   }))));
}

}  // namespace

absl::StatusOr<Arguments> ParseArguments(absl::string_view subcommand, const std::vector<std::string>& arguments,
                                         const std::vector<FlagUse>& flags) {
  Arguments result;
  result.all.emplace_back(subcommand);
  result.all.insert(result.all.end(), arguments.begin(), arguments.end());
  for (size_t i = 0; i < arguments.size(); ++i) {
    absl::string_view word = arguments[i];
    if (word == "--") {
      result.words.insert(result.words.end(), arguments.begin() + static_cast<std::ptrdiff_t>(i) + 1, arguments.end());
      break;
    }
    if (word.size() < 2 || word[0] != '-') {
      result.words.emplace_back(word);
      continue;
    }
    word.remove_prefix(absl::StartsWith(word, "--") ? 2 : 1);
    if (word == "help" || word == "h") {
      result.help = true;
      continue;
    }
    const size_t equals = word.find('=');
    const std::string name(word.substr(0, equals));
    const auto use = std::find_if(flags.begin(), flags.end(), [&](const FlagUse& flag) { return name == flag.name; });
    if (use == flags.end()) return UnknownFlag(subcommand, name, flags);

    std::string value;
    if (equals != absl::string_view::npos) {
      value = std::string(word.substr(equals + 1));
    } else if (use->value == nullptr) {
      value = "true";
    } else if (use->alone != nullptr) {
      value = use->alone;
    } else if (i + 1 < arguments.size()) {
      value = arguments[++i];
    }
    if (value.empty())
      return absl::InvalidArgumentError(absl::StrCat("--", name, " has no value: write --", name, "=", use->value));
    std::string error;
    absl::CommandLineFlag* flag = absl::FindCommandLineFlag(name);
    if (!flag->ParseFrom(value, &error)) {
      return absl::InvalidArgumentError(absl::StrCat("--", name, "=", value, ": ", error));
    }
    result.given.insert(name);
  }
  return result;
}

std::string DescribeFlags(const std::vector<FlagUse>& flags) {
  std::string text;
  for (const FlagUse& use : flags) {
    const absl::CommandLineFlag* flag = absl::FindCommandLineFlag(use.name);
    std::string value = use.value == nullptr ? "" : absl::StrCat("=", use.value);
    if (use.alone != nullptr) value = absl::StrCat("[", value, "]");
    const std::string by_default = flag->DefaultValue();
    absl::StrAppend(&text, "  --", use.name, value, "\n",
                    Wrap(absl::StrCat(flag->Help(), by_default.empty() || by_default == "false"
                                                        ? ""
                                                        : absl::StrCat(" (default: ", by_default, ")")),
                         "      ", 120));
  }
  return text;
}

const std::vector<FlagUse>& ConfigurationFlags() {
  static const auto* const kFlags = new std::vector<FlagUse>{
      {"scheduler", "NAME[:OPTION=VALUE,...]"},
      {"stack", "NAME[:...]"},
      {"preemption", "NAME[:...]"},
      {"engine", "NAME"},
      {"procs", "N"},
      {"max_threads", "N"},
      {"seed", "N"},
      {"trace", "FILE"},
      {"plugin", "FILE,..."},
      {"debug_http", "ADDRESS:PORT"},
      {"debug_http_public", "true|false"},
      {"block_profile_rate", "N"},
      {"mutex_profile_fraction", "N"},
  };
  return *kFlags;
}

}  // namespace gyre::lab
