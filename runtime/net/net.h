// gyre::net: TCP and Unix sockets for goroutines, as Go's package net has them. docs/net.md leads through it.
//
//   absl::StatusOr<gyre::net::Listener> listener = gyre::net::Listen("tcp", "127.0.0.1:0");
//   gyre::Go([listener = *listener] {
//     for (;;) {
//       absl::StatusOr<gyre::net::Conn> conn = listener.Accept();
//       if (!conn.ok()) return;                                       // closed
//       gyre::Go([conn = *conn] {
//         char buffer[4096];
//         for (;;) {
//           absl::StatusOr<size_t> n = conn.Read(absl::MakeSpan(buffer));
//           if (!n.ok() || *n == 0 || !conn.Write({buffer, *n}).ok()) return;
//         }
//       });
//     }
//   });
//   absl::StatusOr<gyre::net::Conn> conn = gyre::net::Dial("tcp", listener->Address());
//
// A goroutine that waits is parked; its thread goes on. On a foreign thread the same calls block the thread. In the
// simulator everything here is an Unimplemented error.
//
// Listener and Conn are handles: copies mean the same socket, which is closed by Close or when the last handle is gone.
// Any number of goroutines and threads may use one at once. Reads take turns, and so do writes: one Write is never
// mixed with another.
//
// Errors, in Go's words behind what was tried: "read tcp 127.0.0.1:5->127.0.0.1:6: connection reset by peer".
//   Cancelled          "use of closed network connection": it was closed here, before the call or during it (IsClosed)
//   DeadlineExceeded   "i/o timeout" (IsTimeout): the deadline has passed; a later deadline makes it usable again
//   InvalidArgument    an address or a network that does not exist; the sentence says what is valid
//   others             what the kernel said, by absl::ErrnoToStatusCode
#ifndef GYRE_RUNTIME_NET_NET_H_
#define GYRE_RUNTIME_NET_NET_H_

#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"

namespace gyre::net {

namespace internal {
struct Socket;
class Fd;
}  // namespace internal

// A connected stream. An empty handle (Conn()) may only be assigned to, and compared with nullptr.
class Conn {
 public:
  Conn() = default;

  // As many bytes as there are, at least one, at most the buffer's size. 0: the other side ends its stream (or the
  // buffer is empty).
  absl::StatusOr<size_t> Read(absl::Span<char> buffer) const;
  // The whole buffer. OutOfRange, "EOF" or after some bytes "unexpected EOF", if the stream ends before that.
  absl::Status ReadFull(absl::Span<char> buffer) const;
  // All of `data`, or an error; `written`, if not null, is then how many bytes the kernel took.
  absl::Status Write(absl::string_view data, size_t* written = nullptr) const;

  // Those who wait are woken with an error, and so will be who comes later. Returns when nobody is at it any more.
  absl::Status Close() const;
  // Ends this side's stream: the other one reads what was sent, then 0.
  absl::Status CloseWrite() const;
  // Reads find the end of the stream from now on.
  absl::Status CloseRead() const;

  // When what waits fails, and what begins later; also calls that wait now. absl::InfiniteFuture(): never (the
  // default). Measured on the monotonic clock from now on: setting the wall clock does not move it.
  absl::Status SetDeadline(absl::Time deadline) const;
  absl::Status SetReadDeadline(absl::Time deadline) const;
  absl::Status SetWriteDeadline(absl::Time deadline) const;

  // TCP: whether small writes go out at once (the default, as in Go).
  absl::Status SetNoDelay(bool on) const;
  // TCP: probes a silent other side each `period`; zero: never (the default).
  absl::Status SetKeepAlive(absl::Duration period) const;
  // How long Close lets unsent data linger: negative, in the background (the default); zero: it is dropped, and the
  // other side gets "connection reset by peer". Whole seconds, rounded up.
  absl::Status SetLinger(absl::Duration time) const;

  // "127.0.0.1:80", "[::1]:80", a Unix socket's path, "@name"; empty if it has no name.
  std::string LocalAddress() const;
  std::string RemoteAddress() const;

  bool operator==(const Conn&) const = default;
  bool operator==(std::nullptr_t) const { return socket_ == nullptr; }

 private:
  friend class Listener;
  friend absl::StatusOr<Conn> Dial(absl::string_view, absl::string_view, absl::Time);
  explicit Conn(std::shared_ptr<internal::Socket> socket) : socket_(std::move(socket)) {}
  absl::Status SetDeadlines(const char* what, bool read, bool write, absl::Time deadline) const;

  std::shared_ptr<internal::Socket> socket_;
};

class Listener {
 public:
  Listener() = default;

  // The next connection. "too many open files" and its like leave the listener usable: wait a little and call again.
  absl::StatusOr<Conn> Accept() const;
  // As Conn's. Connections that wait to be accepted are reset; a Unix socket's path is removed.
  absl::Status Close() const;
  absl::Status SetDeadline(absl::Time deadline) const;
  // With the port that the kernel chose, where it was asked for port 0.
  std::string Address() const;

  bool operator==(const Listener&) const = default;
  bool operator==(std::nullptr_t) const { return socket_ == nullptr; }

 private:
  friend absl::StatusOr<Listener> Listen(absl::string_view, absl::string_view);
  explicit Listener(std::shared_ptr<internal::Socket> socket) : socket_(std::move(socket)) {}

  std::shared_ptr<internal::Socket> socket_;
};

// `network`: "tcp" (both versions of IP), "tcp4", "tcp6", "unix". `address`: "host:port", "[IPv6]:port", ":port" for
// all of the machine's own addresses; port 0: any that is free. For "unix" a path, or "@name" for one outside of the
// file system.
absl::StatusOr<Listener> Listen(absl::string_view network, absl::string_view address);

// Connects; a host that has several addresses is tried address by address, and the first error is returned if none
// works. An empty host is this machine. Gives up at `deadline`.
absl::StatusOr<Conn> Dial(absl::string_view network, absl::string_view address,
                          absl::Time deadline = absl::InfiniteFuture());

// Whether the error is that it was closed here; that a deadline passed (the kernel's "connection timed out" too).
bool IsClosed(const absl::Status& status);
bool IsTimeout(const absl::Status& status);

}  // namespace gyre::net

#endif  // GYRE_RUNTIME_NET_NET_H_
