#include "runtime/symbols.h"

#include <fcntl.h>
#include <link.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <mutex>
#include <utility>

#include "absl/debugging/symbolize.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

extern char** environ;

namespace gyre::internal {

namespace {

// A file that code was loaded from.
struct Module {
  std::string file;
  uintptr_t base = 0;  // what its addresses are moved by
  std::vector<std::pair<uintptr_t, uintptr_t>> segments;

  bool Has(uintptr_t address) const {
    for (const auto& [begin, end] : segments) {
      if (address >= begin && address < end) return true;
    }
    return false;
  }
};

std::vector<Module> LoadedModules() {
  std::vector<Module> modules;
  dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* result) {
        auto* all = static_cast<std::vector<Module>*>(result);
        Module module;
        // The program comes first, and has no name.
        module.file = all->empty() ? "/proc/self/exe" : info->dlpi_name;
        module.base = info->dlpi_addr;
        for (int i = 0; i < info->dlpi_phnum; ++i) {
          const auto& header = info->dlpi_phdr[i];
          if (header.p_type != PT_LOAD) continue;
          const uintptr_t begin = info->dlpi_addr + header.p_vaddr;
          module.segments.emplace_back(begin, begin + header.p_memsz);
        }
        all->push_back(std::move(module));
        return 0;
      },
      &modules);
  return modules;
}

// What `arguments` print; empty if they cannot be run.
std::string OutputOf(std::vector<std::string> arguments) {
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return "";
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  pid_t child;
  const int error = posix_spawnp(&child, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  std::string output;
  if (error == 0) {
    char buffer[8192];
    for (;;) {
      const ssize_t n = read(ends[0], buffer, sizeof(buffer));
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) break;
      output.append(buffer, static_cast<size_t>(n));
    }
    int status;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
  }
  close(ends[0]);
  return output;
}

std::string Tidy(absl::string_view file) {
  // Bazel's builds say so for the workspace.
  absl::ConsumePrefix(&file, "/proc/self/cwd/");
  absl::ConsumePrefix(&file, "./");
  return file == "??" ? "" : std::string(file);
}

// Under `-a` each address is followed by pairs of lines, function and file:line, the innermost first.
void ParseAnswer(const std::string& answer, uintptr_t base, std::map<void*, std::vector<SourceFrame>>* known) {
  const std::vector<absl::string_view> lines = absl::StrSplit(answer, '\n');
  std::vector<SourceFrame>* frames = nullptr;
  for (size_t i = 0; i + 1 < lines.size();) {
    if (absl::StartsWith(lines[i], "0x")) {
      uint64_t address = 0;
      frames =
          absl::SimpleHexAtoi(lines[i], &address) ? &(*known)[reinterpret_cast<void*>(address + base + 1)] : nullptr;
      ++i;
      continue;
    }
    absl::string_view place = lines[i + 1];
    place = place.substr(0, place.find(" (discriminator"));
    const size_t colon = place.rfind(':');
    SourceFrame frame;
    frame.function = lines[i] == "??" ? "" : std::string(lines[i]);
    if (colon != absl::string_view::npos) {
      frame.file = Tidy(place.substr(0, colon));
      if (!absl::SimpleAtoi(place.substr(colon + 1), &frame.line)) frame.line = 0;
    }
    if (frames != nullptr && !frame.function.empty()) frames->push_back(std::move(frame));
    i += 2;
  }
}

std::string NameOf(void* return_address) {
  char name[1024];
  // The address after the call may belong to the next function.
  if (absl::Symbolize(static_cast<char*>(return_address) - 1, name, sizeof(name))) return name;
  return absl::StrCat("0x", absl::Hex(reinterpret_cast<uintptr_t>(return_address)));
}

// What the process has asked for so far.
struct Cache {
  std::mutex lock;
  std::map<void*, std::vector<SourceFrame>> known;
};

Cache& TheCache() {
  static Cache* cache = new Cache;
  return *cache;
}

void Ask(const std::vector<void*>& addresses, std::map<void*, std::vector<SourceFrame>>* known) {
  constexpr size_t kAtOnce = 4000;  // the kernel limits a command's length
  for (const Module& module : LoadedModules()) {
    std::vector<std::string> words;
    for (void* address : addresses) {
      const uintptr_t at = reinterpret_cast<uintptr_t>(address) - 1;
      if (module.Has(at)) words.push_back(absl::StrCat("0x", absl::Hex(at - module.base)));
    }
    char file[4096];
    ssize_t length = module.file == "/proc/self/exe" ? readlink("/proc/self/exe", file, sizeof(file)) : 0;
    const std::string name = length > 0 ? std::string(file, static_cast<size_t>(length)) : module.file;
    for (size_t i = 0; i < words.size(); i += kAtOnce) {
      std::vector<std::string> command = {"addr2line", "-a", "-C", "-f", "-i", "-e", name};
      command.insert(command.end(), words.begin() + static_cast<ptrdiff_t>(i),
                     words.begin() + static_cast<ptrdiff_t>(std::min(i + kAtOnce, words.size())));
      ParseAnswer(OutputOf(std::move(command)), module.base, known);
    }
  }
}

bool IsRuntimes(absl::string_view function) {
  return absl::StartsWith(function, "gyre::internal::") || absl::StartsWith(function, "void gyre::internal::") ||
         absl::StartsWith(function, "bool gyre::internal::") || absl::StartsWith(function, "make_fcontext") ||
         absl::StartsWith(function, "(anonymous namespace)::GoroutineEntry");
}

}  // namespace

SymbolTable::SymbolTable(const std::vector<void*>& return_addresses, bool lines) {
  std::vector<void*> wanted = return_addresses;
  std::sort(wanted.begin(), wanted.end());
  wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
  Cache& cache = TheCache();
  std::lock_guard<std::mutex> hold(cache.lock);
  std::vector<void*> unknown;
  for (void* address : wanted) {
    if (cache.known.find(address) == cache.known.end()) unknown.push_back(address);
  }
  if (lines && !unknown.empty()) Ask(unknown, &cache.known);
  for (void* address : wanted) {
    auto found = cache.known.find(address);
    if (found != cache.known.end() && !found->second.empty()) {
      frames_[address] = found->second;
      continue;
    }
    frames_[address] = {SourceFrame{NameOf(address), "", 0}};
    if (lines) cache.known[address] = frames_[address];
  }
}

const std::vector<SourceFrame>& SymbolTable::Frames(void* return_address) const {
  return frames_.at(return_address);
}

std::vector<SourceFrame> SymbolTable::UsersFrames(void* const* return_addresses, size_t count) const {
  std::vector<SourceFrame> all;
  for (size_t i = 0; i < count; ++i) {
    const std::vector<SourceFrame>& frames = Frames(return_addresses[i]);
    all.insert(all.end(), frames.begin(), frames.end());
  }
  auto is_users = [](const SourceFrame& frame) { return !IsRuntimes(frame.function); };
  const auto first = std::find_if(all.begin(), all.end(), is_users);
  const auto last = std::find_if(all.rbegin(), all.rend(), is_users).base();
  if (first >= last) {
    if (all.empty()) return {SourceFrame{"?", "", 0}};
    return {all.front()};
  }
  return {first, last};
}

SourceFrame SymbolTable::EntryFrame(void* run_closure) const {
  const std::vector<SourceFrame>& frames = Frames(EntryAddress(run_closure));
  SourceFrame frame = frames.back();
  const size_t begin = frame.function.find("RunClosure<");
  const size_t end = frame.function.rfind(">(void*)");
  if (begin != std::string::npos && end != std::string::npos) {
    const size_t from = begin + sizeof("RunClosure<") - 1;
    frame.function = frame.function.substr(from, end - from);
    if (absl::StrContains(frame.function, "gyre::internal::Core::RunMain")) return {"main", "", 0};
    // The line of the function around it is one in go.h.
    frame.file = frames.front().file;
    frame.line = frames.front().line;
  }
  return frame;
}

}  // namespace gyre::internal
