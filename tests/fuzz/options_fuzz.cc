// Options' values: lines of name=value against one option of each type. What is accepted is within what the option
// allows.
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_split.h"
#include "plugins/options.h"
#include "tests/fuzz/expect.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto* specs =
      new std::vector<gyre::OptionSpec>{gyre::BoolOption("bool", true, ""),
                                        gyre::IntOption("int", 5, -10, 10, ""),
                                        gyre::DoubleOption("double", 0.5, 0, 1, ""),
                                        gyre::DurationOption("duration", "1ms", 1000, 1'000'000'000, ""),
                                        gyre::BytesOption("bytes", "64K", 4096, 1 << 30, ""),
                                        gyre::ChoiceOption("choice", {"one", "two"}, "one", ""),
                                        gyre::StringOption("string", "", "")};
  std::vector<std::pair<std::string, std::string>> written;
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    written.emplace_back(absl::StrSplit(line, absl::MaxSplits('=', 1)));
    if (written.size() == 8) break;
  }
  const absl::StatusOr<gyre::PluginOptions> options = gyre::PluginOptions::Parse("fuzz", *specs, written);
  if (!options.ok()) {
    GYRE_EXPECT(!options.status().message().empty());
    return 0;
  }
  GYRE_EXPECT(options->Int("int") >= -10 && options->Int("int") <= 10);
  GYRE_EXPECT(options->Double("double") >= 0 && options->Double("double") <= 1);
  GYRE_EXPECT(options->Duration("duration") >= 1000 && options->Duration("duration") <= 1'000'000'000);
  GYRE_EXPECT(options->Bytes("bytes") >= 4096 && options->Bytes("bytes") <= 1 << 30);
  GYRE_EXPECT(options->Choice("choice") == "one" || options->Choice("choice") == "two");
  return 0;
}
