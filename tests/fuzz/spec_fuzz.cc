// A plug-in's spec: parsed into a name that a plug-in can have, options, and perhaps another spec inside, which may be
// wrong in turn.
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"
#include "plugins/spec.h"
#include "tests/fuzz/expect.h"

namespace {

using gyre::internal::PluginSpec;

std::string Print(const PluginSpec& spec) {
  std::string text = spec.name;
  if (spec.has_inner) absl::StrAppend(&text, "(", spec.inner, ")");
  for (size_t i = 0; i < spec.options.size(); ++i) {
    absl::StrAppend(&text, i == 0 ? ":" : ",", spec.options[i].first, "=", spec.options[i].second);
  }
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  gyre::internal::DidYouMean(text.substr(0, 64), {"gmp", "global", "fair"});
  absl::StatusOr<PluginSpec> spec = gyre::internal::ParseSpec(text);
  for (int depth = 0; depth < 100; ++depth) {
    if (!spec.ok()) {
      GYRE_EXPECT(!spec.status().message().empty());
      return 0;
    }
    GYRE_EXPECT(gyre::internal::IsPluginName(spec->name));
    const absl::StatusOr<PluginSpec> again = gyre::internal::ParseSpec(Print(*spec));
    GYRE_EXPECT(again.ok() && Print(*again) == Print(*spec));
    if (!spec->has_inner) return 0;
    spec = gyre::internal::ParseSpec(std::string(spec->inner));
  }
  return 0;
}
