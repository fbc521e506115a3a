#include "runtime/net/kernel.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>

namespace gyre::net::internal {

namespace {
template <typename T>
T OrError(T result) {
  return result < 0 ? static_cast<T>(-errno) : result;
}
}  // namespace

#if defined(__SANITIZE_THREAD__)

ssize_t KernelRead(int fd, void* buffer, size_t size) {
  return OrError(read(fd, buffer, size));
}
ssize_t KernelWrite(int fd, const void* data, size_t size) {
  return OrError(write(fd, data, size));
}
ssize_t KernelReceive(int fd, void* buffer, size_t size, int flags) {
  return OrError(recv(fd, buffer, size, flags | MSG_DONTWAIT));
}
ssize_t KernelSend(int fd, const void* data, size_t size, int flags) {
  return OrError(send(fd, data, size, flags | MSG_DONTWAIT));
}
int KernelAccept(int fd, sockaddr* address, socklen_t* size) {
  return OrError(accept4(fd, address, size, SOCK_NONBLOCK | SOCK_CLOEXEC));
}
int KernelConnect(int fd, const sockaddr* address, socklen_t size) {
  return OrError(connect(fd, address, size));
}
int KernelClose(int fd) {
  return OrError(close(fd));
}

#else

ssize_t KernelRead(int fd, void* buffer, size_t size) {
  return OrError(syscall(SYS_read, fd, buffer, size));
}
ssize_t KernelWrite(int fd, const void* data, size_t size) {
  return OrError(syscall(SYS_write, fd, data, size));
}
ssize_t KernelReceive(int fd, void* buffer, size_t size, int flags) {
  return OrError(syscall(SYS_recvfrom, fd, buffer, size, flags, nullptr, nullptr));
}
ssize_t KernelSend(int fd, const void* data, size_t size, int flags) {
  return OrError(syscall(SYS_sendto, fd, data, size, flags, nullptr, 0));
}
int KernelAccept(int fd, sockaddr* address, socklen_t* size) {
  return static_cast<int>(OrError(syscall(SYS_accept4, fd, address, size, SOCK_NONBLOCK | SOCK_CLOEXEC)));
}
int KernelConnect(int fd, const sockaddr* address, socklen_t size) {
  return static_cast<int>(OrError(syscall(SYS_connect, fd, address, size)));
}
int KernelClose(int fd) {
  return static_cast<int>(OrError(syscall(SYS_close, fd)));
}

#endif

int KernelPoll(pollfd* fds, size_t count, int64_t timeout_ns) {
  const timespec timeout{timeout_ns / 1'000'000'000, timeout_ns % 1'000'000'000};
  return static_cast<int>(
      OrError(syscall(SYS_ppoll, fds, count, timeout_ns < 0 ? nullptr : &timeout, nullptr, size_t{8})));
}

int KernelEventFd() {
  return OrError(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
}

int KernelConnectResult(int fd) {
  int error = 0;
  socklen_t length = sizeof(error);
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0) return -errno;
  if (error == EINPROGRESS || error == EALREADY || error == EINTR) return -EINPROGRESS;
  if (error != 0) return -error;
  // No error may mean that it is not yet known.
  sockaddr_storage peer;
  length = sizeof(peer);
  return getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &length) == 0 ? 0 : -EINPROGRESS;
}

}  // namespace gyre::net::internal
