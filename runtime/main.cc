#include "runtime/main.h"

#include <unistd.h>

#include <cstdio>
#include <memory>

#include "absl/debugging/symbolize.h"
#include "absl/flags/parse.h"
#include "plugins/flags.h"
#include "runtime/dump_state.h"
#include "runtime/debug/server.h"
#include "runtime/runtime.h"

namespace gyre::internal {

namespace {

// Goroutines compute on, or stand still with locks held: no static destructor may run, and a lock is not worth waiting
// for.
[[noreturn]] void ExitAroundOthers(int code) {
  constexpr int kPatienceMs = 50;
  for (int i = 0; i < kPatienceMs && ftrylockfile(stdout) != 0; ++i) usleep(1000);
  fflush_unlocked(stdout);
  _exit(code);
}

}  // namespace

int MainImpl(int argc, char** argv, absl::FunctionRef<int(const std::vector<char*>&)> main) {
  absl::InitializeSymbolizer(argv[0]);
  const std::vector<char*> words = absl::ParseCommandLine(argc, argv);
  absl::StatusOr<std::unique_ptr<Runtime>> runtime = absl::UnknownError("");
  if (auto config = ConfigFromFlags(); config.ok()) {
    runtime = Runtime::Create(*config);
  } else {
    runtime = config.status();
  }
  if (!runtime.ok()) {
    std::fprintf(stderr, "%s\n", std::string(runtime.status().message()).c_str());
    return 2;
  }
  DumpOnQuitSignal();
  absl::StatusOr<std::unique_ptr<DebugServer>> debug = DebugServer::StartFor((*runtime)->config());
  if (!debug.ok()) {
    std::fprintf(stderr, "%s\n", std::string(debug.status().message()).c_str());
    return 2;
  }
  int code = 0;
  const bool stopped = (*runtime)->Run([&] { code = main(words); });
  if (!stopped) ExitAroundOthers(code);
  return code;
}

}  // namespace gyre::internal
