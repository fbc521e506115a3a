// The C library's functions that wait in the kernel, in place of the C library's. Called on a goroutine of a runtime
// that runs with
// --intercept=on, they park the goroutine until the kernel has something to give, and then do what they always did.
// Everywhere else, which is told by one look at a counter, they only forward to the function that would have been
// called without them.
//
// The executable's symbols come before a shared library's, so this holds for code in other shared libraries too; not
// for calls that the C library makes inside itself (fread's of read, getaddrinfo's of poll), nor for system calls made
// by hand.
//
// What they keep of the originals: results, errno, SO_RCVTIMEO and SO_SNDTIMEO, descriptors in non-blocking mode (which
// never wait). What differs: a signal interrupts no wait, and the thread may be another one afterwards. A caller that
// holds a lock that belongs to its thread, or a thread-local's address, over such a call must not be intercepted.
#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <vector>

#include "absl/time/time.h"
#include "runtime/blocking.h"
#include "runtime/go.h"
#include "runtime/interception.h"
#include "runtime/net/kernel.h"
#include "runtime/net/poll_parked.h"
#include "runtime/netpoll.h"

namespace gyre::internal {
namespace {

[[maybe_unused]] const bool linked = interception_linked = true;

// ---- forwarding ----

// The function that would be called without this file. `Tag` tells functions of one type apart.
template <typename Function, typename Tag>
Function* Next(const char* name) {
  static std::atomic<Function*> known{nullptr};
  Function* function = known.load(std::memory_order_relaxed);
  if (function == nullptr) [[unlikely]] {
    function = reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
    known.store(function, std::memory_order_relaxed);
  }
  return function;
}
#define NEXT(name)                             \
  ([] {                                        \
    struct Tag {};                             \
    return Next<decltype(::name), Tag>(#name); \
  }())

// Relaxed: a goroutine whose runtime wants it sees what was written before it began.
inline bool Parks() {
  return interceptions.load(std::memory_order_relaxed) != 0 && InterceptHere();
}

// ---- waiting ----

// Out of line, as everywhere where errno is used on both sides of a switch.
[[gnu::noinline]] void SetErrno(int error) {
  errno = error;
}

// A result as the C library gives it, from one that may be -errno.
template <typename T>
T Answer(T result) {
  if (result >= 0) return result;
  SetErrno(static_cast<int>(-result));
  return -1;
}

bool NeverWaits(int fd) {
  const int flags = fcntl(fd, F_GETFL);
  return flags < 0 || (flags & O_NONBLOCK) != 0;
}

Nanos After(int64_t nanoseconds) {
  Nanos when;
  return __builtin_add_overflow(NowNanos(), nanoseconds, &when) ? kNever : when;
}

// When a wait of SO_RCVTIMEO or SO_SNDTIMEO ends that begins now.
Nanos TimeoutOf(int fd, int option) {
  timeval timeout = {};
  socklen_t size = sizeof(timeout);
  if (getsockopt(fd, SOL_SOCKET, option, &timeout, &size) != 0) return kNever;
  const int64_t ns = timeout.tv_sec * 1'000'000'000 + timeout.tv_usec * 1000;
  return ns == 0 ? kNever : After(ns);
}

// Waits until `events` of `fd` may be worth a try. False: its time is over, which is EAGAIN.
bool AwaitOne(int fd, short events) {
  pollfd one = {fd, events, 0};
  if (net::internal::KernelPoll(&one, 1, 0) != 0 || NeverWaits(fd)) return true;
  const Nanos deadline = TimeoutOf(fd, events == POLLIN ? SO_RCVTIMEO : SO_SNDTIMEO);
  if (net::internal::PollParked(&one, 1, deadline) != 0) return true;  // of an error the call itself has more to say
  SetErrno(EAGAIN);
  return false;
}

// `call` once it need not wait; Blocking, for somebody else may have been faster.
template <typename Call>
auto Once(int fd, short events, Call call) -> decltype(call()) {
  if (!AwaitOne(fd, events)) return -1;
  return Blocking(call);
}

// All of it, as a blocking socket sends. ENOTSOCK is left to the caller.
ssize_t SendAll(int fd, const char* data, size_t size, int flags) {
  if ((flags & MSG_DONTWAIT) != 0 || NeverWaits(fd)) return net::internal::KernelSend(fd, data, size, flags);
  for (size_t done = 0;;) {
    const ssize_t n = net::internal::KernelSend(fd, data + done, size - done, flags | MSG_DONTWAIT);
    if (n >= 0) {
      done += static_cast<size_t>(n);
      if (done >= size) return static_cast<ssize_t>(done);
    } else if (n == -EAGAIN) {
      if (!AwaitOne(fd, POLLOUT)) return done != 0 ? static_cast<ssize_t>(done) : -EAGAIN;
    } else if (n != -EINTR) {
      return done != 0 ? static_cast<ssize_t>(done) : n;
    }
  }
}

int Connect(int fd, const sockaddr* address, socklen_t size) {
  const int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || (flags & O_NONBLOCK) != 0) return net::internal::KernelConnect(fd, address, size);
  fcntl(fd, F_SETFL, flags | O_NONBLOCK);
  int result = net::internal::KernelConnect(fd, address, size);
  fcntl(fd, F_SETFL, flags);
  // A Unix socket's listener has a full queue: nothing tells when it has room again.
  if (result == -EAGAIN) return Blocking([&] { return net::internal::KernelConnect(fd, address, size); });
  const Nanos deadline = result == -EINPROGRESS ? TimeoutOf(fd, SO_SNDTIMEO) : kNever;
  while (result == -EINPROGRESS) {
    pollfd one = {fd, POLLOUT, 0};
    if (net::internal::PollParked(&one, 1, deadline) == 0) break;
    result = net::internal::KernelConnectResult(fd);
  }
  return result;
}

int Poll(pollfd* fds, nfds_t count, int timeout_ms) {
  return net::internal::PollParked(fds, count, timeout_ms < 0 ? kNever : After(timeout_ms * int64_t{1'000'000}));
}

int Select(int count, fd_set* read, fd_set* write, fd_set* except, const timeval* timeout) {
  if (count < 0 || count > FD_SETSIZE) return -EINVAL;
  if (timeout != nullptr && (timeout->tv_sec < 0 || timeout->tv_usec < 0)) return -EINVAL;
  std::vector<pollfd> fds;
  for (int fd = 0; fd < count; ++fd) {
    short events = 0;
    if (read != nullptr && FD_ISSET(fd, read)) events |= POLLIN;
    if (write != nullptr && FD_ISSET(fd, write)) events |= POLLOUT;
    if (except != nullptr && FD_ISSET(fd, except)) events |= POLLPRI;
    if (events != 0) fds.push_back({fd, events, 0});
  }
  const Nanos deadline = timeout == nullptr ? kNever : After(timeout->tv_sec * 1'000'000'000 + timeout->tv_usec * 1000);
  const int ready = net::internal::PollParked(fds.data(), fds.size(), deadline);
  if (ready < 0) return ready;
  int bits = 0;
  for (const pollfd& fd : fds) {
    if ((fd.revents & POLLNVAL) != 0) return -EBADF;
    const auto put = [&](fd_set* set, short asked, short seen) {
      if (set == nullptr || (fd.events & asked) == 0) return;
      if ((fd.revents & seen) == 0) {
        FD_CLR(fd.fd, set);
      } else {
        ++bits;
      }
    };
    put(read, POLLIN, POLLIN | POLLHUP | POLLERR);
    put(write, POLLOUT, POLLOUT | POLLERR);
    put(except, POLLPRI, POLLPRI);
  }
  return bits;
}

// An error number, as clock_nanosleep gives it.
int ClockSleep(clockid_t clock, int flags, const timespec* time) {
  if (time->tv_sec < 0 || time->tv_nsec < 0 || time->tv_nsec >= 1'000'000'000) return EINVAL;
  int64_t ns;
  if (__builtin_mul_overflow(time->tv_sec, int64_t{1'000'000'000}, &ns)) ns = kNever;
  if (__builtin_add_overflow(ns, time->tv_nsec, &ns)) ns = kNever;
  if ((flags & TIMER_ABSTIME) != 0) {
    timespec now;
    clock_gettime(clock, &now);
    ns -= now.tv_sec * 1'000'000'000 + now.tv_nsec;
  }
  if (ns > 0) Sleep(absl::Nanoseconds(ns));
  return 0;
}

}  // namespace
}  // namespace gyre::internal

// ---- the functions ----

using namespace gyre::internal;  // NOLINT: what follows is outside of any namespace, and calls much from in there

extern "C" {

ssize_t read(int fd, void* buffer, size_t size) {
  const auto next = NEXT(read);
  if (!Parks()) [[likely]]
    return next(fd, buffer, size);
  return Once(fd, POLLIN, [=] { return next(fd, buffer, size); });
}

ssize_t readv(int fd, const iovec* parts, int count) {
  const auto next = NEXT(readv);
  if (!Parks()) [[likely]]
    return next(fd, parts, count);
  return Once(fd, POLLIN, [=] { return next(fd, parts, count); });
}

ssize_t recv(int fd, void* buffer, size_t size, int flags) {
  const auto next = NEXT(recv);
  if (!Parks() || (flags & MSG_DONTWAIT) != 0) [[likely]]
    return next(fd, buffer, size, flags);
  return Once(fd, POLLIN, [=] { return next(fd, buffer, size, flags); });
}

ssize_t recvfrom(int fd, void* buffer, size_t size, int flags, sockaddr* address, socklen_t* length) {
  const auto next = NEXT(recvfrom);
  if (!Parks() || (flags & MSG_DONTWAIT) != 0) [[likely]]
    return next(fd, buffer, size, flags, address, length);
  return Once(fd, POLLIN, [=] { return next(fd, buffer, size, flags, address, length); });
}

ssize_t recvmsg(int fd, msghdr* message, int flags) {
  const auto next = NEXT(recvmsg);
  if (!Parks() || (flags & MSG_DONTWAIT) != 0) [[likely]]
    return next(fd, message, flags);
  return Once(fd, POLLIN, [=] { return next(fd, message, flags); });
}

int accept(int fd, sockaddr* address, socklen_t* length) {
  const auto next = NEXT(accept);
  if (!Parks()) [[likely]]
    return next(fd, address, length);
  return Once(fd, POLLIN, [=] { return next(fd, address, length); });
}

int accept4(int fd, sockaddr* address, socklen_t* length, int flags) {
  const auto next = NEXT(accept4);
  if (!Parks()) [[likely]]
    return next(fd, address, length, flags);
  return Once(fd, POLLIN, [=] { return next(fd, address, length, flags); });
}

ssize_t write(int fd, const void* data, size_t size) {
  const auto next = NEXT(write);
  if (!Parks()) [[likely]]
    return next(fd, data, size);
  if (const ssize_t n = SendAll(fd, static_cast<const char*>(data), size, 0); n != -ENOTSOCK) return Answer(n);
  return Once(fd, POLLOUT, [=] { return next(fd, data, size); });
}

ssize_t writev(int fd, const iovec* parts, int count) {
  const auto next = NEXT(writev);
  if (!Parks()) [[likely]]
    return next(fd, parts, count);
  return Once(fd, POLLOUT, [=] { return next(fd, parts, count); });
}

ssize_t send(int fd, const void* data, size_t size, int flags) {
  const auto next = NEXT(send);
  if (!Parks()) [[likely]]
    return next(fd, data, size, flags);
  return Answer(SendAll(fd, static_cast<const char*>(data), size, flags));
}

ssize_t sendto(int fd, const void* data, size_t size, int flags, const sockaddr* address, socklen_t length) {
  const auto next = NEXT(sendto);
  if (!Parks() || (flags & MSG_DONTWAIT) != 0) [[likely]]
    return next(fd, data, size, flags, address, length);
  if (address == nullptr) return Answer(SendAll(fd, static_cast<const char*>(data), size, flags));
  return Once(fd, POLLOUT, [=] { return next(fd, data, size, flags, address, length); });
}

ssize_t sendmsg(int fd, const msghdr* message, int flags) {
  const auto next = NEXT(sendmsg);
  if (!Parks() || (flags & MSG_DONTWAIT) != 0) [[likely]]
    return next(fd, message, flags);
  return Once(fd, POLLOUT, [=] { return next(fd, message, flags); });
}

int connect(int fd, const sockaddr* address, socklen_t length) {
  const auto next = NEXT(connect);
  if (!Parks()) [[likely]]
    return next(fd, address, length);
  return Answer(Connect(fd, address, length));
}

int poll(pollfd* fds, nfds_t count, int timeout) {
  const auto next = NEXT(poll);
  if (!Parks() || timeout == 0) [[likely]]
    return next(fds, count, timeout);
  return Answer(Poll(fds, count, timeout));
}

int select(int count, fd_set* read, fd_set* write, fd_set* except, timeval* timeout) {
  const auto next = NEXT(select);
  if (!Parks()) [[likely]]
    return next(count, read, write, except, timeout);
  return Answer(Select(count, read, write, except, timeout));
}

int epoll_wait(int epoll, epoll_event* events, int max, int timeout) {
  const auto next = NEXT(epoll_wait);
  if (!Parks() || timeout == 0) [[likely]]
    return next(epoll, events, max, timeout);
  pollfd one = {epoll, POLLIN, 0};
  if (const int ready = Poll(&one, 1, timeout); ready <= 0) return Answer(ready);
  return next(epoll, events, max, 0);
}

unsigned sleep(unsigned seconds) {
  const auto next = NEXT(sleep);
  if (!Parks()) [[likely]]
    return next(seconds);
  gyre::Sleep(absl::Seconds(seconds));
  return 0;
}

int usleep(useconds_t microseconds) {
  const auto next = NEXT(usleep);
  if (!Parks()) [[likely]]
    return next(microseconds);
  gyre::Sleep(absl::Microseconds(microseconds));
  return 0;
}

int nanosleep(const timespec* time, timespec* left) {
  const auto next = NEXT(nanosleep);
  if (!Parks()) [[likely]]
    return next(time, left);
  return Answer(-ClockSleep(CLOCK_MONOTONIC, 0, time));
}

int clock_nanosleep(clockid_t clock, int flags, const timespec* time, timespec* left) {
  const auto next = NEXT(clock_nanosleep);
  if ((clock != CLOCK_MONOTONIC && clock != CLOCK_REALTIME) || !Parks()) [[likely]] {
    return next(clock, flags, time, left);
  }
  return ClockSleep(clock, flags, time);
}

// What -D_FORTIFY_SOURCE makes of some of them: `room` is the buffer's size.
ssize_t __read_chk(int fd, void* buffer, size_t size, size_t room) {
  if (size > room) __builtin_trap();
  return read(fd, buffer, size);
}
ssize_t __recv_chk(int fd, void* buffer, size_t size, size_t room, int flags) {
  if (size > room) __builtin_trap();
  return recv(fd, buffer, size, flags);
}
ssize_t __recvfrom_chk(int fd, void* buffer, size_t size, size_t room, int flags, sockaddr* address,
                       socklen_t* length) {
  if (size > room) __builtin_trap();
  return recvfrom(fd, buffer, size, flags, address, length);
}
int __poll_chk(pollfd* fds, nfds_t count, int timeout, size_t room) {
  if (count > room / sizeof(pollfd)) __builtin_trap();
  return poll(fds, count, timeout);
}

}  // extern "C"
