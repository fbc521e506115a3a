#include "plugins/options.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <iostream>
#include <limits>

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

std::string Shown(OptionType type, int64_t value) {
  if (type == OptionType::kDuration) return absl::FormatDuration(absl::Nanoseconds(value));
  if (type != OptionType::kBytes) return absl::StrCat(value);
  constexpr char kUnits[] = {'G', 'M', 'K'};
  int shift = 30;
  for (char unit : kUnits) {
    if (value != 0 && value % (int64_t{1} << shift) == 0) return absl::StrCat(value >> shift, std::string(1, unit));
    shift -= 10;
  }
  return absl::StrCat(value);
}

absl::StatusOr<int64_t> ParseInt(absl::string_view what, absl::string_view text) {
  int64_t value;
  if (absl::SimpleAtoi(text, &value)) return value;
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
  if (absl::ParseDuration(text, &duration) && duration != absl::InfiniteDuration() &&
      duration != -absl::InfiniteDuration()) {
    return absl::ToInt64Nanoseconds(duration);
  }
  return absl::InvalidArgumentError(absl::StrCat(what, "=", text, " is not a duration such as 50us, 1.5ms or 2s"));
}

absl::StatusOr<int64_t> ParseBytes(absl::string_view what, absl::string_view text) {
  absl::string_view digits = text;
  int shift = 0;
  if (!digits.empty()) {
    switch (digits.back()) {
      case 'K': case 'k': shift = 10; break;
      case 'M': case 'm': shift = 20; break;
      case 'G': case 'g': shift = 30; break;
      default: break;
    }
  }
  if (shift != 0) digits.remove_suffix(1);
  int64_t value;
  if (absl::SimpleAtoi(digits, &value) && value >= 0 && value <= (std::numeric_limits<int64_t>::max() >> shift)) {
    return value << shift;
  }
  return absl::InvalidArgumentError(absl::StrCat(what, "=", text, " is not a size such as 4096, 64K, 8M or 1G"));
}

absl::StatusOr<PluginOptions> PluginOptions::Parse(absl::string_view plugin, const std::vector<OptionSpec>& specs,
                                                   const std::vector<std::pair<std::string, std::string>>& written) {
  PluginOptions result;
  std::vector<std::string> names;
  for (const OptionSpec& spec : specs) names.push_back(spec.name);
  for (const auto& [name, text] : written) {
    if (std::find(names.begin(), names.end(), name) == names.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat(plugin, " has no option \"", name, "\"", internal::DidYouMean(name, names), "; ",
                       names.empty() ? "it has none" : absl::StrCat("it has: ", absl::StrJoin(names, ", "))));
    }
  }
  for (const OptionSpec& spec : specs) {
    Value value;
    value.type = spec.type;
    value.text = spec.default_value;
    for (const auto& [name, text] : written) {
      if (name != spec.name) continue;
      if (value.set) return absl::InvalidArgumentError(absl::StrCat(plugin, ": option \"", name, "\" is given twice"));
      value.text = text;
      value.set = true;
    }
    const std::string what = absl::StrCat(plugin, ": ", spec.name);
    absl::StatusOr<int64_t> number = int64_t{0};
    switch (spec.type) {
      case OptionType::kBool: {
        absl::StatusOr<bool> on = ParseBool(what, value.text);
        if (!on.ok()) return on.status();
        number = *on;
        break;
      }
      case OptionType::kInt: number = ParseInt(what, value.text); break;
      case OptionType::kDuration: number = ParseDuration(what, value.text); break;
      case OptionType::kBytes: number = ParseBytes(what, value.text); break;
      case OptionType::kDouble:
        if (!absl::SimpleAtod(value.text, &value.real) || !std::isfinite(value.real)) {
          return absl::InvalidArgumentError(absl::StrCat(what, "=", value.text, " is not a number"));
        }
        break;
      case OptionType::kChoice:
        if (std::find(spec.choices.begin(), spec.choices.end(), value.text) == spec.choices.end()) {
          return absl::InvalidArgumentError(absl::StrCat(what, "=", value.text, " is not one of: ",
                                                         absl::StrJoin(spec.choices, ", "),
                                                         internal::DidYouMean(value.text, spec.choices)));
        }
        break;
      case OptionType::kString: break;
    }
    if (!number.ok()) return number.status();
    const bool ranged = spec.type == OptionType::kInt || spec.type == OptionType::kDuration || spec.type == OptionType::kBytes;
    if (ranged && (*number < spec.min || *number > spec.max)) {
      return absl::InvalidArgumentError(absl::StrCat(what, "=", value.text, " is out of range; it may be from ",
                                                     Shown(spec.type, spec.min), " to ", Shown(spec.type, spec.max)));
    }
    value.number = *number;
    result.values_.emplace(spec.name, std::move(value));
  }
  return result;
}

const PluginOptions::Value& PluginOptions::Get(absl::string_view name, OptionType type) const {
  auto it = values_.find(std::string(name));
  if (it == values_.end() || it->second.type != type) {
    std::cerr << "gyre: a plug-in asks for option \"" << name << "\", which it did not declare"
              << (it == values_.end() ? "" : " with that type") << std::endl;
    std::abort();
  }
  return it->second;
}

bool PluginOptions::Bool(absl::string_view name) const { return Get(name, OptionType::kBool).number != 0; }
int64_t PluginOptions::Int(absl::string_view name) const { return Get(name, OptionType::kInt).number; }
double PluginOptions::Double(absl::string_view name) const { return Get(name, OptionType::kDouble).real; }
Nanos PluginOptions::Duration(absl::string_view name) const { return Get(name, OptionType::kDuration).number; }
int64_t PluginOptions::Bytes(absl::string_view name) const { return Get(name, OptionType::kBytes).number; }
const std::string& PluginOptions::Choice(absl::string_view name) const { return Get(name, OptionType::kChoice).text; }
const std::string& PluginOptions::String(absl::string_view name) const { return Get(name, OptionType::kString).text; }
bool PluginOptions::WasSet(absl::string_view name) const {
  auto it = values_.find(std::string(name));
  return it != values_.end() && it->second.set;
}

}  // namespace gyre
