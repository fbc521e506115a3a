#include "plugins/options.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "plugins/spec.h"

namespace gyre {

namespace {

OptionSpec Spec(absl::string_view name, OptionType type, std::string default_value, absl::string_view help) {
  OptionSpec spec;
  spec.name = std::string(name);
  spec.type = type;
  spec.default_value = std::move(default_value);
  spec.help = std::string(help);
  return spec;
}

OptionSpec Ranged(OptionSpec spec, int64_t min, int64_t max) {
  spec.min = min;
  spec.max = max;
  return spec;
}

std::string ShownBytes(int64_t value) {
  for (const auto& [unit, shift] : {std::pair("G", 30), std::pair("M", 20), std::pair("K", 10)}) {
    if (value != 0 && value % (int64_t{1} << shift) == 0) return absl::StrCat(value >> shift, unit);
  }
  return absl::StrCat(value);
}

std::string Shown(OptionType type, int64_t value) {
  switch (type) {
    case OptionType::kDuration:
      return absl::FormatDuration(absl::Nanoseconds(value));
    case OptionType::kBytes:
      return ShownBytes(value);
    default:
      return absl::StrCat(value);
  }
}

// "may be from LEAST to MOST", or one of the bounds where there is but one. An empty bound is none.
absl::Status OutOfRange(absl::string_view what, absl::string_view text, absl::string_view least,
                        absl::string_view most) {
  std::string valid;
  if (!least.empty() && !most.empty()) {
    valid = absl::StrCat("it may be from ", least, " to ", most);
  } else if (!least.empty()) {
    valid = absl::StrCat("it may be at least ", least);
  } else {
    valid = absl::StrCat("it may be at most ", most);
  }
  return absl::InvalidArgumentError(absl::StrCat(what, "=", text, " is out of range; ", valid));
}

// Digits alone, with a sign or without: where such a text is not a number, it is too large a one.
bool IsAllDigits(absl::string_view text) {
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) text.remove_prefix(1);
  return !text.empty() && std::all_of(text.begin(), text.end(),
                                      [](char c) { return absl::ascii_isdigit(static_cast<unsigned char>(c)); });
}

absl::StatusOr<int64_t> ParseInt(absl::string_view what, absl::string_view text) {
  int64_t value;
  if (absl::SimpleAtoi(text, &value)) return value;
  if (IsAllDigits(text)) return absl::OutOfRangeError(absl::StrCat(what, "=", text, " does not fit in 64 bits"));
  return absl::InvalidArgumentError(absl::StrCat(what, "=", text, " is not a whole number"));
}

}  // namespace

OptionSpec BoolOption(absl::string_view name, bool default_value, absl::string_view help) {
  return Spec(name, OptionType::kBool, default_value ? "on" : "off", help);
}
OptionSpec IntOption(absl::string_view name, int64_t default_value, int64_t min, int64_t max, absl::string_view help) {
  return Ranged(Spec(name, OptionType::kInt, absl::StrCat(default_value), help), min, max);
}
OptionSpec DoubleOption(absl::string_view name, double default_value, absl::string_view help) {
  return Spec(name, OptionType::kDouble, absl::StrCat(default_value), help);
}
OptionSpec DoubleOption(absl::string_view name, double default_value, double min, double max, absl::string_view help) {
  OptionSpec spec = DoubleOption(name, default_value, help);
  spec.real_min = min;
  spec.real_max = max;
  return spec;
}
OptionSpec DurationOption(absl::string_view name, absl::string_view default_value, Nanos min, Nanos max,
                          absl::string_view help) {
  return Ranged(Spec(name, OptionType::kDuration, std::string(default_value), help), min, max);
}
OptionSpec BytesOption(absl::string_view name, absl::string_view default_value, int64_t min, int64_t max,
                       absl::string_view help) {
  return Ranged(Spec(name, OptionType::kBytes, std::string(default_value), help), min, max);
}
OptionSpec ChoiceOption(absl::string_view name, std::vector<std::string> choices, absl::string_view default_value,
                        absl::string_view help) {
  OptionSpec spec = Spec(name, OptionType::kChoice, std::string(default_value), help);
  spec.choices = std::move(choices);
  return spec;
}
OptionSpec StringOption(absl::string_view name, absl::string_view default_value, absl::string_view help) {
  return Spec(name, OptionType::kString, std::string(default_value), help);
}

absl::StatusOr<bool> ParseBool(absl::string_view what, absl::string_view text) {
  if (text == "on" || text == "true" || text == "yes" || text == "1") return true;
  if (text == "off" || text == "false" || text == "no" || text == "0") return false;
  return absl::InvalidArgumentError(absl::StrCat(what, "=", text, " is not one of: on, off"));
}

absl::StatusOr<Nanos> ParseDuration(absl::string_view what, absl::string_view text) {
  absl::Duration duration;
  if (!absl::ParseDuration(text, &duration)) {
    return absl::InvalidArgumentError(absl::StrCat(what, "=", text, " is not a duration such as 50us, 1.5ms or 2s"));
  }
  if (absl::AbsDuration(duration) > absl::Nanoseconds(kNever)) {
    return absl::OutOfRangeError(absl::StrCat(what, "=", text, " is longer than 292 years"));
  }
  return absl::ToInt64Nanoseconds(duration);
}

absl::StatusOr<int64_t> ParseBytes(absl::string_view what, absl::string_view text) {
  absl::string_view digits = text;
  int shift = 0;
  if (!digits.empty()) {
    switch (absl::ascii_toupper(static_cast<unsigned char>(digits.back()))) {
      case 'K':
        shift = 10;
        break;
      case 'M':
        shift = 20;
        break;
      case 'G':
        shift = 30;
        break;
      default:
        break;
    }
  }
  if (shift != 0) digits.remove_suffix(1);
  if (!IsAllDigits(digits) || digits.front() == '-') {
    return absl::InvalidArgumentError(absl::StrCat(what, "=", text, " is not a size such as 4096, 64K, 8M or 1G"));
  }
  int64_t value;
  if (!absl::SimpleAtoi(digits, &value) || value > (std::numeric_limits<int64_t>::max() >> shift)) {
    return absl::OutOfRangeError(absl::StrCat(what, "=", text, " does not fit in 64 bits"));
  }
  return value << shift;
}

absl::StatusOr<PluginOptions::Value> PluginOptions::ParseValue(absl::string_view plugin, const OptionSpec& spec,
                                                               const std::string& text) {
  Value value;
  value.type = spec.type;
  value.text = text;
  const std::string what = absl::StrCat(plugin, ": ", spec.name);
  absl::StatusOr<int64_t> number = int64_t{0};
  switch (spec.type) {
    case OptionType::kBool: {
      absl::StatusOr<bool> on = ParseBool(what, text);
      if (!on.ok()) return on.status();
      value.number = *on ? 1 : 0;
      return value;
    }
    case OptionType::kDouble:
      if (!absl::SimpleAtod(text, &value.real) || !std::isfinite(value.real)) {
        return absl::InvalidArgumentError(absl::StrCat(what, "=", text, " is not a finite number"));
      }
      if (value.real < spec.real_min || value.real > spec.real_max) {
        return OutOfRange(what, text, std::isfinite(spec.real_min) ? absl::StrCat(spec.real_min) : "",
                          std::isfinite(spec.real_max) ? absl::StrCat(spec.real_max) : "");
      }
      return value;
    case OptionType::kChoice:
      if (std::find(spec.choices.begin(), spec.choices.end(), text) == spec.choices.end()) {
        return absl::InvalidArgumentError(absl::StrCat(what, "=", text,
                                                       " is not one of: ", absl::StrJoin(spec.choices, ", "),
                                                       internal::DidYouMean(text, spec.choices)));
      }
      return value;
    case OptionType::kString:
      return value;
    case OptionType::kInt:
      number = ParseInt(what, text);
      break;
    case OptionType::kDuration:
      number = ParseDuration(what, text);
      break;
    case OptionType::kBytes:
      number = ParseBytes(what, text);
      break;
  }
  const bool fits = number.ok() && *number >= spec.min && *number <= spec.max;
  const bool bounded = spec.min != INT64_MIN || spec.max != INT64_MAX;
  if (bounded && !fits && (number.ok() || absl::IsOutOfRange(number.status()))) {
    return OutOfRange(what, text, spec.min == INT64_MIN ? "" : Shown(spec.type, spec.min),
                      spec.max == INT64_MAX ? "" : Shown(spec.type, spec.max));
  }
  if (!number.ok()) return absl::InvalidArgumentError(number.status().message());
  value.number = *number;
  return value;
}

absl::StatusOr<PluginOptions> PluginOptions::Parse(absl::string_view plugin, const std::vector<OptionSpec>& specs,
                                                   const std::vector<std::pair<std::string, std::string>>& written) {
  std::vector<std::string> names;
  names.reserve(specs.size());
  for (const OptionSpec& spec : specs) names.push_back(spec.name);
  std::map<std::string, std::string> given;
  for (const auto& [name, text] : written) {
    if (std::find(names.begin(), names.end(), name) == names.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat(plugin, " has no option \"", name, "\"", internal::DidYouMean(name, names), "; ",
                       names.empty() ? "it has none" : absl::StrCat("it has: ", absl::StrJoin(names, ", "))));
    }
    if (!given.emplace(name, text).second) {
      return absl::InvalidArgumentError(absl::StrCat(plugin, ": option \"", name, "\" is given twice"));
    }
  }
  PluginOptions result;
  for (const OptionSpec& spec : specs) {
    const auto user = given.find(spec.name);
    absl::StatusOr<Value> value = ParseValue(plugin, spec, user == given.end() ? spec.default_value : user->second);
    if (!value.ok()) return value.status();
    value->set = user != given.end();
    result.values_.emplace(spec.name, *std::move(value));
  }
  return result;
}

const PluginOptions::Value& PluginOptions::Find(absl::string_view name) const {
  auto it = values_.find(name);
  if (it == values_.end()) {
    std::fprintf(stderr, "gyre: a plug-in asks for option \"%s\", which it did not declare\n",
                 std::string(name).c_str());
    std::abort();
  }
  return it->second;
}

const PluginOptions::Value& PluginOptions::Get(absl::string_view name, OptionType type) const {
  const Value& value = Find(name);
  if (value.type != type) {
    std::fprintf(stderr, "gyre: a plug-in asks for option \"%s\" as another type than it declared\n",
                 std::string(name).c_str());
    std::abort();
  }
  return value;
}

bool PluginOptions::Bool(absl::string_view name) const {
  return Get(name, OptionType::kBool).number != 0;
}
int64_t PluginOptions::Int(absl::string_view name) const {
  return Get(name, OptionType::kInt).number;
}
double PluginOptions::Double(absl::string_view name) const {
  return Get(name, OptionType::kDouble).real;
}
Nanos PluginOptions::Duration(absl::string_view name) const {
  return Get(name, OptionType::kDuration).number;
}
int64_t PluginOptions::Bytes(absl::string_view name) const {
  return Get(name, OptionType::kBytes).number;
}
const std::string& PluginOptions::Choice(absl::string_view name) const {
  return Get(name, OptionType::kChoice).text;
}
const std::string& PluginOptions::String(absl::string_view name) const {
  return Get(name, OptionType::kString).text;
}
bool PluginOptions::WasSet(absl::string_view name) const {
  return Find(name).set;
}

}  // namespace gyre
