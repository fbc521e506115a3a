// The command-line flags that every gyre program takes: --scheduler, --stack, --preemption, --engine, --procs,
// --max_threads, --seed, --trace, --plugin (may hold several files, comma-separated), --debug_http, --debug_http_public,
// --block_profile_rate, --mutex_profile_fraction. They go over the environment variable
// GYRE; a flag that is not given, or is empty, leaves what is there.
#ifndef GYRE_PLUGINS_FLAGS_H_
#define GYRE_PLUGINS_FLAGS_H_

#include "absl/status/statusor.h"
#include "plugins/config.h"

namespace gyre {

// The environment's configuration with the flags that the user gave on top. Call after absl::ParseCommandLine. The
// shared objects are loaded, and every plug-in name and option is checked, so an error here is the user's and has a
// sentence.
absl::StatusOr<Config> ConfigFromFlags();

// Loads config.plugins and makes each plug-in once, to check the names and options.
absl::Status CheckConfig(const Config& config);

}  // namespace gyre

#endif  // GYRE_PLUGINS_FLAGS_H_
