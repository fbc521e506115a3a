// A runtime's configuration: which plug-ins, which engine, how many processors. It comes from, later over earlier: the
// defaults, the environment variable GYRE (comma-separated key=value), the command-line flags (flags.h), the program.
#ifndef GYRE_PLUGINS_CONFIG_H_
#define GYRE_PLUGINS_CONFIG_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace gyre {

struct Config {
  static constexpr int kMaxProcs = 4096;
  static constexpr int kMaxRate = 1'000'000'000;  // of a profile

  std::string scheduler = "gmp";
  std::string stack = "contiguous";
  std::string preemption = "cooperative";
  std::string engine = "threads";
  int procs = 0;       // 0: as many as the process may use CPUs
  int max_threads = 10000;  // kernel threads; one more is a fatal error
  std::string trace;   // the file that the run's trace goes to; empty: none (runtime/trace/trace.h)
  uint64_t seed = 0;   // 0: from the operating system, on the threads engine; 1, in the simulator
  std::vector<std::string> plugins;  // shared objects to load first
  bool intercept = false;  // C functions that block park goroutines, in programs linked with //runtime/intercept

  // Looking into the program (runtime/debug). Read by gyre::Main.
  std::string debug_http;          // where to serve profiles and metrics: 127.0.0.1:6060; empty: nowhere
  bool debug_http_public = false;  // also on an address that other machines can reach
  int block_profile_rate = 0;  // one wait recorded for each so many nanoseconds waited; 0: none
  int mutex_profile_fraction = 0;  // one of so many contended unlocks recorded; 0: none

  // Applies "scheduler=gmp:steal=half,runnext=off,stack=fixed,procs=4". A part whose name is not a configuration key
  // belongs to the value before it, so a plug-in's options need no quoting. Later parts win; `plugin` adds.
  // Checks keys, numbers and ranges; the plug-ins' names are checked where they are made.
  // An error leaves the configuration as it was.
  absl::Status Apply(absl::string_view text);

  // One key; all of `value` belongs to it, commas too.
  absl::Status Set(absl::string_view key, absl::string_view value);

  // Defaults, then GYRE. An error names the variable.
  static absl::StatusOr<Config> FromEnvironment();

  // In the form that Apply reads: a result that carries it can be run again.
  std::string ToString() const;
};

// The names that Apply knows, in a fixed order: plug-ins may not name an option so.
const std::vector<std::string>& ConfigKeys();

}  // namespace gyre

#endif  // GYRE_PLUGINS_CONFIG_H_
