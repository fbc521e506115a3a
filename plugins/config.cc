#include "plugins/config.h"

#include <algorithm>
#include <cstdlib>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "plugins/spec.h"

namespace gyre {

namespace {

absl::StatusOr<int> ParseCount(absl::string_view key, absl::string_view text, int min, int max) {
  int value;
  if (absl::SimpleAtoi(text, &value) && value >= min && value <= max) return value;
  return absl::InvalidArgumentError(
      absl::StrCat(key, "=", text, " is not a number of ", key == "procs" ? "processors" : "threads", ": it may be from ",
                   min, " to ", max));
}

absl::Status Set(Config& config, const std::string& key, const std::string& value) {
  if (value.empty()) return absl::InvalidArgumentError(absl::StrCat(key, "= has no value"));
  if (key == "scheduler") config.scheduler = value;
  if (key == "stack") config.stack = value;
  if (key == "preemption") config.preemption = value;
  if (key == "engine") config.engine = value;
  if (key == "plugin") config.plugins.push_back(value);
  if (key == "procs") {
    absl::StatusOr<int> procs = ParseCount(key, value, 1, Config::kMaxProcs);
    if (!procs.ok()) return procs.status();
    config.procs = *procs;
  }
  if (key == "max_threads") {
    absl::StatusOr<int> threads = ParseCount(key, value, 2, 1 << 20);
    if (!threads.ok()) return threads.status();
    config.max_threads = *threads;
  }
  if (key == "seed" && !absl::SimpleAtoi(value, &config.seed)) {
    return absl::InvalidArgumentError(absl::StrCat("seed=", value, " is not a whole number from 0 to 2^64-1"));
  }
  return absl::OkStatus();
}

}  // namespace

const std::vector<std::string>& ConfigKeys() {
  static const auto* keys = new std::vector<std::string>{"scheduler", "stack",       "preemption", "engine",
                                                         "procs",     "max_threads", "seed",       "plugin"};
  return *keys;
}

absl::Status Config::Apply(absl::string_view text) {
  // A part whose name is no key of ours continues the value before it.
  std::vector<std::pair<std::string, std::string>> entries;
  for (absl::string_view part : absl::StrSplit(text, ',', absl::SkipWhitespace())) {
    part = absl::StripAsciiWhitespace(part);
    const size_t equals = part.find('=');
    const std::string key(part.substr(0, std::min(equals, part.size())));
    const auto& keys = ConfigKeys();
    const bool known = equals != absl::string_view::npos && std::find(keys.begin(), keys.end(), key) != keys.end();
    if (known) {
      entries.emplace_back(key, std::string(part.substr(equals + 1)));
    } else if (!entries.empty() && entries.back().second.find_first_of(":(") != std::string::npos) {
      absl::StrAppend(&entries.back().second, ",", part);
    } else {
      return absl::InvalidArgumentError(absl::StrCat("\"", part, "\" is not key=value with one of the keys: ",
                                                     absl::StrJoin(keys, ", "), internal::DidYouMean(key, keys)));
    }
  }
  for (const auto& [key, value] : entries) {
    if (absl::Status status = Set(*this, key, value); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::StatusOr<Config> Config::FromEnvironment() {
  Config config;
  const char* text = std::getenv("GYRE");
  if (text == nullptr) return config;
  if (absl::Status status = config.Apply(text); !status.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("environment variable GYRE: ", status.message()));
  }
  return config;
}

std::string Config::ToString() const {
  const Config defaults;
  std::string text = absl::StrCat("scheduler=", scheduler, ",stack=", stack, ",preemption=", preemption);
  if (engine != defaults.engine) absl::StrAppend(&text, ",engine=", engine);
  if (procs != defaults.procs) absl::StrAppend(&text, ",procs=", procs);
  if (max_threads != defaults.max_threads) absl::StrAppend(&text, ",max_threads=", max_threads);
  if (seed != defaults.seed) absl::StrAppend(&text, ",seed=", seed);
  for (const std::string& plugin : plugins) absl::StrAppend(&text, ",plugin=", plugin);
  return text;
}

}  // namespace gyre
