// Small programs for schedule exploration (lab explore): each is run thousands of times, and fails under some
// schedules. One registers itself, as a workload does:
//
//   void Transfer() {                     // over gyre's goroutines, channels and locks; panics if something is wrong
//     ...
//   }
//   const bool registered = gyre::lab::RegisterProgram({.name = "transfer", .help = "...", .run = &Transfer});
//
// It keeps no state from one run to the next.
#ifndef GYRE_LAB_PROGRAM_H_
#define GYRE_LAB_PROGRAM_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace gyre::lab {

struct Program {
  std::string name;
  std::string help;  // one sentence
  std::function<void()> run;
  bool leaks = false;  // a goroutine that is left behind is a failure
};

// Returns true. A name that is taken aborts the program. Call from static initialisers only.
bool RegisterProgram(Program program);

// Sorted by name.
const std::vector<Program>& Programs();

// An unknown name is an error that lists the known ones.
absl::StatusOr<const Program*> FindProgram(absl::string_view name);

}  // namespace gyre::lab

#endif  // GYRE_LAB_PROGRAM_H_
