#include "plugins/config.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

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
  return absl::InvalidArgumentError(absl::StrCat(key, "=", text, " is not a number of ",
                                                 key == "procs" ? "processors" : "threads", ": it may be from ", min,
                                                 " to ", max));
}

// The keys whose value is a spec with options (spec.h), and may hold commas.
bool TakesSpec(absl::string_view key) {
  return key == "scheduler" || key == "stack" || key == "preemption" || key == "engine";
}

bool IsKey(absl::string_view key) {
  return std::find(ConfigKeys().begin(), ConfigKeys().end(), key) != ConfigKeys().end();
}

absl::Status UnknownKey(absl::string_view part, absl::string_view key) {
  return absl::InvalidArgumentError(
      absl::StrCat("\"", part, "\" is not key=value with one of the keys: ", absl::StrJoin(ConfigKeys(), ", "),
                   internal::DidYouMean(key, ConfigKeys())));
}

}  // namespace

const std::vector<std::string>& ConfigKeys() {
  static const auto* keys = new std::vector<std::string>{"scheduler", "stack",       "preemption", "engine",
                                                         "procs",     "max_threads", "seed",       "plugin",
                                                         "trace",       "intercept",
                                                         "debug_http", "debug_http_public", "block_profile_rate",
                                                         "mutex_profile_fraction"};
  return *keys;
}

absl::Status Config::Set(absl::string_view key, absl::string_view value) {
  if (!IsKey(key)) return UnknownKey(key, key);
  if (value.empty()) return absl::InvalidArgumentError(absl::StrCat(key, "= has no value"));
  if (key == "scheduler") scheduler = std::string(value);
  if (key == "stack") stack = std::string(value);
  if (key == "preemption") preemption = std::string(value);
  if (key == "engine") engine = std::string(value);
  if (key == "plugin") plugins.emplace_back(value);
  if (key == "trace") trace = std::string(value);
  if (key == "intercept") {
    if (value != "on" && value != "off") {
      return absl::InvalidArgumentError(absl::StrCat("intercept=", value, " is neither on nor off"));
    }
    intercept = value == "on";
  }
  if (key == "procs") {
    absl::StatusOr<int> count = ParseCount(key, value, 1, kMaxProcs);
    if (!count.ok()) return count.status();
    procs = *count;
  }
  if (key == "max_threads") {
    absl::StatusOr<int> count = ParseCount(key, value, 2, 1 << 20);
    if (!count.ok()) return count.status();
    max_threads = *count;
  }
  if (key == "debug_http") debug_http = std::string(value);
  if (key == "debug_http_public" && !absl::SimpleAtob(value, &debug_http_public)) {
    return absl::InvalidArgumentError(absl::StrCat("debug_http_public=", value, " is neither true nor false"));
  }
  if (int number; key == "block_profile_rate" || key == "mutex_profile_fraction") {
    if (!absl::SimpleAtoi(value, &number) || number < 0 || number > kMaxRate) {
      return absl::InvalidArgumentError(absl::StrCat(key, "=", value, " is not a whole number from 0 to ", kMaxRate));
    }
    (key == "block_profile_rate" ? block_profile_rate : mutex_profile_fraction) = static_cast<int>(number);
  }
  if (uint64_t number; key == "seed") {
    if (!absl::SimpleAtoi(value, &number)) {
      return absl::InvalidArgumentError(absl::StrCat("seed=", value, " is not a whole number from 0 to 2^64-1"));
    }
    seed = number;
  }
  return absl::OkStatus();
}

absl::Status Config::Apply(absl::string_view text) {
  std::vector<std::pair<std::string, std::string>> entries;
  for (absl::string_view part : absl::StrSplit(text, ',', absl::SkipWhitespace())) {
    part = absl::StripAsciiWhitespace(part);
    const size_t equals = std::min(part.find('='), part.size());
    const absl::string_view key = absl::StripTrailingAsciiWhitespace(part.substr(0, equals));
    if (equals != part.size() && IsKey(key)) {
      entries.emplace_back(std::string(key), std::string(absl::StripLeadingAsciiWhitespace(part.substr(equals + 1))));
    } else if (!entries.empty() && TakesSpec(entries.back().first) &&
               entries.back().second.find_first_of(":(") != std::string::npos) {
      // Only a spec that has options already, or holds another, goes on: "scheduler=gmp,steal=one" is a
      // slip.
      absl::StrAppend(&entries.back().second, ",", part);
    } else {
      return UnknownKey(part, key);
    }
  }
  Config changed = *this;
  for (const auto& [key, value] : entries) {
    if (absl::Status status = changed.Set(key, value); !status.ok()) return status;
  }
  *this = std::move(changed);
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
  if (trace != defaults.trace) absl::StrAppend(&text, ",trace=", trace);
  if (intercept) text += ",intercept=on";
  if (!debug_http.empty()) absl::StrAppend(&text, ",debug_http=", debug_http);
  if (debug_http_public) absl::StrAppend(&text, ",debug_http_public=true");
  if (block_profile_rate != 0) absl::StrAppend(&text, ",block_profile_rate=", block_profile_rate);
  if (mutex_profile_fraction != 0) absl::StrAppend(&text, ",mutex_profile_fraction=", mutex_profile_fraction);
  return text;
}

}  // namespace gyre
