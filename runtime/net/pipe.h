// Pipes, event counters and other descriptors that can be waited for, for goroutines. As net.h says of its handles:
// copies mean the same descriptor, any number of goroutines and threads may use one, Close wakes whoever waits ("file
// already closed").
//
//   absl::StatusOr<gyre::net::PipeEnds> pipe = gyre::net::MakePipe();
//   gyre::Go([out = pipe->write] { out.Write("done").IgnoreError(); });
//   char answer[4];
//   absl::Status status = pipe->read.ReadFull(absl::MakeSpan(answer));
#ifndef GYRE_RUNTIME_NET_PIPE_H_
#define GYRE_RUNTIME_NET_PIPE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"

namespace gyre::net {

namespace internal {
class Fd;
}

// A descriptor without a name: a pipe's end, a terminal, a socket from elsewhere. An empty handle may only be assigned
// to.
class Descriptor {
 public:
  Descriptor() = default;

  // Takes over `fd`, which must be of a kind that the kernel can tell the readiness of: no regular file or folder (they
  // are always ready, and read through gyre::sys). Puts it into non-blocking mode, for all processes that share it. On
  // an error it is still the caller's.
  static absl::StatusOr<Descriptor> Adopt(int fd);

  // As Conn's (net.h). A Write whose reader is gone is an error, "broken pipe": the process ignores SIGPIPE from the
  // first Adopt or MakePipe on, unless it has a handler.
  absl::StatusOr<size_t> Read(absl::Span<char> buffer) const;
  absl::Status ReadFull(absl::Span<char> buffer) const;
  absl::Status Write(absl::string_view data, size_t* written = nullptr) const;
  absl::Status Close() const;
  absl::Status SetDeadline(absl::Time deadline) const;
  absl::Status SetReadDeadline(absl::Time deadline) const;
  absl::Status SetWriteDeadline(absl::Time deadline) const;

 private:
  friend class Event;
  explicit Descriptor(std::shared_ptr<internal::Fd> fd) : fd_(std::move(fd)) {}
  std::shared_ptr<internal::Fd> fd_;
};

struct PipeEnds {
  Descriptor read, write;
};
absl::StatusOr<PipeEnds> MakePipe();

// An eventfd(2): a counter that one side adds to and the other waits for.
class Event {
 public:
  static absl::StatusOr<Event> Make();

  // Adds `n`, which is not 0. Waits, which takes 2^64 - 2 others first, where the counter would overflow.
  absl::Status Add(uint64_t n = 1) const;
  // Waits until the counter is not 0; takes all of it.
  absl::StatusOr<uint64_t> Wait() const;
  absl::Status Close() const;
  absl::Status SetDeadline(absl::Time deadline) const;

 private:
  Descriptor descriptor_;
};

}  // namespace gyre::net

#endif  // GYRE_RUNTIME_NET_PIPE_H_
