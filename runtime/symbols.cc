#include "runtime/symbols.h"

#include <cxxabi.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
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

std::atomic<bool> look_up_lines{true};

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
void ParseAnswer(const std::string& answer, uintptr_t base, std::map<void*, std::vector<CodeFrame>>* known) {
  const std::vector<absl::string_view> lines = absl::StrSplit(answer, '\n');
  std::vector<CodeFrame>* frames = nullptr;
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
    CodeFrame frame;
    frame.function = lines[i] == "??" ? "" : std::string(lines[i]);
    if (colon != absl::string_view::npos) {
      frame.file = Tidy(place.substr(0, colon));
      if (!absl::SimpleAtoi(place.substr(colon + 1), &frame.line)) frame.line = 0;
    }
    if (frames != nullptr && !frame.function.empty()) frames->push_back(std::move(frame));
    i += 2;
  }
}

// The functions of the program by their linker's symbols, which have the whole names: in debugging information at level
// 1 a function that is local to a file, and one that was inlined, has its last name only.
class FunctionSymbols {
 public:
  explicit FunctionSymbols(const char* file) {
    const int descriptor = open(file, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return;
    struct stat status;
    if (fstat(descriptor, &status) == 0 && status.st_size > 0) {
      size_ = static_cast<size_t>(status.st_size);
      void* memory = mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, descriptor, 0);
      data_ = memory == MAP_FAILED ? nullptr : static_cast<const char*>(memory);
    }
    close(descriptor);
    if (data_ != nullptr) ReadTables();
  }
  FunctionSymbols(const FunctionSymbols&) = delete;
  FunctionSymbols& operator=(const FunctionSymbols&) = delete;

  // As the linker has it, "_ZN4gyre...", or null.
  const char* Find(uintptr_t address) const {
    auto after = std::upper_bound(functions_.begin(), functions_.end(), address,
                                  [](uintptr_t at, const Function& function) { return at < function.begin; });
    if (after == functions_.begin()) return nullptr;
    const Function& function = *--after;
    return address - function.begin < function.size ? function.name : nullptr;
  }

 private:
  struct Function {
    uintptr_t begin;
    uintptr_t size;
    const char* name;
  };

  // A file that is cut off, or no ELF file, has fewer functions, or none.
  template <typename T>
  const T* At(uint64_t offset, uint64_t count = 1) const {
    if (offset > size_ || count > (size_ - offset) / sizeof(T) || offset % alignof(T) != 0) return nullptr;
    return reinterpret_cast<const T*>(data_ + offset);
  }

  void ReadTables() {
    const auto* header = At<Elf64_Ehdr>(0);
    if (header == nullptr || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0) return;
    const auto* sections = At<Elf64_Shdr>(header->e_shoff, header->e_shnum);
    if (sections == nullptr) return;
    for (int i = 0; i < header->e_shnum; ++i) {
      if (sections[i].sh_type != SHT_SYMTAB || sections[i].sh_link >= header->e_shnum) continue;
      const Elf64_Shdr& names = sections[sections[i].sh_link];
      const uint64_t count = sections[i].sh_size / sizeof(Elf64_Sym);
      const auto* symbols = At<Elf64_Sym>(sections[i].sh_offset, count);
      const char* text = At<char>(names.sh_offset, names.sh_size);
      if (symbols == nullptr || text == nullptr || names.sh_size == 0 || text[names.sh_size - 1] != '\0') continue;
      for (uint64_t j = 0; j < count; ++j) {
        if (ELF64_ST_TYPE(symbols[j].st_info) != STT_FUNC || symbols[j].st_size == 0) continue;
        if (symbols[j].st_name >= names.sh_size) continue;
        functions_.push_back({symbols[j].st_value, symbols[j].st_size, text + symbols[j].st_name});
      }
    }
    std::sort(functions_.begin(), functions_.end(),
              [](const Function& a, const Function& b) { return a.begin < b.begin; });
  }

  const char* data_ = nullptr;  // stays mapped: the process asks again
  size_t size_ = 0;
  std::vector<Function> functions_;
};

std::string Demangled(const char* name) {
  int status = 0;
  char* text = abi::__cxa_demangle(name, nullptr, nullptr, &status);
  const std::string result = status == 0 ? text : name;
  std::free(text);
  return result;
}

// Where the bracket at `open` closes.
size_t Closing(absl::string_view name, size_t open) {
  const char opening = name[open];
  const char closing = opening == '(' ? ')' : '>';
  int depth = 0;
  for (size_t i = open; i < name.size(); ++i) {
    if (name[i] == opening) ++depth;
    if (name[i] == closing && (closing != '>' || name[i - 1] != '-') && --depth == 0) return i;
  }
  return absl::string_view::npos;
}

// Without parameters and template arguments: "main::{lambda#1}::operator()". A C++ name in full fills a screen.
std::string Short(absl::string_view name) {
  std::string result;
  for (size_t i = 0; i < name.size(); ++i) {
    const absl::string_view rest = name.substr(i);
    if (absl::StartsWith(rest, "operator()")) {
      result += "operator()";
      i += sizeof("operator()") - 2;
    } else if (absl::StartsWith(rest, "operator")) {
      const size_t end = std::min(rest.find('('), rest.size());
      absl::StrAppend(&result, rest.substr(0, end));
      i += end - 1;
    } else if (absl::StartsWith(rest, " const") && (rest.size() == 6 || rest[6] == ':' || rest[6] == ' ')) {
      i += 5;
    } else if (absl::StartsWith(rest, "(anonymous namespace)")) {
      result += "(anonymous namespace)";
      i += sizeof("(anonymous namespace)") - 2;
    } else if (name[i] == '(' || (name[i] == '<' && !absl::StartsWith(rest, "<lambda"))) {
      const size_t end = Closing(name, i);
      if (end == absl::string_view::npos) return absl::StrCat(result, rest);
      i = end;
    } else {
      result += name[i];
    }
  }
  // What a template returns comes before its name, and qualifiers after it.
  absl::string_view text = result;
  for (absl::string_view end : {" [clone .isra.0]", " [clone .constprop.0]", " [clone .cold]"}) {
    absl::ConsumeSuffix(&text, end);
  }
  const size_t blank = text.rfind(' ');
  if (blank != absl::string_view::npos && text.substr(0, blank).find("operator") == absl::string_view::npos &&
      !absl::EndsWith(text.substr(0, blank), "(anonymous")) {
    text.remove_prefix(blank + 1);
  }
  return std::string(text);
}

// The linker's name of the function that `return_address` returns into, in full; empty: unknown.
std::string FullName(void* return_address) {
  static const FunctionSymbols* program = new FunctionSymbols("/proc/self/exe");
  static const uintptr_t base = LoadedModules().front().base;
  const char* name = program->Find(reinterpret_cast<uintptr_t>(return_address) - 1 - base);
  return name != nullptr ? Demangled(name) : "";
}

std::string NameOf(void* return_address) {
  if (std::string name = FullName(return_address); !name.empty()) return Short(name);
  char name[1024];
  // The address after the call may belong to the next function.
  if (absl::Symbolize(static_cast<char*>(return_address) - 1, name, sizeof(name))) return name;
  return absl::StrCat("0x", absl::Hex(reinterpret_cast<uintptr_t>(return_address)));
}

// What RunClosure<F> runs, from its full name; empty: it is another function.
std::string ClosureOfName(absl::string_view name) {
  constexpr absl::string_view kBegin = "gyre::internal::RunClosure<";
  const size_t begin = name.find(kBegin);
  const size_t end = name.rfind(">(void*)");
  if (begin == absl::string_view::npos || end == absl::string_view::npos) return "";
  const absl::string_view closure = name.substr(begin + kBegin.size(), end - begin - kBegin.size());
  return absl::StartsWith(closure, "gyre::internal::Core::RunMain(") ? "main" : Short(closure);
}

// What the process has asked for so far.
struct Cache {
  std::mutex lock;
  std::map<void*, std::vector<CodeFrame>> known;
};

Cache& TheCache() {
  static Cache* cache = new Cache;
  return *cache;
}

void Ask(const std::vector<void*>& addresses, std::map<void*, std::vector<CodeFrame>>* known) {
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
  return absl::StartsWith(function, "gyre::internal::") || function == "trampoline" || function == "make_fcontext";
}

}  // namespace

void LookUpLines(bool on) {
  look_up_lines.store(on, std::memory_order_relaxed);
}

SymbolTable::SymbolTable(const std::vector<void*>& return_addresses, bool lines) {
  lines = lines && look_up_lines.load(std::memory_order_relaxed);
  std::vector<void*> wanted = return_addresses;
  std::sort(wanted.begin(), wanted.end());
  wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
  Cache& cache = TheCache();
  std::lock_guard<std::mutex> hold(cache.lock);
  std::vector<void*> unknown;
  for (void* address : wanted) {
    if (cache.known.find(address) == cache.known.end()) unknown.push_back(address);
  }
  if (lines && !unknown.empty()) {
    Ask(unknown, &cache.known);
    for (void* address : unknown) {
      std::vector<CodeFrame>& frames = cache.known[address];
      if (frames.empty()) frames.emplace_back();
      for (CodeFrame& frame : frames) frame.function = Short(frame.function);
      frames.back().function = NameOf(address);
    }
  }
  for (void* address : wanted) {
    const auto found = cache.known.find(address);
    frames_[address] = found != cache.known.end() ? found->second : std::vector{CodeFrame{NameOf(address), "", 0}};
  }
}

const std::vector<CodeFrame>& SymbolTable::Frames(void* return_address) const {
  return frames_.at(return_address);
}

std::vector<CodeFrame> SymbolTable::UsersFrames(void* const* return_addresses, size_t count) const {
  std::vector<CodeFrame> users;
  for (size_t i = 0; i < count; ++i) {
    const std::vector<CodeFrame>& frames = Frames(return_addresses[i]);
    const bool is_runtimes = IsRuntimes(frames.back().function);
    if (!is_runtimes) {
      for (const CodeFrame& frame : frames) {
        const bool is_inner =
            &frame != &frames.back() && (absl::StartsWith(frame.file, "runtime/") || IsRuntimes(frame.function));
        if (users.empty() && is_inner) continue;
        users.push_back(frame);
      }
    } else if (std::string closure = ClosureOfName(FullName(return_addresses[i])); !closure.empty()) {
      // Inlined into the runtime's function that runs it.
      for (auto frame = frames.begin(); frame + 1 < frames.end(); ++frame) {
        users.push_back(*frame);
        if (frame->function == "operator()") users.back().function = absl::StrCat(closure, "::operator()");
      }
      // The compiler does not always say what it has inlined.
      if (frames.size() == 1) users.push_back({closure, frames.back().file, frames.back().line});
      break;
    } else if (!users.empty()) {
      break;  // the bottom
    }
  }
  if (users.empty()) users.push_back(count != 0 ? Frames(return_addresses[0]).back() : CodeFrame{"?", "", 0});
  return users;
}

CodeFrame SymbolTable::EntryFrame(void* run_closure) const {
  const std::vector<CodeFrame>& frames = Frames(EntryAddress(run_closure));
  const std::string closure = ClosureOfName(FullName(EntryAddress(run_closure)));
  if (closure.empty()) return frames.back();
  if (frames.size() == 1 || closure == "main") return {closure, "", 0};  // the line is one of the runtime's
  return {closure, frames.front().file, frames.front().line};
}

}  // namespace gyre::internal
