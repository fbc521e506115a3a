#include "runtime/sys/sys.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "runtime/blocking.h"

namespace gyre::sys {

namespace {

// What `call` gives, or -errno. Out of line: errno is a thread-local whose address the compiler may keep, and after
// Blocking the goroutine may be on another thread.
template <typename Call>
[[gnu::noinline]] auto CallUntilDone(Call& call) {
  for (;;) {
    const auto result = call();
    if (result >= 0) return result;
    if (errno != EINTR) return static_cast<decltype(call())>(-errno);
  }
}

template <typename Call>
auto Repeat(Call call) {
  return Blocking([&call] { return CallUntilDone(call); });
}

absl::Status Failed(absl::string_view what, int64_t error) {
  std::string text = std::strerror(static_cast<int>(-error));
  // "No such file or directory", but not "RFS specific error".
  if (text.size() > 1 && std::islower(static_cast<unsigned char>(text[1]))) {
    text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  }
  return absl::Status(absl::ErrnoToStatusCode(static_cast<int>(-error)), absl::StrCat(what, ": ", text));
}

template <typename Call>
absl::Status Try(absl::string_view what, Call call) {
  const auto result = Repeat(call);
  return result < 0 ? Failed(what, result) : absl::OkStatus();
}

template <typename Call>
absl::Status TryPath(absl::string_view what, const std::string& path, Call call) {
  const auto result = Repeat(call);
  return result < 0 ? Failed(absl::StrCat(what, " ", path), result) : absl::OkStatus();
}

template <typename Call>
absl::StatusOr<size_t> Transfer(absl::string_view what, Call call) {
  const ssize_t n = Repeat(call);
  if (n < 0) return Failed(what, n);
  return static_cast<size_t>(n);
}

}  // namespace

absl::StatusOr<int> Open(const std::string& path, int flags, mode_t mode) {
  const int fd = Repeat([&] { return open(path.c_str(), flags | O_CLOEXEC, mode); });
  if (fd < 0) return Failed(absl::StrCat("open ", path), fd);
  return fd;
}

absl::Status Close(int fd) {
  // Never again after an interruption: Linux has let go of the number by then, and it may be another's.
  return Try("close", [fd] { return close(fd) == 0 || errno == EINTR ? 0 : -1; });
}

absl::StatusOr<size_t> Read(int fd, absl::Span<char> buffer) {
  return Transfer("read", [&] { return read(fd, buffer.data(), buffer.size()); });
}
absl::StatusOr<size_t> ReadAt(int fd, absl::Span<char> buffer, off_t offset) {
  return Transfer("read", [&] { return pread(fd, buffer.data(), buffer.size(), offset); });
}
absl::StatusOr<size_t> Write(int fd, absl::string_view data) {
  return Transfer("write", [&] { return write(fd, data.data(), data.size()); });
}
absl::StatusOr<size_t> WriteAt(int fd, absl::string_view data, off_t offset) {
  return Transfer("write", [&] { return pwrite(fd, data.data(), data.size(), offset); });
}

absl::Status WriteAll(int fd, absl::string_view data) {
  while (!data.empty()) {
    absl::StatusOr<size_t> n = Write(fd, data);
    if (!n.ok()) return n.status();
    data.remove_prefix(*n);
  }
  return absl::OkStatus();
}

absl::Status Fsync(int fd) {
  return Try("fsync", [fd] { return fsync(fd); });
}
absl::Status Fdatasync(int fd) {
  return Try("fdatasync", [fd] { return fdatasync(fd); });
}
absl::Status Ftruncate(int fd, off_t size) {
  return Try("truncate", [=] { return ftruncate(fd, size); });
}
absl::Status Flock(int fd, int operation) {
  return Try("flock", [=] { return flock(fd, operation); });
}

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  absl::StatusOr<int> fd = Open(path, O_RDONLY);
  if (!fd.ok()) return fd.status();
  std::string text;
  absl::Status status;
  for (size_t step = 8192;; step = std::min<size_t>(2 * step, 1 << 20)) {
    const size_t had = text.size();
    text.resize(had + step);
    absl::StatusOr<size_t> n = Read(*fd, absl::MakeSpan(text).subspan(had));
    text.resize(had + n.value_or(0));
    status = n.status();
    if (!n.ok() || *n == 0) break;
  }
  status.Update(Close(*fd));
  if (!status.ok()) return absl::Status(status.code(), absl::StrCat(path, ": ", status.message()));
  return text;
}

absl::Status WriteFile(const std::string& path, absl::string_view data, mode_t mode) {
  absl::StatusOr<int> fd = Open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);
  if (!fd.ok()) return fd.status();
  absl::Status status = WriteAll(*fd, data);
  status.Update(Close(*fd));
  return status.ok() ? status : absl::Status(status.code(), absl::StrCat(path, ": ", status.message()));
}

absl::StatusOr<struct stat> Stat(const std::string& path) {
  struct stat info;
  if (absl::Status status = TryPath("stat", path, [&] { return stat(path.c_str(), &info); }); !status.ok())
    return status;
  return info;
}
absl::StatusOr<struct stat> Fstat(int fd) {
  struct stat info;
  if (absl::Status status = Try("stat", [&] { return fstat(fd, &info); }); !status.ok()) return status;
  return info;
}
absl::Status Rename(const std::string& from, const std::string& to) {
  return TryPath("rename", absl::StrCat(from, " ", to), [&] { return rename(from.c_str(), to.c_str()); });
}
absl::Status Unlink(const std::string& path) {
  return TryPath("unlink", path, [&] { return unlink(path.c_str()); });
}
absl::Status Mkdir(const std::string& path, mode_t mode) {
  return TryPath("mkdir", path, [&] { return mkdir(path.c_str(), mode); });
}
absl::Status Rmdir(const std::string& path) {
  return TryPath("rmdir", path, [&] { return rmdir(path.c_str()); });
}

absl::StatusOr<std::vector<std::string>> ReadDir(const std::string& path) {
  std::vector<std::string> names;
  const absl::Status status = TryPath("readdir", path, [&] {
    DIR* folder = opendir(path.c_str());
    if (folder == nullptr) return -1;
    errno = 0;
    while (const dirent* entry = readdir(folder)) {
      const absl::string_view name = entry->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
    }
    const int error = errno;
    closedir(folder);
    errno = error;
    return error == 0 ? 0 : -1;
  });
  if (!status.ok()) return status;
  std::sort(names.begin(), names.end());
  return names;
}

absl::StatusOr<Waited> WaitPid(pid_t pid, int options) {
  Waited waited;
  waited.pid = Repeat([&] { return waitpid(pid, &waited.status, options); });
  if (waited.pid < 0) return Failed("wait", waited.pid);
  return waited;
}

absl::StatusOr<std::vector<std::string>> LookupHost(const std::string& host) {
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  const int error = Blocking([&] { return getaddrinfo(host.c_str(), nullptr, &hints, &list); });
  if (error == EAI_NONAME || error == EAI_NODATA || error == EAI_ADDRFAMILY) {
    return absl::NotFoundError(absl::StrCat("lookup ", host, ": no such host"));
  }
  if (error != 0) return absl::UnavailableError(absl::StrCat("lookup ", host, ": ", gai_strerror(error)));
  std::vector<std::string> found;
  for (const addrinfo* one = list; one != nullptr; one = one->ai_next) {
    char text[INET6_ADDRSTRLEN];
    const void* address = nullptr;
    if (one->ai_family == AF_INET) address = &reinterpret_cast<const sockaddr_in*>(one->ai_addr)->sin_addr;
    if (one->ai_family == AF_INET6) address = &reinterpret_cast<const sockaddr_in6*>(one->ai_addr)->sin6_addr;
    if (address == nullptr || inet_ntop(one->ai_family, address, text, sizeof(text)) == nullptr) continue;
    if (std::find(found.begin(), found.end(), text) == found.end()) found.emplace_back(text);
  }
  freeaddrinfo(list);
  return found;
}

}  // namespace gyre::sys
