// The lab's subcommands: one file each, and a line in main.cc's table.
#ifndef GYRE_LAB_COMMAND_H_
#define GYRE_LAB_COMMAND_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lab/arguments.h"

namespace gyre::lab {

// Exit codes of the lab.
inline constexpr int kExitOk = 0;
inline constexpr int kExitFailed = 1;  // a run failed: a wrong answer, a crash
inline constexpr int kExitUsage = 2;   // the command line is wrong, or a file that it names

struct Command {
  std::string name;
  std::string arguments;    // as in a usage line: "WORKLOAD [PARAMETER=VALUE ...]"
  std::string summary;      // one sentence
  std::string description;  // paragraphs for its help text, already broken into lines
  std::vector<FlagUse> flags;
  // Returns the exit code; an error is printed, and is kExitUsage.
  absl::StatusOr<int> (*run)(const Arguments& arguments);
};

Command ListCommand();
Command RunCommand();
Command CompareCommand();
Command TopCommand();
Command SimulateCommand();
Command ExploreCommand();
Command SweepCommand();
Command CalibrateCommand();

// Runs the lab with the command line's words, without the program's name.
int LabMain(const std::vector<Command>& commands, const std::vector<std::string>& arguments);

// Writes `text` to the file of that name, or to standard output if it is "-".
absl::Status WriteOutput(const std::string& file, absl::string_view text);

}  // namespace gyre::lab

#endif  // GYRE_LAB_COMMAND_H_
