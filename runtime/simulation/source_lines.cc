#include "runtime/simulation/source_lines.h"

#include <link.h>
#include <unistd.h>

#include <cstdio>

#include "absl/debugging/symbolize.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace gyre::internal::simulation {

namespace {

// Where the program was loaded: what addr2line knows are addresses in the file.
uintptr_t LoadBase() {
  uintptr_t base = 0;
  dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* result) {
        *static_cast<uintptr_t*>(result) = info->dlpi_addr;
        return 1;  // the program comes first
      },
      &base);
  return base;
}

std::string Ask(const std::vector<void*>& return_addresses) {
  char program[4096];
  const ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);
  if (length <= 0) return "";
  program[length] = '\0';
  if (absl::StrContains(program, "'")) return "";
  std::string command = absl::StrCat("addr2line -C -f -i -e '", program, "'");
  for (void* address : return_addresses) {
    // The call is before the address that it returns to.
    absl::StrAppend(&command, " 0x", absl::Hex(reinterpret_cast<uintptr_t>(address) - LoadBase() - 1));
  }
  FILE* pipe = popen((command + " 2>/dev/null").c_str(), "r");
  if (pipe == nullptr) return "";
  std::string answer;
  char buffer[4096];
  for (size_t n; (n = fread(buffer, 1, sizeof(buffer), pipe)) > 0;) answer.append(buffer, n);
  return pclose(pipe) == 0 ? answer : "";
}

bool IsOurs(absl::string_view function) {
  return absl::StartsWith(function, "gyre::internal") || absl::StartsWith(function, "gyre::Mutex") ||
         absl::StartsWith(function, "gyre::RWMutex") || absl::StartsWith(function, "gyre::Checkpoint") ||
         absl::StartsWith(function, "make_fcontext") || absl::StartsWith(function, "void gyre::internal") ||
         absl::StartsWith(function, "RunClosure<") || absl::StartsWith(function, "absl::") ||
         absl::StartsWith(function, "??");
}

}  // namespace

std::vector<std::string> SourceLines(const std::vector<void*>& return_addresses) {
  std::vector<std::string> lines;
  const std::string answer = Ask(return_addresses);
  if (answer.empty()) {
    for (void* address : return_addresses) {
      char name[1024];
      if (absl::Symbolize(static_cast<char*>(address) - 1, name, sizeof(name)) && !IsOurs(name)) lines.push_back(name);
    }
    return lines;
  }
  // Two lines for each function: its name, and file:line.
  const std::vector<std::string> words = absl::StrSplit(answer, '\n', absl::SkipEmpty());
  for (size_t i = 0; i + 1 < words.size(); i += 2) {
    if (IsOurs(words[i]) || absl::StrContains(words[i + 1], "sync/wait_group.h:")) continue;
    const size_t slash = words[i + 1].rfind('/');
    lines.push_back(
        absl::StrCat(words[i], " (", slash == std::string::npos ? words[i + 1] : words[i + 1].substr(slash + 1), ")"));
  }
  return lines;
}

}  // namespace gyre::internal::simulation
