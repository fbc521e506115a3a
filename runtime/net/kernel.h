// The kernel's calls on descriptors, straight to the kernel: not through the C library's functions, which
// --intercept=on replaces (runtime/intercept), and with the error as a negative result. (errno is a thread-local whose
// address a compiler may keep; a goroutine may be on another thread by the time it looks.)
//
// Under ThreadSanitizer they are the C library's, for it learns from those who happened before whom.
#ifndef GYRE_RUNTIME_NET_KERNEL_H_
#define GYRE_RUNTIME_NET_KERNEL_H_

#include <sys/socket.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>

struct pollfd;

namespace gyre::net::internal {

// Each: what the call gives, or -errno.
ssize_t KernelRead(int fd, void* buffer, size_t size);
ssize_t KernelWrite(int fd, const void* data, size_t size);
ssize_t KernelReceive(int fd, void* buffer, size_t size, int flags);
ssize_t KernelSend(int fd, const void* data, size_t size, int flags);
int KernelAccept(int fd, sockaddr* address,
                 socklen_t* size);  // the new descriptor does not block, and is closed by exec
int KernelConnect(int fd, const sockaddr* address, socklen_t size);
int KernelPoll(pollfd* fds, size_t count, int64_t timeout_ns);  // -1: none
int KernelClose(int fd);
int KernelEventFd();
// How far a connect() in the background is: 0 when it is done, -EINPROGRESS, or what went wrong.
int KernelConnectResult(int fd);

}  // namespace gyre::net::internal

#endif  // GYRE_RUNTIME_NET_KERNEL_H_
