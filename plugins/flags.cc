#include "plugins/flags.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "plugins/registry.h"

// An empty flag was not given: the environment, or the default, holds.
ABSL_FLAG(std::string, scheduler, "",
          "the scheduling policy, with options: gmp, gmp:steal=one,runnext=off, global, ...");
ABSL_FLAG(std::string, stack, "", "the stack allocator, with options: contiguous, contiguous:limit=1M, fixed, ...");
ABSL_FLAG(std::string, preemption, "",
          "the preemption strategy, with options: klt, cooperative:quantum=1ms, none, ...");
ABSL_FLAG(std::string, engine, "", "what goroutines run on, with options: threads, simulation, ...");
ABSL_FLAG(std::string, procs, "", "the number of processors (default: the CPUs that the process may use)");
ABSL_FLAG(std::string, max_threads, "", "the number of kernel threads that the runtime may make (default 10000)");
ABSL_FLAG(std::string, seed, "",
          "where random choices begin, a number (default: from the operating system; 1 in the simulator)");
ABSL_FLAG(std::string, trace, "",
          "the file for a trace of the run: for `go tool trace`, or for Perfetto if its name ends in .json");
ABSL_FLAG(std::string, debug_http, "",
          "serves profiles, metrics and traces there, for browsers and go tool pprof: 127.0.0.1:6060 (port 0: any)");
ABSL_FLAG(std::string, debug_http_public, "",
          "true: --debug_http may be an address that other machines can reach (default false)");
ABSL_FLAG(std::string, block_profile_rate, "",
          "the block profile records one wait for each so many nanoseconds waited (1: all; default: none)");
ABSL_FLAG(std::string, mutex_profile_fraction, "",
          "the mutex profile records one of so many contended unlocks (1: all; default: none)");
ABSL_FLAG(std::vector<std::string>, plugin, {}, "shared objects with plug-ins, comma-separated");
ABSL_FLAG(std::string, intercept, "",
          "on: read, accept, sleep and other C functions that block park the goroutine that calls them, in programs that "
          "are linked with //runtime/intercept (default: off)");

namespace gyre {

absl::StatusOr<Config> ConfigFromFlags() {
  absl::StatusOr<Config> config = Config::FromEnvironment();
  if (!config.ok()) return config;
  std::vector<std::pair<const char*, std::string>> given = {
      {"scheduler", absl::GetFlag(FLAGS_scheduler)},
      {"stack", absl::GetFlag(FLAGS_stack)},
      {"preemption", absl::GetFlag(FLAGS_preemption)},
      {"engine", absl::GetFlag(FLAGS_engine)},
      {"procs", absl::GetFlag(FLAGS_procs)},
      {"max_threads", absl::GetFlag(FLAGS_max_threads)},
      {"seed", absl::GetFlag(FLAGS_seed)},
      {"trace", absl::GetFlag(FLAGS_trace)},
      {"intercept", absl::GetFlag(FLAGS_intercept)},
      {"debug_http", absl::GetFlag(FLAGS_debug_http)},
      {"debug_http_public", absl::GetFlag(FLAGS_debug_http_public)},
      {"block_profile_rate", absl::GetFlag(FLAGS_block_profile_rate)},
      {"mutex_profile_fraction", absl::GetFlag(FLAGS_mutex_profile_fraction)},
  };
  for (const std::string& file : absl::GetFlag(FLAGS_plugin)) given.emplace_back("plugin", file);
  for (const auto& [key, value] : given) {
    if (value.empty()) continue;
    if (absl::Status status = config->Set(key, value); !status.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("--", status.message()));
    }
  }
  if (absl::Status status = CheckConfig(*config); !status.ok()) return status;
  return config;
}

absl::Status CheckConfig(const Config& config) {
  for (const std::string& file : config.plugins) {
    if (absl::Status status = LoadPluginLibrary(file); !status.ok()) return status;
  }
  if (absl::Status status = MakeScheduler(config.scheduler).status(); !status.ok()) return status;
  if (absl::Status status = MakeStackAllocator(config.stack).status(); !status.ok()) return status;
  return MakePreemption(config.preemption).status();
}

}  // namespace gyre
