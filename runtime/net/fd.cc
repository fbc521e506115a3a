#include "runtime/net/fd.h"

#include <poll.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/blocking.h"
#include "runtime/core.h"
#include "runtime/foreign.h"
#include "runtime/go.h"
#include "runtime/net/kernel.h"
#include "runtime/park.h"

namespace gyre::net::internal {

using gyre::internal::RawLockHolder;

namespace {

// Who waits: the goroutine; where it has no processor to give away, its thread.
G* Waiter() {
  return gyre::internal::CanPark() || gyre::internal::This().m == nullptr ? gyre::internal::Self()
                                                                          : gyre::internal::ForeignStandIn();
}

absl::Status TimeoutError() {
  return absl::DeadlineExceededError("i/o timeout");
}

}  // namespace

absl::Status ErrnoStatus(int error) {
  std::string text = std::strerror(error);
  // "Connection refused", but not "RFS specific error".
  if (text.size() > 1 && std::islower(static_cast<unsigned char>(text[1]))) {
    text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  }
  return absl::Status(absl::ErrnoToStatusCode(error), text);
}

absl::Status CheckEngine() {
  gyre::internal::NoPreempt off;
  gyre::internal::Machine* m = gyre::internal::This().m;
  if (m == nullptr || !m->core->is_virtual()) return absl::OkStatus();
  return m->core->engine().MakePoller().status();
}

// ---- users and turns ----

struct Fd::InLine {
  G* g;
  InLine* next;
};

struct Fd::Turn {
  Turn(Fd* owner, Mode which) : fd(owner), mode(which), ok(owner->Acquire(which)) {}
  ~Turn() {
    if (ok) fd->Release(mode);
  }
  Fd* fd;
  Mode mode;
  bool ok;
};

bool Fd::Acquire(Mode mode) {
  uint64_t state = state_.load(std::memory_order_relaxed);
  // Acquire: what the last holder of this direction left behind is visible.
  if ((state & (kClosed | kHeld << mode)) == 0 &&
      state_.compare_exchange_strong(state, (state | kHeld << mode) + kUser, std::memory_order_acquire)) [[likely]] {
    return true;
  }
  return AcquireSlow(mode);
}

bool Fd::AcquireSlow(Mode mode) {
  for (;;) {
    uint64_t state = state_.load(std::memory_order_relaxed);
    if ((state & kClosed) != 0) return false;
    if ((state & kHeld << mode) == 0) {
      if (state_.compare_exchange_weak(state, (state | kHeld << mode) + kUser, std::memory_order_acquire)) return true;
      continue;
    }
    InLine me{Waiter(), nullptr};
    lock_.Lock();
    // The bit, and a place in line, together, for who looks under the lock: only while somebody holds the direction,
    // who will see the bit, and only while it is open.
    state = state_.load(std::memory_order_relaxed);
    if ((state & kClosed) != 0 || (state & kHeld << mode) == 0 ||
        !state_.compare_exchange_strong(state, state | kQueue << mode, std::memory_order_relaxed)) {
      lock_.Unlock();
      continue;
    }
    InLine** last = &line_[mode];
    while (*last != nullptr) last = &(*last)->next;
    *last = &me;
    PreparePark(me.g, WaitReason::kIOWait, this);
    lock_.Unlock();
    Park(me.g);
  }
}

void Fd::Release(Mode mode) {
  // Release: pairs with Acquire.
  const uint64_t before = state_.fetch_sub((kHeld << mode) + kUser, std::memory_order_acq_rel);
  if ((before & (kQueue << mode | kClosed)) == 0) [[likely]]
    return;
  const uint64_t after = before - (kHeld << mode) - kUser;
  if ((before & kQueue << mode) != 0) ReleaseSlow(mode);
  if ((after & kClosed) != 0 && after < kUser) LastUserLeft();
}

// The direction is free: the first in line may try.
void Fd::ReleaseSlow(Mode mode) {
  G* next = nullptr;
  {
    RawLockHolder hold(lock_);
    if (InLine* first = line_[mode]; first != nullptr) {
      next = first->g;
      line_[mode] = first->next;
    }
    if (line_[mode] == nullptr) state_.fetch_and(~(kQueue << mode), std::memory_order_relaxed);
  }
  if (next != nullptr) Ready(next);
}

bool Fd::AddUser() {
  uint64_t state = state_.load(std::memory_order_relaxed);
  do {
    if ((state & kClosed) != 0) return false;
  } while (!state_.compare_exchange_weak(state, state + kUser, std::memory_order_acquire));
  return true;
}

void Fd::DropUser() {
  const uint64_t after = state_.fetch_sub(kUser, std::memory_order_acq_rel) - kUser;
  if ((after & kClosed) != 0 && after < kUser) LastUserLeft();
}

void Fd::LastUserLeft() {
  Destroy();
  G* closer;
  {
    RawLockHolder hold(lock_);
    closer = std::exchange(closer_, nullptr);
  }
  if (closer != nullptr) Ready(closer);
}

void Fd::Destroy() {
  if (PollDesc* desc = desc_.load(std::memory_order_acquire)) poller_.load()->Unwatch(desc, fd_);
  for (std::atomic<int>& waker : thread_wakers_) {
    if (const int fd = waker.exchange(-1); fd >= 0) KernelClose(fd);
  }
  // An error (a file that could not be written back) has nobody left to hear of it; the number is free in any case.
  // Blocking, for it may linger.
  Blocking([this] { KernelClose(fd_); });
}

Fd::~Fd() {
  if (!closed()) Destroy();
}

absl::Status Fd::ClosedError() const {
  return absl::CancelledError(kind_ == Kind::kFile ? "file already closed" : "use of closed network connection");
}

absl::Status Fd::Close() {
  uint64_t state = state_.load(std::memory_order_relaxed);
  do {
    if ((state & kClosed) != 0) return ClosedError();
  } while (!state_.compare_exchange_weak(state, (state | kClosed) + kUser));
  for (Mode mode : {Mode::kRead, Mode::kWrite}) {
    for (;;) {
      G* next = nullptr;
      {
        RawLockHolder hold(lock_);
        if (InLine* first = line_[mode]; first != nullptr) {
          next = first->g;
          line_[mode] = first->next;
        }
      }
      if (next == nullptr) break;
      Ready(next);
    }
    WakeWaiter(mode);
  }
  // Waits for those who were at it: after Close the descriptor is gone, and its address is free.
  G* self = Waiter();
  lock_.Lock();
  if (state_.fetch_sub(kUser, std::memory_order_acq_rel) - kUser < kUser) {
    lock_.Unlock();
    Destroy();
    return absl::OkStatus();
  }
  closer_ = self;
  PreparePark(self, WaitReason::kIOWait, this);
  lock_.Unlock();
  Park(self);
  return absl::OkStatus();
}

// ---- waiting ----

absl::Status Fd::CheckDeadline(Mode mode) const {
  if (const Nanos deadline = deadlines_[mode].load(std::memory_order_acquire); deadline != kNever) [[unlikely]] {
    if (gyre::internal::MonotonicNow() >= deadline) return TimeoutError();
  }
  return absl::OkStatus();
}

absl::Status Fd::WaitFor(Mode mode) {
  const Nanos deadline = deadlines_[mode].load();
  if (closed()) return ClosedError();
  if (absl::Status status = CheckDeadline(mode); !status.ok()) return status;
  if (!gyre::internal::CanPark()) return WaitOnThread(mode, deadline);
  PollDesc* desc = desc_.load(std::memory_order_acquire);
  // To be watched counts as an event, so the caller tries again.
  if (desc == nullptr || poller_.load()->ended()) [[unlikely]]
    return Attach();
  desc->Wait(mode, deadline, [this, mode, deadline] {
    return !closed() && deadlines_[mode].load() == deadline && !poller_.load()->ended();
  });
  return absl::OkStatus();
}

absl::Status Fd::Attach() {
  absl::StatusOr<std::shared_ptr<gyre::internal::Poller>> poller = gyre::internal::PollerHere();
  if (!poller.ok()) return poller.status();
  RawLockHolder hold(lock_);
  if (desc_.load() != nullptr && !poller_.load()->ended()) return absl::OkStatus();  // the other direction's did
  absl::StatusOr<PollDesc*> desc = (*poller)->Watch(fd_);
  if (!desc.ok()) return desc.status();
  pollers_.push_back(*poller);
  poller_.store(poller->get());
  desc_.store(*desc);
  return absl::OkStatus();
}

// poll(2) on the descriptor and on an eventfd, by which others get us out of it.
absl::Status Fd::WaitOnThread(Mode mode, Nanos deadline) {
  int waker = thread_wakers_[mode].load();
  if (waker < 0) {
    waker = KernelEventFd();
    if (waker < 0) return ErrnoStatus(-waker);
    thread_wakers_[mode].store(waker);
  }
  // In the single order either we see that it is closed, or has another deadline, or he who wrote that sees the
  // eventfd.
  if (closed() || deadlines_[mode].load() != deadline) return absl::OkStatus();
  pollfd fds[2] = {{fd_, static_cast<short>(mode == Mode::kRead ? POLLIN : POLLOUT), 0}, {waker, POLLIN, 0}};
  const Nanos left = deadline == kNever ? -1 : std::max<Nanos>(0, deadline - gyre::internal::MonotonicNow());
  if (const int n = KernelPoll(fds, 2, left); n < 0 && n != -EINTR) return ErrnoStatus(-n);
  uint64_t count;
  if (fds[1].revents != 0) KernelRead(waker, &count, sizeof(count));
  return absl::OkStatus();
}

void Fd::WakeWaiter(Mode mode) {
  if (PollDesc* desc = desc_.load()) desc->Wake(mode);
  const uint64_t one = 1;
  if (const int waker = thread_wakers_[mode].load(); waker >= 0) KernelWrite(waker, &one, sizeof(one));
}

absl::Status Fd::SetDeadline(bool read, bool write, Nanos deadline) {
  if (!AddUser()) return ClosedError();
  for (Mode mode : {Mode::kRead, Mode::kWrite}) {
    if (!(mode == Mode::kRead ? read : write)) continue;
    deadlines_[mode].store(deadline);
    WakeWaiter(mode);
  }
  DropUser();
  return absl::OkStatus();
}

// ---- the operations ----

absl::StatusOr<size_t> Fd::Read(void* buffer, size_t size) {
  gyre::internal::CheckPreempt();
  Turn turn(this, Mode::kRead);
  if (!turn.ok) return ClosedError();
  if (size == 0) return size;
  if (absl::Status status = CheckDeadline(Mode::kRead); !status.ok()) return status;
  if (ahead_size_ != 0) return TakeAhead(static_cast<char*>(buffer), size);
  if (drained_) {
    // There was nothing left, and there has been no event: the kernel need not be asked.
    PollDesc* desc = desc_.load(std::memory_order_relaxed);
    if (desc != nullptr && !desc->MayBeReady(Mode::kRead) && !desc->irregular()) {
      if (absl::Status status = WaitFor(Mode::kRead); !status.ok()) return status;
    }
  }
  char more[kAhead];
  const bool ahead = kind_ == Kind::kTcp && size < kAhead;
  void* const into = ahead ? more : buffer;
  const size_t room = ahead ? kAhead : size;
  for (;;) {
    const ssize_t n = kind_ == Kind::kFile ? KernelRead(fd_, into, room) : KernelReceive(fd_, into, room, 0);
    if (n >= 0) [[likely]] {
      const size_t got = static_cast<size_t>(n);
      drained_ = kind_ == Kind::kTcp && got != 0 && got < room;
      if (!ahead) return got;
      if (got > size) KeepAhead(more + size, got - size);
      std::memcpy(buffer, more, std::min(got, size));
      return std::min(got, size);
    }
    if (n == -EINTR) continue;
    if (n != -EAGAIN) return ErrnoStatus(static_cast<int>(-n));
    if (absl::Status status = WaitFor(Mode::kRead); !status.ok()) return status;
  }
}

void Fd::KeepAhead(const char* data, size_t size) {
  if (ahead_ == nullptr) ahead_ = std::make_unique<char[]>(kAhead);
  std::memcpy(ahead_.get(), data, size);
  ahead_begin_ = 0;
  ahead_size_ = static_cast<uint16_t>(size);
}

size_t Fd::TakeAhead(char* buffer, size_t size) {
  const size_t n = std::min<size_t>(size, ahead_size_);
  std::memcpy(buffer, ahead_.get() + ahead_begin_, n);
  ahead_begin_ = static_cast<uint16_t>(ahead_begin_ + n);
  ahead_size_ = static_cast<uint16_t>(ahead_size_ - n);
  return n;
}

absl::Status Fd::Write(const void* data, size_t size, size_t* written) {
  gyre::internal::CheckPreempt();
  size_t unused;
  size_t& done = *(written != nullptr ? written : &unused);
  done = 0;
  Turn turn(this, Mode::kWrite);
  if (!turn.ok) return ClosedError();
  if (absl::Status status = CheckDeadline(Mode::kWrite); !status.ok()) return status;
  const char* rest = static_cast<const char*>(data);
  while (done < size) {
    const ssize_t n = kind_ == Kind::kFile ? KernelWrite(fd_, rest + done, size - done)
                                           : KernelSend(fd_, rest + done, size - done, MSG_NOSIGNAL);
    if (n >= 0) [[likely]] {
      done += static_cast<size_t>(n);
      continue;
    }
    if (n == -EINTR) continue;
    if (n != -EAGAIN) return ErrnoStatus(static_cast<int>(-n));
    if (absl::Status status = WaitFor(Mode::kWrite); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status Fd::AwaitReadable() {
  Turn turn(this, Mode::kRead);
  return turn.ok ? WaitFor(Mode::kRead) : ClosedError();
}

bool Fd::WatcherEnded() const {
  gyre::internal::Poller* poller = poller_.load();
  return poller != nullptr && poller->ended();
}

absl::StatusOr<int> Fd::Accept(sockaddr* address, socklen_t* size) {
  gyre::internal::CheckPreempt();
  Turn turn(this, Mode::kRead);
  if (!turn.ok) return ClosedError();
  if (absl::Status status = CheckDeadline(Mode::kRead); !status.ok()) return status;
  const socklen_t room = *size;
  for (;;) {
    *size = room;
    const int n = KernelAccept(fd_, address, size);
    if (n >= 0) return n;
    if (n == -EINTR || n == -ECONNABORTED) continue;  // it left before we came
    if (n != -EAGAIN) return ErrnoStatus(-n);
    if (absl::Status status = WaitFor(Mode::kRead); !status.ok()) return status;
  }
}

absl::Status Fd::Connect(const sockaddr* address, socklen_t size) {
  Turn turn(this, Mode::kWrite);
  if (!turn.ok) return ClosedError();
  for (absl::Duration pause = absl::Microseconds(100);; pause = std::min(2 * pause, absl::Milliseconds(10))) {
    const int n = KernelConnect(fd_, address, size);
    if (n == 0 || n == -EISCONN) return absl::OkStatus();
    if (n == -EINPROGRESS || n == -EALREADY || n == -EINTR) break;
    // A Unix socket's listener has a full queue, and the kernel has no event for that.
    if (n != -EAGAIN) return ErrnoStatus(-n);
    if (absl::Status status = CheckDeadline(Mode::kWrite); !status.ok()) return status;
    Sleep(pause);
  }
  for (;;) {
    if (absl::Status status = WaitFor(Mode::kWrite); !status.ok()) return status;
    const int result = KernelConnectResult(fd_);
    if (result == 0) return absl::OkStatus();
    if (result != -EINPROGRESS) return ErrnoStatus(-result);
  }
}

}  // namespace gyre::net::internal
