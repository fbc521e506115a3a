// The experimenter's command line: bazel run //lab -- list | run | compare | simulate ...
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "absl/debugging/symbolize.h"
#include "lab/command.h"

int main(int argc, char** argv) {
  absl::InitializeSymbolizer(argv[0]);
  // `bazel run` starts us in a folder of its own; what the user names is relative to theirs.
  if (const char* folder = std::getenv("BUILD_WORKING_DIRECTORY"); folder != nullptr && chdir(folder) != 0) {
    std::fprintf(stderr, "lab: cannot go to the folder %s: %s\n", folder, std::strerror(errno));
    return gyre::lab::kExitUsage;
  }
  return gyre::lab::LabMain(
      {
          gyre::lab::ListCommand(),
          gyre::lab::RunCommand(),
          gyre::lab::CompareCommand(),
          gyre::lab::TopCommand(),
          gyre::lab::SimulateCommand(),
          gyre::lab::ExploreCommand(),
          gyre::lab::SweepCommand(),
          gyre::lab::CalibrateCommand(),
      },
      std::vector<std::string>(argv + 1, argv + argc));
}
