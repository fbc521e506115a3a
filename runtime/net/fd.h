// A descriptor that goroutines may block on: Go's poll.FD. net.h and pipe.h are made of it.
//
// Any number of goroutines and foreign threads may use one at the same time. One reads and one writes at a time; others
// wait for their turn. Close ends what goes on: everybody gets "use of closed network connection" ("file already
// closed" where it is none), and the kernel's descriptor is closed when the last of them has let go.
//
// Invariants
//  1. `state_` holds whether it is closed, who holds the two directions, and how many use the descriptor. The kernel's
//     descriptor is closed by whoever brings a closed one's users to none: nobody uses a number that may be another's
//     by now.
//  2. drained_ and what was read ahead belong to the holder of the read direction.
//  3. `desc_` is set once for each runtime that it is used in: under lock_, and only from null or from one whose
//  runtime has
//     ended. What it pointed to before stays alive as long as this.
#ifndef GYRE_RUNTIME_NET_FD_H_
#define GYRE_RUNTIME_NET_FD_H_

#include <sys/socket.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "plugins/task.h"
#include "runtime/netpoll.h"
#include "runtime/raw_lock.h"

namespace gyre::net::internal {

using gyre::internal::G;
using gyre::internal::PollDesc;

// Errors in Go's words: "connection refused", without a capital.
absl::Status ErrnoStatus(int error);

// An error if the calling goroutine's runtime cannot wait for descriptors (the simulator).
absl::Status CheckEngine();

class Fd {
 public:
  enum class Kind : uint8_t {
    kTcp,     // a stream socket that says how much there is: a read that got less than it asked for emptied it
    kSocket,  // any other
    kFile,    // pipes, eventfds
  };
  using Mode = PollDesc::Mode;

  // Takes `fd`, which is in non-blocking mode.
  Fd(int fd, Kind kind) : fd_(fd), kind_(kind) {}
  // Nobody uses it any more. Closes it if nobody has.
  ~Fd();
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;

  // 0: the other side has ended its stream (or size is 0).
  absl::StatusOr<size_t> Read(void* buffer, size_t size);
  // All of it. `written`, if not null: how much of it, error or not.
  absl::Status Write(const void* data, size_t size, size_t* written);
  // A new descriptor, in non-blocking mode.
  absl::StatusOr<int> Accept(sockaddr* address, socklen_t* size);
  absl::Status Connect(const sockaddr* address, socklen_t size);
  absl::Status Close();
  // Waits until it may be readable, or for no reason not even that.
  absl::Status AwaitReadable();
  bool WatcherEnded() const;  // the runtime that it waited in is no more

  // `deadline` on the runtime's clock: what waits then, or begins later, fails with "i/o timeout". kNever: none.
  absl::Status SetDeadline(bool read, bool write, Nanos deadline);

  // f(fd), while nobody closes it. For setsockopt and its like.
  template <typename F>
  absl::Status Control(F&& f) {
    if (!AddUser()) return ClosedError();
    const absl::Status status = f(fd_);
    DropUser();
    return status;
  }

  absl::Status ClosedError() const;

 private:
  // The lowest bits of state_; users are counted above them.
  static constexpr uint64_t kClosed = 1, kHeld = 2, kQueue = 8, kUser = 32;  // kHeld and kQueue: one bit for each mode
  struct Turn;                                                               // holds a direction
  struct InLine;

  bool Acquire(Mode mode);
  void Release(Mode mode);
  bool AcquireSlow(Mode mode);
  void ReleaseSlow(Mode mode);
  bool AddUser();
  void DropUser();
  void LastUserLeft();
  void Destroy();
  bool closed() const { return (state_.load() & kClosed) != 0; }

  // Fails at once if it is closed, or past the deadline.
  absl::Status CheckDeadline(Mode mode) const;
  // Waits until it may be worth trying again.
  absl::Status WaitFor(Mode mode);
  absl::Status WaitOnThread(Mode mode, Nanos deadline);
  absl::Status Attach();
  void WakeWaiter(Mode mode);

  // Small reads of a TCP socket ask for this much, and keep what is left for the next one. A read that gets all that it asked for
  // does not know whether there is more, and the next one would have to ask the kernel, mostly for nothing.
  static constexpr size_t kAhead = 512;
  void KeepAhead(const char* data, size_t size);
  size_t TakeAhead(char* buffer, size_t size);

  const int fd_;
  const Kind kind_;
  bool drained_ = false;
  uint16_t ahead_begin_ = 0, ahead_size_ = 0;  // what of ahead_ has not been asked for yet
  std::unique_ptr<char[]> ahead_;
  std::atomic<uint64_t> state_{0};
  std::atomic<PollDesc*> desc_{nullptr};
  std::atomic<gyre::internal::Poller*> poller_{nullptr};  // desc_'s
  std::atomic<Nanos> deadlines_[2] = {kNever, kNever};
  std::atomic<int> thread_wakers_[2] = {-1, -1};  // eventfds, for those who wait as threads

  gyre::internal::RawLock lock_;
  InLine* line_[2] ABSL_GUARDED_BY(lock_) = {nullptr, nullptr};  // who waits for a direction
  G* closer_ ABSL_GUARDED_BY(lock_) = nullptr;
  std::vector<std::shared_ptr<gyre::internal::Poller>> pollers_ ABSL_GUARDED_BY(lock_);
};

}  // namespace gyre::net::internal

#endif  // GYRE_RUNTIME_NET_FD_H_
