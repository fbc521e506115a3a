#include "lab/child.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"

namespace gyre::lab {

namespace {

constexpr int kResultDescriptor = 3;
constexpr char kThisProgram[] = "/proc/self/exe";
constexpr int kCannotRun = 127;  // as a shell has it
// A panic among a million goroutines prints a million traces. Its beginning says what was wrong.
constexpr size_t kOutputKept = 64 << 10;

struct Pipe {
  int read = -1;
  int write = -1;
};

absl::StatusOr<Pipe> MakePipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0)
    return absl::InternalError(absl::StrCat("cannot make a pipe: ", std::strerror(errno)));
  return Pipe{ends[0], ends[1]};
}

[[noreturn]] void BecomeChild(const char* program, char* const* argv, const Pipe& output, const Pipe& result,
                              pid_t parent) {
  // If the comparison is killed, nobody is to go on computing for it.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(kCannotRun);
  // Through a copy, which dup2 leaves open in the child even where the pipe happens to have that number already.
  const int result_copy = fcntl(result.write, F_DUPFD, kResultDescriptor + 1);
  if (result_copy < 0 || dup2(output.write, STDOUT_FILENO) < 0 || dup2(output.write, STDERR_FILENO) < 0 ||
      dup2(result_copy, kResultDescriptor) < 0) {
    _exit(kCannotRun);
  }
  close(result_copy);
  execv(program, argv);
  const int error = errno;
  dprintf(STDERR_FILENO, "cannot run %s: %s\n", program, std::strerror(error));
  _exit(kCannotRun);
}

// Appends what there is to read; false at the end.
bool ReadSome(int descriptor, std::string* text, size_t most) {
  char buffer[16 << 10];
  const ssize_t count = read(descriptor, buffer, sizeof(buffer));
  if (count < 0 && errno == EINTR) return true;
  if (count <= 0) return false;
  text->append(buffer, std::min(static_cast<size_t>(count), most - std::min(most, text->size())));
  return true;
}

// The environment is the caller's.
absl::StatusOr<ChildResult> RunIt(const char* program, std::vector<std::string> words, absl::Duration limit) {
  // Everything that allocates comes before the fork.
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  const absl::StatusOr<Pipe> output = MakePipe();
  if (!output.ok()) return output.status();
  const absl::StatusOr<Pipe> result = MakePipe();
  if (!result.ok()) return result.status();

  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child == 0) BecomeChild(program, argv.data(), *output, *result, parent);
  const int fork_error = errno;
  close(output->write);
  close(result->write);

  ChildResult ended;
  const absl::Time deadline = absl::Now() + limit;
  pollfd streams[2] = {{output->read, POLLIN, 0}, {result->read, POLLIN, 0}};
  while (child > 0 && (streams[0].fd >= 0 || streams[1].fd >= 0)) {
    const absl::Duration left = deadline - absl::Now();
    if (left <= absl::ZeroDuration()) {
      ended.timed_out = true;
      kill(child, SIGKILL);
      break;
    }
    poll(streams, 2, static_cast<int>(absl::ToInt64Milliseconds(std::min(left, absl::Seconds(60)))) + 1);
    // A negative descriptor is one that poll passes over.
    if (streams[0].revents != 0 && !ReadSome(output->read, &ended.output, kOutputKept)) streams[0].fd = -1;
    if (streams[1].revents != 0 && !ReadSome(result->read, &ended.result, std::string::npos)) streams[1].fd = -1;
  }
  close(output->read);
  close(result->read);
  if (child < 0) return absl::InternalError(absl::StrCat("cannot start a process: ", std::strerror(fork_error)));

  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (ended.timed_out) {
    ended.ended = absl::StrCat("it took longer than ", absl::FormatDuration(limit), " and was killed");
  } else if (WIFSIGNALED(status)) {
    ended.ended = absl::StrCat("it was killed by signal ", WTERMSIG(status), " (", strsignal(WTERMSIG(status)), ")");
  } else {
    ended.exit_code = WEXITSTATUS(status);
  }
  return ended;
}

}  // namespace

absl::StatusOr<ChildResult> RunChild(const std::vector<std::string>& arguments, absl::Duration limit) {
  std::vector<std::string> words = arguments;
  words.insert(words.begin(), "lab");
  unsetenv("GYRE");
  return RunIt(kThisProgram, std::move(words), limit);
}

absl::StatusOr<ChildResult> RunProgram(const std::vector<std::string>& words, const std::string& gyre,
                                       absl::Duration limit) {
  if (access(words[0].c_str(), X_OK) != 0) {
    return absl::InvalidArgumentError(absl::StrCat("cannot run ", words[0], ": ", std::strerror(errno)));
  }
  setenv("GYRE", gyre.c_str(), 1);
  return RunIt(words[0].c_str(), words, limit);
}

std::string SentenceOf(const std::string& output) {
  std::string first;
  for (absl::string_view line : absl::StrSplit(output, '\n')) {
    if (absl::StartsWith(line, "panic:") || absl::StartsWith(line, "fatal error:") ||
        absl::StrContains(line, "Sanitizer:")) {
      return std::string(line);
    }
    if (first.empty() && line.find_first_not_of("= \t") != absl::string_view::npos) first = std::string(line);
  }
  return first;
}

}  // namespace gyre::lab
