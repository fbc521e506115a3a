#include "lab/metrics_client.h"

#include <netdb.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace gyre::lab {

namespace {

class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {}
  ~Socket() {
    if (fd_ >= 0) close(fd_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  int fd() const { return fd_; }

 private:
  const int fd_;
};

absl::Status Unreachable(const std::string& address, const char* why) {
  return absl::UnavailableError(absl::StrCat("nobody answers at ", address, ": ", why,
                                             " (a program serves it that is started with --debug_http=", address, ")"));
}

}  // namespace

Metrics ParseMetrics(absl::string_view text) {
  Metrics metrics;
  for (absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    const size_t space = line.rfind(' ');
    double value;
    if (line[0] == '#' || space == absl::string_view::npos || !absl::SimpleAtod(line.substr(space + 1), &value))
      continue;
    metrics[std::string(line.substr(0, space))] = value;
  }
  return metrics;
}

absl::StatusOr<std::string> Fetch(const std::string& address, const std::string& path) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos || colon + 1 == address.size()) {
    return absl::InvalidArgumentError(absl::StrCat("\"", address, "\" is not HOST:PORT, such as 127.0.0.1:6060"));
  }
  std::string host = address.substr(0, colon);
  if (host.empty()) host = "127.0.0.1";
  if (host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  addrinfo hints{}, *found = nullptr;
  hints.ai_socktype = SOCK_STREAM;
  if (const int error = getaddrinfo(host.c_str(), address.c_str() + colon + 1, &hints, &found); error != 0) {
    return absl::InvalidArgumentError(absl::StrCat("\"", address, "\" is no address: ", gai_strerror(error)));
  }
  const Socket socket(::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const timeval patience{2, 0};
  setsockopt(socket.fd(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  setsockopt(socket.fd(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
  const int connected = connect(socket.fd(), found->ai_addr, found->ai_addrlen);
  freeaddrinfo(found);
  if (connected != 0) return Unreachable(address, std::strerror(errno));

  const std::string request = absl::StrCat("GET ", path, " HTTP/1.0\r\nHost: localhost\r\n\r\n");
  if (send(socket.fd(), request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size())) {
    return Unreachable(address, std::strerror(errno));
  }
  std::string answer;
  char buffer[4096];
  constexpr size_t kLongest = 16 << 20;
  ssize_t n;
  while ((n = recv(socket.fd(), buffer, sizeof(buffer), 0)) > 0 && answer.size() < kLongest) {
    answer.append(buffer, static_cast<size_t>(n));
  }
  const size_t body = answer.find("\r\n\r\n");
  const std::vector<absl::string_view> words =
      absl::StrSplit(answer.substr(0, answer.find('\r')), absl::MaxSplits(' ', 2));
  if (body == std::string::npos || words.size() < 2 || !absl::StartsWith(answer, "HTTP/")) {
    return Unreachable(address, "what is there is no web server");
  }
  if (words[1] != "200")
    return absl::UnavailableError(absl::StrCat("http://", address, path, " answers with ", words[1]));
  return answer.substr(body + 4);
}

}  // namespace gyre::lab
