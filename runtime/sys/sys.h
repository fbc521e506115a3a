// gyre::sys: system calls and library functions that may block the kernel thread, wrapped in gyre::Blocking: the
// goroutine keeps its thread for the call, and its processor goes to others if the call lasts. For files, whose
// readiness no kernel tells; sockets and pipes are gyre::net's. On a foreign thread they are plain calls.
//
//   absl::StatusOr<int> fd = gyre::sys::Open("/etc/hostname", O_RDONLY);
//   char buffer[256];
//   absl::StatusOr<size_t> n = gyre::sys::Read(*fd, absl::MakeSpan(buffer));
//
// Each does what the function of that name in section 2 or 3 of the manual does, with the same constants. An
// interrupted call is made again. An error's code is absl::ErrnoToStatusCode's, its message Go's: "open /nowhere: no
// such file or directory".
#ifndef GYRE_RUNTIME_SYS_SYS_H_
#define GYRE_RUNTIME_SYS_SYS_H_

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/types.h>

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace gyre::sys {

// ---- Files ----
// Closed by exec.
absl::StatusOr<int> Open(const std::string& path, int flags, mode_t mode = 0666);
// The number is free afterwards, error or not.
absl::Status Close(int fd);
// 0: the end of the file. Perhaps less than the buffer's size.
absl::StatusOr<size_t> Read(int fd, absl::Span<char> buffer);
absl::StatusOr<size_t> ReadAt(int fd, absl::Span<char> buffer, off_t offset);
// Perhaps less than all.
absl::StatusOr<size_t> Write(int fd, absl::string_view data);
absl::StatusOr<size_t> WriteAt(int fd, absl::string_view data, off_t offset);
// All of it, or an error.
absl::Status WriteAll(int fd, absl::string_view data);
absl::Status Fsync(int fd);
absl::Status Fdatasync(int fd);
absl::Status Ftruncate(int fd, off_t size);
// LOCK_SH, LOCK_EX, LOCK_UN; with LOCK_NB an Unavailable error if somebody else has it.
absl::Status Flock(int fd, int operation);

// A whole file.
absl::StatusOr<std::string> ReadFile(const std::string& path);
// Made, or emptied first.
absl::Status WriteFile(const std::string& path, absl::string_view data, mode_t mode = 0666);

// ---- Paths ----
absl::StatusOr<struct stat> Stat(const std::string& path);
absl::StatusOr<struct stat> Fstat(int fd);
absl::Status Rename(const std::string& from, const std::string& to);
absl::Status Unlink(const std::string& path);
absl::Status Mkdir(const std::string& path, mode_t mode = 0777);
absl::Status Rmdir(const std::string& path);
// The names in a folder, sorted, without "." and "..".
absl::StatusOr<std::vector<std::string>> ReadDir(const std::string& path);

// ---- Processes ----
struct Waited {
  pid_t pid = 0;   // 0: WNOHANG was among the options, and no child has anything to tell
  int status = 0;  // for WIFEXITED and its like
};
absl::StatusOr<Waited> WaitPid(pid_t pid, int options = 0);

// ---- Names ----
// The addresses of a host in text, "127.0.0.1", "::1", each once (getaddrinfo).
absl::StatusOr<std::vector<std::string>> LookupHost(const std::string& host);

}  // namespace gyre::sys

#endif  // GYRE_RUNTIME_SYS_SYS_H_
