// A subcommand's command line: words, and flags among those that it takes. The flags are Abseil's (ABSL_FLAG); the lab
// reads its command line itself, since each subcommand has flags of its own and a mistake is to end with exit code 2.
#ifndef GYRE_LAB_ARGUMENTS_H_
#define GYRE_LAB_ARGUMENTS_H_

#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace gyre::lab {

struct Arguments {
  std::vector<std::string> all;  // as they were written, the subcommand first
  std::vector<std::string> words;
  std::set<std::string> given;  // the flags that were
  bool help = false;            // --help, -h: nothing else counts

  bool Given(const std::string& flag) const { return given.count(flag) != 0; }
};

// A flag that a subcommand takes.
struct FlagUse {
  const char* name;   // of an ABSL_FLAG
  const char* value;  // what its value is called in help texts: "N". Null: a switch
  // With the flag alone, without "=", this is its value; otherwise, the next word is.
  const char* alone = nullptr;
};

// Sets the flags. --name=value, --name value and -name=value are the same; what follows -- are words. Errors: a flag
// that is not among `flags`, with what is; a value that its flag does not take; no value.
absl::StatusOr<Arguments> ParseArguments(absl::string_view subcommand, const std::vector<std::string>& arguments,
                                         const std::vector<FlagUse>& flags);

// A line or more for each flag: its name, what it is for, its default.
std::string DescribeFlags(const std::vector<FlagUse>& flags);

// The flags that say under which configuration to run (plugins/flags.h).
const std::vector<FlagUse>& ConfigurationFlags();

}  // namespace gyre::lab

#endif  // GYRE_LAB_ARGUMENTS_H_
