#include "runtime/net/net.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "runtime/blocking.h"
#include "runtime/go.h"
#include "runtime/net/address.h"
#include "runtime/net/deadline.h"
#include "runtime/net/fd.h"
#include "runtime/net/kernel.h"

namespace gyre::net {

namespace internal {

struct Socket {
  Socket(int number, absl::string_view net)
      : network(net), fd(number, net == "unix" ? Fd::Kind::kSocket : Fd::Kind::kTcp) {}
  ~Socket() { RemovePath(); }

  void RemovePath() {
    if (has_path.exchange(false)) Blocking([this] { unlink(path.c_str()); });
  }

  // "read tcp 127.0.0.1:5->127.0.0.1:6: ...", as in Go's OpError.
  absl::Status Annotate(const char* what, const absl::Status& error) const {
    std::string text = absl::StrCat(what, " ", network);
    const std::string here = local.ToString(), there = remote.ToString();
    if (!here.empty() || !there.empty()) absl::StrAppend(&text, " ", here);
    if (!there.empty()) absl::StrAppend(&text, "->", there);
    return absl::Status(error.code(), absl::StrCat(text, ": ", error.message()));
  }

  // OK, or annotated.
  absl::Status Tried(const char* what, const absl::Status& status) const {
    return status.ok() ? status : Annotate(what, status);
  }

  absl::Status SetOption(const char* what, int level, int name, int value) {
    return Tried(what, fd.Control([&](int number) {
      return setsockopt(number, level, name, &value, sizeof(value)) == 0 ? absl::OkStatus() : ErrnoStatus(errno);
    }));
  }

  absl::Status Shutdown(const char* what, int how) {
    return Tried(what, fd.Control([how](int number) {
      return shutdown(number, how) == 0 ? absl::OkStatus() : ErrnoStatus(errno);
    }));
  }

  void ReadLocalAddress(int number) {
    if (getsockname(number, local.get(), &local.size) != 0) local = {};
  }

  const std::string network;
  Address local, remote;
  std::string path;  // a listener's: to be removed at the end
  std::atomic<bool> has_path{false};
  Fd fd;
};

namespace {

absl::StatusOr<int> NewSocket(int family) {
  const int number = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (number >= 0) return number;
  const int error = errno;
  return absl::Status(absl::ErrnoToStatusCode(error), absl::StrCat("socket: ", ErrnoStatus(error).message()));
}

absl::Status Wrong(absl::string_view what, absl::string_view network, absl::string_view address,
                   const absl::Status& error) {
  return absl::Status(error.code(),
                      absl::StrCat(what, " ", network, address.empty() ? "" : " ", address, ": ", error.message()));
}

// Of a call that has just failed.
absl::Status KernelStatus(const char* call) {
  const int error = errno;
  return absl::Status(absl::ErrnoToStatusCode(error), absl::StrCat(call, ": ", ErrnoStatus(error).message()));
}

absl::Status BindAndListen(Socket& socket, int number, const Address& address) {
  const int on = 1, off = 0;
  if (address.family() != AF_UNIX) {
    setsockopt(number, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    // Accepted sockets inherit it.
    setsockopt(number, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  }
  if (address.family() == AF_INET6) {
    const bool only6 = socket.network == "tcp6";
    setsockopt(number, IPPROTO_IPV6, IPV6_V6ONLY, only6 ? &on : &off, sizeof(on));
  }
  if (bind(number, address.get(), address.size) != 0) return KernelStatus("bind");
  constexpr int kBacklog = 65535;  // the kernel takes its own limit if that is less
  if (listen(number, kBacklog) != 0) return KernelStatus("listen");
  socket.ReadLocalAddress(number);
  if (address.family() == AF_UNIX && socket.local.ToString().front() != '@') {
    socket.path = socket.local.ToString();
    socket.has_path = true;
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace internal

using internal::Socket;

// ---- Conn ----

absl::StatusOr<size_t> Conn::Read(absl::Span<char> buffer) const {
  absl::StatusOr<size_t> n = socket_->fd.Read(buffer.data(), buffer.size());
  if (!n.ok()) [[unlikely]]
    return socket_->Annotate("read", n.status());
  return n;
}

absl::Status Conn::ReadFull(absl::Span<char> buffer) const {
  for (size_t done = 0; done < buffer.size();) {
    absl::StatusOr<size_t> n = Read(buffer.subspan(done));
    if (!n.ok()) return n.status();
    if (*n == 0) return absl::OutOfRangeError(done == 0 ? "EOF" : "unexpected EOF");
    done += *n;
  }
  return absl::OkStatus();
}

absl::Status Conn::Write(absl::string_view data, size_t* written) const {
  absl::Status status = socket_->fd.Write(data.data(), data.size(), written);
  if (!status.ok()) [[unlikely]]
    return socket_->Annotate("write", status);
  return status;
}

absl::Status Conn::Close() const {
  return socket_->Tried("close", socket_->fd.Close());
}
absl::Status Conn::CloseWrite() const {
  return socket_->Shutdown("close", SHUT_WR);
}
absl::Status Conn::CloseRead() const {
  return socket_->Shutdown("close", SHUT_RD);
}

absl::Status Conn::SetDeadlines(const char* what, bool read, bool write, absl::Time deadline) const {
  return socket_->Tried(what, socket_->fd.SetDeadline(read, write, internal::OnMonotonicClock(deadline)));
}
absl::Status Conn::SetDeadline(absl::Time deadline) const {
  return SetDeadlines("set", true, true, deadline);
}
absl::Status Conn::SetReadDeadline(absl::Time deadline) const {
  return SetDeadlines("set", true, false, deadline);
}
absl::Status Conn::SetWriteDeadline(absl::Time deadline) const {
  return SetDeadlines("set", false, true, deadline);
}

absl::Status Conn::SetNoDelay(bool on) const {
  return socket_->SetOption("set", IPPROTO_TCP, TCP_NODELAY, on);
}

absl::Status Conn::SetKeepAlive(absl::Duration period) const {
  const bool on = period > absl::ZeroDuration();
  if (absl::Status status = socket_->SetOption("set", SOL_SOCKET, SO_KEEPALIVE, on); !status.ok() || !on) return status;
  const int seconds =
      static_cast<int>(std::clamp<int64_t>(absl::ToInt64Seconds(period + absl::Nanoseconds(999'999'999)), 1, 32767));
  if (absl::Status status = socket_->SetOption("set", IPPROTO_TCP, TCP_KEEPIDLE, seconds); !status.ok()) return status;
  return socket_->SetOption("set", IPPROTO_TCP, TCP_KEEPINTVL, seconds);
}

absl::Status Conn::SetLinger(absl::Duration time) const {
  linger value = {time >= absl::ZeroDuration(), 0};
  value.l_linger =
      static_cast<int>(std::clamp<int64_t>(absl::ToInt64Seconds(time + absl::Nanoseconds(999'999'999)), 0, 32767));
  return socket_->Tried("set", socket_->fd.Control([&](int number) {
    const bool ok = setsockopt(number, SOL_SOCKET, SO_LINGER, &value, sizeof(value)) == 0;
    return ok ? absl::OkStatus() : internal::ErrnoStatus(errno);
  }));
}

std::string Conn::LocalAddress() const {
  return socket_->local.ToString();
}
std::string Conn::RemoteAddress() const {
  return socket_->remote.ToString();
}

// ---- Listener ----

absl::StatusOr<Conn> Listener::Accept() const {
  internal::Address remote;
  absl::StatusOr<int> number = socket_->fd.Accept(remote.get(), &remote.size);
  if (!number.ok()) return socket_->Annotate("accept", number.status());
  auto socket = std::make_shared<Socket>(*number, socket_->network);
  socket->remote = remote;
  socket->ReadLocalAddress(*number);
  return Conn(std::move(socket));
}

absl::Status Listener::Close() const {
  // Before it is closed: a name that is free may be somebody else's soon.
  const absl::Status gone = socket_->fd.Control([this](int) {
    socket_->RemovePath();
    return absl::OkStatus();
  });
  if (!gone.ok()) return socket_->Annotate("close", gone);
  return socket_->Tried("close", socket_->fd.Close());
}

absl::Status Listener::SetDeadline(absl::Time deadline) const {
  return socket_->Tried("set", socket_->fd.SetDeadline(true, false, internal::OnMonotonicClock(deadline)));
}

std::string Listener::Address() const {
  return socket_->local.ToString();
}

// ---- making them ----

absl::StatusOr<Listener> Listen(absl::string_view network, absl::string_view address) {
  const auto wrong = [&](const absl::Status& error) { return internal::Wrong("listen", network, address, error); };
  if (absl::Status status = internal::CheckEngine(); !status.ok()) return wrong(status);
  auto addresses = internal::Resolve(network, address, /*to_listen=*/true);
  if (!addresses.ok()) return wrong(addresses.status());
  // Of a name's several addresses Go takes the first of version 4; of "all" the one that takes in both versions.
  const bool all = !address.empty() && address[0] == ':';
  if (!all) {
    std::stable_partition(addresses->begin(), addresses->end(), [](const auto& a) { return a.family() == AF_INET; });
  }
  absl::Status first;
  for (const internal::Address& one : *addresses) {
    absl::StatusOr<int> number = internal::NewSocket(one.family());
    absl::Status status = number.status();
    if (status.ok()) {
      auto socket = std::make_shared<Socket>(*number, network);
      status = internal::BindAndListen(*socket, *number, one);
      if (status.ok()) return Listener(std::move(socket));
    }
    first.Update(status);
    if (!all) break;  // a machine without version 6 listens on what it has
  }
  return wrong(first);
}

absl::StatusOr<Conn> Dial(absl::string_view network, absl::string_view address, absl::Time deadline) {
  const auto wrong = [&](const std::string& where, const absl::Status& error) {
    return internal::Wrong("dial", network, where, error);
  };
  if (absl::Status status = internal::CheckEngine(); !status.ok()) return wrong(std::string(address), status);
  auto addresses = internal::Resolve(network, address, /*to_listen=*/false);
  if (!addresses.ok()) return wrong("", addresses.status());
  const Nanos until = internal::OnMonotonicClock(deadline);
  absl::Status first;
  for (const internal::Address& one : *addresses) {
    absl::StatusOr<int> number = internal::NewSocket(one.family());
    if (!number.ok()) {
      first.Update(wrong(one.ToString(), number.status()));
      continue;
    }
    const int on = 1;
    if (one.family() != AF_UNIX) setsockopt(*number, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    auto socket = std::make_shared<Socket>(*number, network);
    absl::Status status = socket->fd.SetDeadline(false, true, until);
    if (status.ok()) status = socket->fd.Connect(one.get(), one.size);
    if (status.ok()) status = socket->fd.SetDeadline(false, true, kNever);
    if (status.ok()) {
      socket->remote = one;
      socket->ReadLocalAddress(*number);
      return Conn(std::move(socket));
    }
    const char* call =
        status.code() == absl::StatusCode::kDeadlineExceeded && status.message() == "i/o timeout" ? "" : "connect: ";
    first.Update(wrong(one.ToString(), absl::Status(status.code(), absl::StrCat(call, status.message()))));
    if (NowNanos() >= until) break;
  }
  return first;
}

bool IsClosed(const absl::Status& status) {
  return status.code() == absl::StatusCode::kCancelled;
}
bool IsTimeout(const absl::Status& status) {
  return status.code() == absl::StatusCode::kDeadlineExceeded;
}

}  // namespace gyre::net
