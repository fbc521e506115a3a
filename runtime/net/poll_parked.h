// poll(2) for goroutines: waits for descriptors that are not gyre's, and may be in blocking mode.
#ifndef GYRE_RUNTIME_NET_POLL_PARKED_H_
#define GYRE_RUNTIME_NET_POLL_PARKED_H_

#include <poll.h>

#include <cstddef>

#include "plugins/task.h"

namespace gyre::net::internal {

// As poll(2), until `deadline` on the runtime's clock (kNever: none): how many are ready, 0 when the deadline has
// passed, or -errno. The caller can park (netpoll.h). Each wait has a small epoll set of its own, which the runtime's
// poller watches: so several may wait for one descriptor, and nothing is left behind that a closed and reused number
// could be mistaken for.
int PollParked(pollfd* fds, size_t count, Nanos deadline);

}  // namespace gyre::net::internal

#endif  // GYRE_RUNTIME_NET_POLL_PARKED_H_
