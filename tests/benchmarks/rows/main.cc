// rows: the command line of the peers, and gyre's own flags.
//
//   rows --list
//   rows --row=NAME [--threads=N] [--scale=F] [--scheduler=...] [--stack=...] [--preemption=...]
//
// One line of JSON; exit code 1 for a wrong answer, 2 for a bad command line.
#include <unistd.h>

#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "plugins/flags.h"
#include "tests/benchmarks/rows/rows.h"

ABSL_FLAG(bool, list, false, "print the rows' names");
ABSL_FLAG(std::string, row, "", "the row to run");
ABSL_FLAG(int, threads, 0, "kernel threads that run goroutines (default: what --procs says, or 1)");
ABSL_FLAG(double, scale, 1, "share of the work, for smoke tests");
ABSL_FLAG(double, load, 0.6, "row service: the offered load as a share of all threads");
ABSL_FLAG(std::string, dist, "issue8", "row service: issue8, extreme-bimodal, high-bimodal");
ABSL_FLAG(int, connections, 64, "row echo: connections");

namespace gyre::rows {

namespace {

constexpr char kName[] = "gyre";
constexpr char kVersion[] = "0.1.0";

Config* chosen = nullptr;

int Main(int argc, char** argv) {
  absl::ParseCommandLine(argc, argv);
  const std::vector<peers::Row> rows = {
      {"yield", Yield},
      {"spawn_join", SpawnJoin},
      {"chan_unbuffered", ChanUnbuffered},
      {"chan_buffered", ChanBuffered},
      {"chan_mpmc", ChanMpmc},
      {"mutex_alone", MutexAlone},
      {"mutex_contended", MutexContended},
      {"select", SelectTwo},
      {"skynet", Skynet},
      {"parked", Parked},
      {"timers", Timers},
      {"sieve", Sieve},
      {"fib", Fib},
      {"echo", Echo},
      {"hogs", Hogs},
      {"compute", Compute},
      {"blocked", Blocked},
      {"service", Service},
  };
  if (absl::GetFlag(FLAGS_list)) return peers::PrintRows(rows);
  absl::StatusOr<Config> config = ConfigFromFlags();
  if (!config.ok()) peers::Exit(2, "%s", std::string(config.status().message()).c_str());
  Options options;
  options.row = absl::GetFlag(FLAGS_row);
  options.threads = absl::GetFlag(FLAGS_threads);
  if (options.threads == 0) options.threads = config->procs == 0 ? 1 : config->procs;
  options.scale = absl::GetFlag(FLAGS_scale);
  options.load = absl::GetFlag(FLAGS_load);
  options.dist = absl::GetFlag(FLAGS_dist);
  options.connections = absl::GetFlag(FLAGS_connections);
  config->procs = options.threads;
  chosen = new Config(*std::move(config));
  return peers::RunRow(kName, kVersion, options, rows);
}

}  // namespace

const Config& ChosenConfig() {
  return *chosen;
}

void Run(absl::FunctionRef<void()> body) {
  auto runtime = Runtime::Create(ChosenConfig());
  if (!runtime.ok()) peers::Exit(2, "%s", std::string(runtime.status().message()).c_str());
  // A row may leave goroutines behind, computing even: the process ends without regard to them.
  (*runtime)->Run(body);
}

}  // namespace gyre::rows

int main(int argc, char** argv) {
  const int code = gyre::rows::Main(argc, argv);
  std::fflush(stdout);
  _exit(code);
}
