// Typed plug-in options: what a plug-in declares, and the checked values that it is started with.
//
// A plug-in lists its options where it registers itself; the registry checks what a user wrote against that list, so a
// plug-in never sees a name or a value that it did not declare.
#ifndef GYRE_PLUGINS_OPTIONS_H_
#define GYRE_PLUGINS_OPTIONS_H_

#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "plugins/task.h"

namespace gyre {

enum class OptionType : uint8_t { kBool, kInt, kDouble, kDuration, kBytes, kChoice, kString };

// One declared option. Make it with BoolOption, IntOption, ...
struct OptionSpec {
  std::string name;
  OptionType type = OptionType::kString;
  std::string default_value;  // in the form a user would write
  std::string help;
  std::vector<std::string> choices;  // kChoice
  int64_t min = INT64_MIN;           // kInt, kDuration (nanoseconds), kBytes
  int64_t max = INT64_MAX;
  double real_min = -std::numeric_limits<double>::infinity();  // kDouble
  double real_max = std::numeric_limits<double>::infinity();
};

OptionSpec BoolOption(absl::string_view name, bool default_value, absl::string_view help);        // on, off
OptionSpec IntOption(absl::string_view name, int64_t default_value, int64_t min, int64_t max, absl::string_view help);
OptionSpec DoubleOption(absl::string_view name, double default_value, absl::string_view help);
OptionSpec DoubleOption(absl::string_view name, double default_value, double min, double max, absl::string_view help);
OptionSpec DurationOption(absl::string_view name, absl::string_view default_value, Nanos min, Nanos max,
                          absl::string_view help);                                                // 100us, 1.5ms, 2s
OptionSpec BytesOption(absl::string_view name, absl::string_view default_value, int64_t min, int64_t max,
                       absl::string_view help);                                                   // 4096, 64K, 1G
OptionSpec ChoiceOption(absl::string_view name, std::vector<std::string> choices, absl::string_view default_value,
                        absl::string_view help);
OptionSpec StringOption(absl::string_view name, absl::string_view default_value, absl::string_view help);

// Checked values. Asking for an option that was not declared, or as another type, is a bug in the plug-in and aborts.
class PluginOptions {
 public:
  // `written`: name and value as the user wrote them, in order. An unknown name, a value that does not parse or is out
  // of range, and a name written twice are errors that name what is valid. `plugin` is for the message.
  static absl::StatusOr<PluginOptions> Parse(absl::string_view plugin, const std::vector<OptionSpec>& specs,
                                             const std::vector<std::pair<std::string, std::string>>& written);

  bool Bool(absl::string_view name) const;
  int64_t Int(absl::string_view name) const;
  double Double(absl::string_view name) const;
  Nanos Duration(absl::string_view name) const;
  int64_t Bytes(absl::string_view name) const;
  const std::string& Choice(absl::string_view name) const;
  const std::string& String(absl::string_view name) const;
  bool WasSet(absl::string_view name) const;  // by the user, not by default

 private:
  struct Value {
    OptionType type;
    bool set = false;
    int64_t number = 0;  // kBool, kInt, kDuration, kBytes
    double real = 0;
    std::string text;
  };
  static absl::StatusOr<Value> ParseValue(absl::string_view plugin, const OptionSpec& spec, const std::string& text);
  const Value& Find(absl::string_view name) const;
  const Value& Get(absl::string_view name, OptionType type) const;
  std::map<std::string, Value, std::less<>> values_;
};

// The values' grammars, for other parsers of ours. `what` begins the error's sentence. A number that no int64_t holds
// is an OutOfRange error, all else an InvalidArgument error.
absl::StatusOr<Nanos> ParseDuration(absl::string_view what, absl::string_view text);
absl::StatusOr<int64_t> ParseBytes(absl::string_view what, absl::string_view text);
absl::StatusOr<bool> ParseBool(absl::string_view what, absl::string_view text);

}  // namespace gyre

#endif  // GYRE_PLUGINS_OPTIONS_H_
