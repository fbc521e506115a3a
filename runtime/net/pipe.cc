#include "runtime/net/pipe.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/net/deadline.h"
#include "runtime/net/fd.h"
#include "runtime/net/kernel.h"

namespace gyre::net {

using internal::Fd;

namespace {

// Go's programs live without it, too. A handler is somebody's wish, and stays.
void IgnoreSigpipe() {
  [[maybe_unused]] static const bool once = [] {
    struct sigaction now;
    if (sigaction(SIGPIPE, nullptr, &now) == 0 && now.sa_handler == SIG_DFL) signal(SIGPIPE, SIG_IGN);
    return true;
  }();
}

absl::Status Tried(const char* what, absl::Status status) {
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrCat(what, ": ", status.message()));
}

}  // namespace

absl::StatusOr<Descriptor> Descriptor::Adopt(int fd) {
  if (absl::Status status = internal::CheckEngine(); !status.ok()) return Tried("adopt", status);
  struct stat info;
  if (fstat(fd, &info) != 0) return Tried("adopt", internal::ErrnoStatus(errno));
  if (S_ISREG(info.st_mode) || S_ISDIR(info.st_mode) || S_ISBLK(info.st_mode)) {
    return absl::InvalidArgumentError(
        "adopt: a file or folder is always ready, and cannot be waited for; gyre::sys reads and writes files");
  }
  const int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) return Tried("adopt", internal::ErrnoStatus(errno));
  IgnoreSigpipe();
  return Descriptor(std::make_shared<Fd>(fd, Fd::Kind::kFile));
}

absl::StatusOr<size_t> Descriptor::Read(absl::Span<char> buffer) const {
  absl::StatusOr<size_t> n = fd_->Read(buffer.data(), buffer.size());
  if (!n.ok()) return Tried("read", n.status());
  return n;
}

absl::Status Descriptor::ReadFull(absl::Span<char> buffer) const {
  for (size_t done = 0; done < buffer.size();) {
    absl::StatusOr<size_t> n = Read(buffer.subspan(done));
    if (!n.ok()) return n.status();
    if (*n == 0) return absl::OutOfRangeError(done == 0 ? "EOF" : "unexpected EOF");
    done += *n;
  }
  return absl::OkStatus();
}

absl::Status Descriptor::Write(absl::string_view data, size_t* written) const {
  return Tried("write", fd_->Write(data.data(), data.size(), written));
}

absl::Status Descriptor::Close() const {
  return Tried("close", fd_->Close());
}

absl::Status Descriptor::SetDeadline(absl::Time deadline) const {
  return Tried("set", fd_->SetDeadline(true, true, internal::OnMonotonicClock(deadline)));
}
absl::Status Descriptor::SetReadDeadline(absl::Time deadline) const {
  return Tried("set", fd_->SetDeadline(true, false, internal::OnMonotonicClock(deadline)));
}
absl::Status Descriptor::SetWriteDeadline(absl::Time deadline) const {
  return Tried("set", fd_->SetDeadline(false, true, internal::OnMonotonicClock(deadline)));
}

absl::StatusOr<PipeEnds> MakePipe() {
  if (absl::Status status = internal::CheckEngine(); !status.ok()) return Tried("pipe", status);
  int ends[2];
  if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0) return Tried("pipe", internal::ErrnoStatus(errno));
  PipeEnds made;
  absl::StatusOr<Descriptor> read = Descriptor::Adopt(ends[0]), write = Descriptor::Adopt(ends[1]);
  return PipeEnds{*std::move(read), *std::move(write)};
}

absl::StatusOr<Event> Event::Make() {
  if (absl::Status status = internal::CheckEngine(); !status.ok()) return Tried("eventfd", status);
  const int fd = internal::KernelEventFd();
  if (fd < 0) return Tried("eventfd", internal::ErrnoStatus(-fd));
  Event event;
  event.descriptor_ = Descriptor(std::make_shared<Fd>(fd, Fd::Kind::kFile));
  return event;
}

absl::Status Event::Add(uint64_t n) const {
  if (n == 0) return absl::InvalidArgumentError("gyre::net::Event::Add: 0 would wake nobody");
  return descriptor_.Write(absl::string_view(reinterpret_cast<const char*>(&n), sizeof(n)));
}

absl::StatusOr<uint64_t> Event::Wait() const {
  uint64_t count = 0;
  absl::StatusOr<size_t> n = descriptor_.Read(absl::MakeSpan(reinterpret_cast<char*>(&count), sizeof(count)));
  if (!n.ok()) return n.status();
  return count;
}

absl::Status Event::Close() const {
  return descriptor_.Close();
}
absl::Status Event::SetDeadline(absl::Time deadline) const {
  return descriptor_.SetDeadline(deadline);
}

}  // namespace gyre::net
