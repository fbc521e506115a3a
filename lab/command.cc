#include "lab/command.h"

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "lab/table.h"
#include "plugins/spec.h"

namespace gyre::lab {

namespace {

constexpr char kProgram[] = "bazel run //lab --";

std::string Usage(const std::vector<Command>& commands) {
  std::string text = absl::StrCat(
      "The lab runs real programs on gyre under one configuration after another and compares them.\n\n"
      "Usage: ",
      kProgram, " SUBCOMMAND ...\n\n");
  TextTable table({{"Subcommands:"}, {""}});
  for (const Command& command : commands) table.AddRow({absl::StrCat("  ", command.name), command.summary});
  return absl::StrCat(text, table.Text(""), "\n", kProgram, " help SUBCOMMAND says more about one.\n");
}

std::string Help(const Command& command) {
  return absl::StrCat(command.summary, "\n\nUsage: ", kProgram, " ", command.name, " ", command.arguments, "\n\n",
                      command.description, "\nFlags:\n", DescribeFlags(command.flags));
}

const Command* Find(const std::vector<Command>& commands, absl::string_view name) {
  for (const Command& command : commands) {
    if (command.name == name) return &command;
  }
  return nullptr;
}

int Complain(absl::string_view message) {
  absl::FPrintF(stderr, "lab: %s\n", message);
  return kExitUsage;
}

int ComplainOfCommand(const std::vector<Command>& commands, absl::string_view name) {
  std::vector<std::string> names;
  for (const Command& command : commands) names.push_back(command.name);
  return Complain(absl::StrCat("there is no subcommand \"", name, "\"", internal::DidYouMean(name, names),
                               "; there are: ", absl::StrJoin(names, ", ")));
}

}  // namespace

int LabMain(const std::vector<Command>& commands, const std::vector<std::string>& arguments) {
  if (arguments.empty()) {
    absl::FPrintF(stderr, "%s", Usage(commands));
    return kExitUsage;
  }
  const std::string& name = arguments[0];
  if (name == "help" || name == "--help" || name == "-h") {
    if (arguments.size() == 1) {
      absl::PrintF("%s", Usage(commands));
      return kExitOk;
    }
    const Command* command = Find(commands, arguments[1]);
    if (command == nullptr) return ComplainOfCommand(commands, arguments[1]);
    absl::PrintF("%s", Help(*command));
    return kExitOk;
  }
  const Command* command = Find(commands, name);
  if (command == nullptr) return ComplainOfCommand(commands, name);
  const absl::StatusOr<Arguments> parsed =
      ParseArguments(command->name, {arguments.begin() + 1, arguments.end()}, command->flags);
  if (!parsed.ok()) return Complain(parsed.status().message());
  if (parsed->help) {
    absl::PrintF("%s", Help(*command));
    return kExitOk;
  }
  const absl::StatusOr<int> code = command->run(*parsed);
  if (!code.ok()) return Complain(code.status().message());
  return *code;
}

absl::Status WriteOutput(const std::string& file, absl::string_view text) {
  std::FILE* out = file == "-" ? stdout : std::fopen(file.c_str(), "w");
  bool ok = out != nullptr && std::fwrite(text.data(), 1, text.size(), out) == text.size() && std::fflush(out) == 0;
  const int error = errno;
  if (out != nullptr && out != stdout) ok = std::fclose(out) == 0 && ok;
  if (ok) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("cannot write ", file, ": ", std::strerror(error)));
}

}  // namespace gyre::lab
