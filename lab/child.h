// Runs this program again, with other arguments, as a child process: so that a run has a peak of memory of its own, and
// a crash is only its own.
#ifndef GYRE_LAB_CHILD_H_
#define GYRE_LAB_CHILD_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace gyre::lab {

struct ChildResult {
  std::string result;  // what it wrote to kChildResultFile
  std::string output;  // the beginning of what it wrote to standard output and error
  // A sentence on how it ended, unless it exited with a code.
  std::string ended;
  bool timed_out = false;
  int exit_code = -1;
};

// Where a child finds the pipe into ChildResult::result.
inline constexpr char kChildResultFile[] = "/proc/self/fd/3";

// As RunChild, for any program: words[0] is its file. It finds `gyre` in the environment variable GYRE.
absl::StatusOr<ChildResult> RunProgram(const std::vector<std::string>& words, const std::string& gyre,
                                       absl::Duration limit);

// Waits until the child has ended, and kills it after `limit`. An error: it could not be started. The child does not
// see the environment variable GYRE: its arguments say everything. Call from a process with one thread.
absl::StatusOr<ChildResult> RunChild(const std::vector<std::string>& arguments, absl::Duration limit);

// The line of a child's output that says what was wrong: its panic, its fatal error, or else its first one.
std::string SentenceOf(const std::string& output);

}  // namespace gyre::lab

#endif  // GYRE_LAB_CHILD_H_
