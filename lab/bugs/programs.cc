// The classic bugs as programs for lab explore, each with its corrected twin.
#include "absl/strings/str_cat.h"
#include "lab/bugs/bugs.h"
#include "lab/program.h"

namespace gyre::lab {

namespace {

const bool registered = [] {
  for (const Bug& bug : ClassicBugs()) {
    RegisterProgram({.name = bug.name, .help = bug.what, .run = bug.program, .leaks = bug.leaks});
    RegisterProgram({.name = absl::StrCat(bug.name, "-corrected"),
                     .help = absl::StrCat("what ", bug.name, " should have been"),
                     .run = bug.corrected,
                     .leaks = bug.leaks});
  }
  return true;
}();

}  // namespace

}  // namespace gyre::lab
