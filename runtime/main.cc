#include "runtime/main.h"

#include <unistd.h>

#include <cstdio>
#include <memory>

#include "absl/debugging/symbolize.h"
#include "absl/flags/parse.h"
#include "plugins/flags.h"
#include "runtime/runtime.h"

namespace gyre::internal {

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
  int code = 0;
  const bool stopped = (*runtime)->Run([&] { code = main(words); });
  if (!stopped) {
    // Some goroutine computes on: static destructors would run beneath it.
    std::fflush(nullptr);
    _exit(code);
  }
  return code;
}

}  // namespace gyre::internal
