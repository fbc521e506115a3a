// The engines that are linked in, by name.
#include "runtime/engine.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "plugins/spec.h"

namespace gyre::internal {

namespace {

// Filled before main begins, read-only afterwards.
std::vector<EngineKind>& Kinds() {
  static auto* kinds = new std::vector<EngineKind>{
      {"threads", "kernel threads and the machine's clock", {},
       [](const Config& config, const PluginOptions&, const std::string& inner) -> absl::StatusOr<std::unique_ptr<Engine>> {
         if (!inner.empty()) return absl::InvalidArgumentError("engine threads holds no other one");
         return MakeThreadsEngine(config);
       }}};
  return *kinds;
}

}  // namespace

bool RegisterEngine(EngineKind kind) {
  Kinds().push_back(std::move(kind));
  return true;
}

const std::vector<EngineKind>& ListEngines() { return Kinds(); }

absl::StatusOr<std::unique_ptr<Engine>> MakeEngine(const Config& config) {
  absl::StatusOr<PluginSpec> spec = ParseSpec(config.engine);
  if (!spec.ok()) return spec.status();
  std::vector<std::string> names;
  for (const EngineKind& kind : Kinds()) {
    names.push_back(kind.name);
    if (kind.name != spec->name) continue;
    auto options = PluginOptions::Parse(absl::StrCat("engine ", kind.name), kind.options, spec->options);
    if (!options.ok()) return options.status();
    return kind.make(config, *options, spec->inner);
  }
  return absl::InvalidArgumentError(absl::StrCat("unknown engine \"", spec->name, "\"", DidYouMean(spec->name, names),
                                                 "; there are: ", absl::StrJoin(names, ", ")));
}

}  // namespace gyre::internal
