// Runs a program and hands back what it wrote and how it ended.
//
//   ChildResult result = RunChild({"examples/mutex"}, {.environment = {{"GYRE", "scheduler=global"}}});
//   EXPECT_EQ(result.out, "count: 5\n");
#ifndef GYRE_TESTS_EXAMPLES_CHILD_PROCESS_H_
#define GYRE_TESTS_EXAMPLES_CHILD_PROCESS_H_

#include <string>
#include <utility>
#include <vector>

namespace gyre::testing {

struct ChildOptions {
  std::string folder;                                            // that it starts in; empty: the caller's
  std::vector<std::pair<std::string, std::string>> environment;  // on top of the caller's
};

struct ChildResult {
  int exit_code = -1;  // -1: it was ended by `signal`, or could not be started
  int signal = 0;
  std::string out;
  std::string err;
};

// arguments[0] is the program: a path, or a name to be looked for in PATH. Waits until it has ended.
ChildResult RunChild(const std::vector<std::string>& arguments, const ChildOptions& options = {});

// The content of a file; the test fails if it cannot be read.
std::string ReadFile(const std::string& path);

}  // namespace gyre::testing

#endif  // GYRE_TESTS_EXAMPLES_CHILD_PROCESS_H_
