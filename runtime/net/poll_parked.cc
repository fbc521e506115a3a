#include "runtime/net/poll_parked.h"

#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "runtime/go.h"
#include "runtime/net/fd.h"
#include "runtime/net/kernel.h"
#include "runtime/raw_lock.h"

namespace gyre::net::internal {

namespace {

// An epoll set of its own for a wait.
struct Set {
  explicit Set(int epoll) : number(epoll), fd(epoll, Fd::Kind::kFile) {}
  const int number;
  Fd fd;
};

// Sets that no wait uses now, for the next. Never destroyed: threads may outlive main.
struct SpareSets {
  static constexpr size_t kMost = 64;
  gyre::internal::RawLock lock;
  std::vector<std::unique_ptr<Set>> sets ABSL_GUARDED_BY(lock);
};
SpareSets& Spares() {
  static auto* const spares = new SpareSets;
  return *spares;
}

std::unique_ptr<Set> TakeSet() {
  for (;;) {
    std::unique_ptr<Set> set;
    {
      gyre::internal::RawLockHolder hold(Spares().lock);
      if (!Spares().sets.empty()) {
        set = std::move(Spares().sets.back());
        Spares().sets.pop_back();
      }
    }
    if (set == nullptr) {
      const int epoll = epoll_create1(EPOLL_CLOEXEC);
      return epoll < 0 ? nullptr : std::make_unique<Set>(epoll);
    }
    if (!set->fd.WatcherEnded()) return set;
  }
}

void GiveBack(std::unique_ptr<Set> set) {
  if (set->fd.WatcherEnded()) return;
  gyre::internal::RawLockHolder hold(Spares().lock);
  if (Spares().sets.size() < SpareSets::kMost) Spares().sets.push_back(std::move(set));
}

uint32_t EventsOf(const pollfd& fd) {
  static_assert(EPOLLIN == POLLIN && EPOLLOUT == POLLOUT && EPOLLPRI == POLLPRI);
  return static_cast<uint32_t>(static_cast<unsigned short>(fd.events));
}

}  // namespace

int PollParked(pollfd* fds, size_t count, Nanos deadline) {
  int ready = KernelPoll(fds, count, 0);
  if (ready != 0) return ready;
  const auto left = [deadline] {
    return deadline == kNever ? absl::InfiniteDuration() : absl::Nanoseconds(std::max<Nanos>(0, deadline - NowNanos()));
  };
  if (count == 0) {
    Sleep(left());
    return 0;
  }
  std::unique_ptr<Set> set = TakeSet();
  if (set == nullptr) return -ENOMEM;
  const auto change = [&](int what, const pollfd& fd, uint32_t events) {
    epoll_event event{events, {.fd = fd.fd}};
    return epoll_ctl(set->number, what, fd.fd, &event);
  };
  for (size_t i = 0; i < count; ++i) {
    if (fds[i].fd < 0 || change(EPOLL_CTL_ADD, fds[i], EventsOf(fds[i])) == 0) continue;
    // It is there already: a number may come twice.
    uint32_t events = 0;
    for (size_t k = 0; k <= i; ++k) events |= fds[k].fd == fds[i].fd ? EventsOf(fds[k]) : 0;
    change(EPOLL_CTL_MOD, fds[i], events);
  }
  absl::Status status = set->fd.SetDeadline(true, false, deadline);
  while (status.ok() && (ready = KernelPoll(fds, count, 0)) == 0) status = set->fd.AwaitReadable();
  for (size_t i = 0; i < count; ++i) {
    if (fds[i].fd >= 0) change(EPOLL_CTL_DEL, fds[i], 0);
  }
  GiveBack(std::move(set));
  if (ready != 0 || status.code() == absl::StatusCode::kDeadlineExceeded) return ready;
  return -ENOMEM;  // the kernel watches no more descriptors
}

}  // namespace gyre::net::internal
