#include "lab/program.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "plugins/spec.h"

namespace gyre::lab {

namespace {

std::vector<Program>& Registered() {
  static std::vector<Program> programs;
  return programs;
}

}  // namespace

bool RegisterProgram(Program program) {
  std::vector<Program>& all = Registered();
  const auto place = std::lower_bound(all.begin(), all.end(), program.name,
                                      [](const Program& a, const std::string& name) { return a.name < name; });
  if (place != all.end() && place->name == program.name) {
    std::fprintf(stderr, "lab: two programs are called %s\n", program.name.c_str());
    std::abort();
  }
  all.insert(place, std::move(program));
  return true;
}

const std::vector<Program>& Programs() {
  return Registered();
}

absl::StatusOr<const Program*> FindProgram(absl::string_view name) {
  std::vector<std::string> names;
  for (const Program& program : Programs()) {
    if (program.name == name) return &program;
    names.push_back(program.name);
  }
  return absl::NotFoundError(absl::StrCat("there is no program \"", name, "\"", internal::DidYouMean(name, names),
                                          "; there are: ", absl::StrJoin(names, ", "),
                                          "; and ./PROGRAM, with a slash, is one of yours"));
}

}  // namespace gyre::lab
