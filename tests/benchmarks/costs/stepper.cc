#include "tests/benchmarks/costs/stepper.h"

#include <link.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"

namespace gyre::costs {

namespace {

// Whether the instruction of `code` is an atomic read-modify-write. The prefixes come first, in any order, then a REX
// byte, then the opcode.
bool IsLocked(const uint8_t (&code)[16]) {
  for (size_t i = 0; i + 1 < sizeof(code); ++i) {
    const uint8_t byte = code[i];
    if (byte == 0xf0) return true;
    const bool prefix = byte == 0x66 || byte == 0x67 || byte == 0xf2 || byte == 0xf3 || byte == 0x2e || byte == 0x36 ||
                        byte == 0x3e || byte == 0x26 || byte == 0x64 || byte == 0x65 || (byte & 0xf0) == 0x40;
    if (prefix) continue;
    // xchg with a memory operand locks by itself.
    return (byte == 0x86 || byte == 0x87) && (code[i + 1] & 0xc0) != 0xc0;
  }
  return false;
}

class Tracer {
 public:
  explicit Tracer(pid_t child) : child_(child) {}

  absl::StatusOr<std::vector<StepCounts>> Run() {
    for (;;) {
      int status = 0;
      const pid_t thread = waitpid(-1, &status, __WALL);
      if (thread < 0) return absl::InternalError(absl::StrCat("waitpid: ", std::strerror(errno)));
      if (WIFEXITED(status) || WIFSIGNALED(status)) {
        if (thread != child_) continue;
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return std::move(windows_);
        return absl::InternalError(absl::StrFormat("the child ended with status %#x", status));
      }
      if (absl::Status went_on = GoOn(thread, status); !went_on.ok()) return went_on;
    }
  }

 private:
  absl::Status GoOn(pid_t thread, int status) {
    int signal = WSTOPSIG(status);
    const bool is_event = status >> 16 != 0;
    if (signal == SIGTRAP && !is_event) {
      user_regs_struct registers;
      if (ptrace(PTRACE_GETREGS, thread, nullptr, &registers) != 0) return absl::OkStatus();  // it was killed
      uint8_t code[16];
      if (!Read(thread, registers.rip - 1, &code)) return absl::InternalError("cannot read the child's code");
      siginfo_t info;
      ptrace(PTRACE_GETSIGINFO, thread, nullptr, &info);
      if (info.si_code != TRAP_TRACE && code[0] == 0xcc) {
        stepping_ = stepping_ == 0 ? thread : 0;
        if (stepping_ != 0) windows_.emplace_back();
      } else if (thread == stepping_) {
        CountNext();
      }
      if (thread == stepping_) {
        if (!Read(thread, registers.rip, &next_)) return absl::InternalError("cannot read the child's code");
        next_at_ = registers.rip;
        // The int3 that ends the window is not part of it, and traps by itself.
        if (next_[0] == 0xcc) {
          ptrace(PTRACE_CONT, thread, nullptr, nullptr);
          return absl::OkStatus();
        }
      }
      signal = 0;
    } else if (is_event || signal == SIGSTOP) {
      signal = 0;  // a new thread, or its first stop
    }
    ptrace(thread == stepping_ ? PTRACE_SINGLESTEP : PTRACE_CONT, thread, nullptr, signal);
    return absl::OkStatus();
  }

  // The instruction at next_at_ was executed.
  void CountNext() {
    StepCounts& window = windows_.back();
    ++window.instructions;
    ++window.at[next_at_];
    if (IsLocked(next_)) ++window.locked[next_at_];
  }

  // The thread is stopped.
  static bool Read(pid_t thread, uintptr_t address, uint8_t (*code)[16]) {
    for (size_t word = 0; word < 2; ++word) {
      errno = 0;
      const long value = ptrace(PTRACE_PEEKTEXT, thread, address + word * 8, nullptr);
      if (errno != 0) {
        if (word == 0) return false;
        std::memset(*code + 8, 0, 8);  // the page ends here
        return true;
      }
      std::memcpy(*code + word * 8, &value, 8);
    }
    return true;
  }

  const pid_t child_;
  pid_t stepping_ = 0;  // the thread whose window is open
  uintptr_t next_at_ = 0;
  uint8_t next_[16] = {};
  std::vector<StepCounts> windows_;
};

}  // namespace

absl::StatusOr<std::vector<StepCounts>> StepThrough(absl::FunctionRef<void()> child) {
  std::fflush(nullptr);
  const pid_t pid = fork();
  if (pid < 0) return absl::InternalError(absl::StrCat("fork: ", std::strerror(errno)));
  if (pid == 0) {
    constexpr int kMayNotTrace = 77;
    if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) _exit(kMayNotTrace);
    raise(SIGSTOP);
    child();
    _exit(0);
  }
  int status = 0;
  if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status)) {
    return absl::UnimplementedError("a process may not be traced here");
  }
  if (ptrace(PTRACE_SETOPTIONS, pid, nullptr, PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL) != 0) {
    return absl::UnimplementedError(absl::StrCat("ptrace: ", std::strerror(errno)));
  }
  ptrace(PTRACE_CONT, pid, nullptr, nullptr);
  return Tracer(pid).Run();
}

std::vector<std::string> FunctionsAt(uintptr_t address) {
  uintptr_t base = 0;
  dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* out) {
        *static_cast<uintptr_t*>(out) = info->dlpi_addr;
        return 1;  // the program itself comes first
      },
      &base);
  const std::string command =
      absl::StrFormat("addr2line -C -f -i -e /proc/%d/exe %#x 2>/dev/null", getpid(), address - base);
  std::vector<std::string> functions;
  const std::unique_ptr<FILE, int (*)(FILE*)> out(popen(command.c_str(), "r"), &pclose);
  char line[4096];
  for (bool is_function = true; out != nullptr && std::fgets(line, sizeof(line), out.get()) != nullptr;
       is_function = !is_function) {
    if (is_function) functions.emplace_back(absl::StripSuffix(line, "\n"));
  }
  return functions;
}

}  // namespace gyre::costs
