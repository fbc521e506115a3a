#include "runtime/netpoll.h"

#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "runtime/core.h"
#include "runtime/futex.h"
#include "runtime/panic.h"
#include "runtime/park.h"
#include "runtime/timer.h"

namespace gyre::internal {

namespace {

constexpr Nanos kPollAfter = 10'000'000;  // Go's

absl::Status KernelError(const char* what) {
  const int error = errno;
  return absl::ErrnoToStatus(error, absl::StrCat("netpoll: ", what));
}

// epoll_pwait2 (Linux 5.11) takes nanoseconds; epoll_wait, before it, milliseconds, which are rounded up.
int WaitForEvents(int epoll, epoll_event* events, int max, Nanos deadline) {
  static std::atomic<bool> has_pwait2{true};
  if (deadline == 0) return epoll_wait(epoll, events, max, 0);
  Nanos left = -1;
  if (deadline != kNever) left = std::max<Nanos>(deadline - MonotonicClock(), 0);
#ifdef SYS_epoll_pwait2
  if (has_pwait2.load(std::memory_order_relaxed)) {
    const timespec timeout{left / 1'000'000'000, left % 1'000'000'000};
    const long n = syscall(SYS_epoll_pwait2, epoll, events, max, left < 0 ? nullptr : &timeout, nullptr, size_t{0});
    if (n >= 0 || errno != ENOSYS) return static_cast<int>(n);
    has_pwait2.store(false, std::memory_order_relaxed);
  }
#endif
  constexpr Nanos kMs = 1'000'000, kLongest = 3'600'000 * kMs;
  return epoll_wait(epoll, events, max, left < 0 ? -1 : static_cast<int>((std::min(left, kLongest) + kMs - 1) / kMs));
}

}  // namespace

// ---- PollDesc ----

struct PollDesc::WaitTimer : Timer {
  WaitTimer(std::atomic<uintptr_t>* where, G* who) : Timer(&Fire), slot(where), g(who) {}
  // The wait may be over, and even another one have begun: but not before this timer's owner, who is `g`, has stopped
  // it.
  static void Fire(Timer* timer, Nanos) {
    auto* self = static_cast<WaitTimer*>(timer);
    uintptr_t expected = reinterpret_cast<uintptr_t>(self->g);
    if (self->slot->compare_exchange_strong(expected, kNil)) Ready(self->g);
  }
  std::atomic<uintptr_t>* slot;
  G* g;
};

void PollDesc::Wait(Mode mode, Nanos deadline, absl::FunctionRef<bool()> still_wanted) {
  std::atomic<uintptr_t>& slot = slots_[mode];
  // An exchange, so that it stands before the caller's next try.
  if (slot.load(std::memory_order_acquire) == kReady && slot.exchange(kNil) == kReady) return;
  G* self = Self();
  WaitTimer timer(&slot, self);
  PreparePark(self, WaitReason::kIOWait, this);
  uintptr_t found = kNil;
  const uintptr_t me = reinterpret_cast<uintptr_t>(self);
  if (!slot.compare_exchange_strong(found, me)) {
    slot.store(kNil);  // it was "ready" just now: only we take that away
    Ready(self);
  } else {
    if (deadline != kNever) timer.Start(deadline);
    // Who wrote something and then called Wake has either found us, or we find what he wrote.
    found = me;
    if (!still_wanted() && slot.compare_exchange_strong(found, kNil)) Ready(self);
  }
  Park(self);
}

void PollDesc::Wake(Mode mode) {
  uintptr_t found = slots_[mode].load();
  while (found > kReady) {
    if (slots_[mode].compare_exchange_weak(found, kNil)) return Ready(reinterpret_cast<G*>(found));
  }
}

G* PollDesc::MarkReady(Mode mode) {
  uintptr_t found = slots_[mode].load(std::memory_order_acquire);
  for (;;) {
    // Release: who takes the event sees what led to it.
    if (found == kReady) return nullptr;
    if (slots_[mode].compare_exchange_weak(found, found == kNil ? kReady : kNil)) {
      return found == kNil ? nullptr : reinterpret_cast<G*>(found);
    }
  }
}

void PollBatch::ReadyAll() {
  if (count == 0) return;
  for (int i = 0; i < count; ++i) Ready(goroutines[i]);
  count = 0;
  poller->batches_ended_.fetch_add(1);
}

// ---- Poller ----

absl::StatusOr<std::shared_ptr<Poller>> Poller::Create() {
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) return KernelError("epoll_create1");
  const int wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake < 0) {
    absl::Status status = KernelError("eventfd");
    close(epoll);
    return status;
  }
  std::shared_ptr<Poller> poller(new Poller(epoll, wake));
  epoll_event event{EPOLLIN | EPOLLET, {.ptr = nullptr}};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, wake, &event) != 0) return KernelError("epoll_ctl");
  return poller;
}

Poller::~Poller() {
  close(wake_);
  close(epoll_);
}

PollDesc* Poller::TakeFree() {
  RawLockHolder hold(lock_);
  if (free_ == nullptr) {
    blocks_.push_back(std::make_unique<PollDesc[]>(kBlock));
    for (size_t i = kBlock; i-- > 0;) {
      blocks_.back()[i].next_free_ = free_;
      free_ = &blocks_.back()[i];
    }
  }
  return std::exchange(free_, free_->next_free_);
}

void Poller::GiveBack(PollDesc* desc) {
  RawLockHolder hold(lock_);
  desc->next_free_ = std::exchange(free_, desc);
}

absl::StatusOr<PollDesc*> Poller::Watch(int fd) {
  PollDesc* desc = TakeFree();
  for (std::atomic<uintptr_t>& slot : desc->slots_) slot.store(PollDesc::kNil);
  desc->irregular_.store(false);
  epoll_event event{EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET, {.ptr = desc}};
  // Counted first: once there can be an event, whoever sleeps must be asking for it.
  watched_.fetch_add(1, std::memory_order_seq_cst);
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) {
    absl::Status status = KernelError("epoll_ctl");
    watched_.fetch_sub(1, std::memory_order_relaxed);
    GiveBack(desc);
    return status;
  }
  return desc;
}

void Poller::Unwatch(PollDesc* desc, int fd) {
  epoll_event unused{};
  epoll_ctl(epoll_, EPOLL_CTL_DEL, fd,
            &unused);  // another process may have a copy of `fd`: closing ours would not end it
  watched_.fetch_sub(1, std::memory_order_relaxed);
  GiveBack(desc);
}

void Poller::Collect(Nanos deadline, PollBatch* batch) {
  epoll_event events[PollBatch::kEvents];
  const int n = WaitForEvents(epoll_, events, PollBatch::kEvents, deadline);
  polls_.fetch_add(1, std::memory_order_relaxed);
  if (n < 0 && errno != EINTR) Fatal(absl::StrCat("runtime: netpoll: epoll_wait failed: ", std::strerror(errno)));
  batch->count = 0;
  batch->poller = this;
  if (n <= 0) return;
  batches_begun_.fetch_add(1);
  for (int i = 0; i < n; ++i) {
    auto* desc = static_cast<PollDesc*>(events[i].data.ptr);
    if (desc == nullptr) {
      // The sleeper is wanted. If this is somebody else, the sleeper must get another event.
      if (deadline == 0 && sleeping_.load()) WakeSleeper();
      continue;
    }
    const uint32_t what = events[i].events;
    constexpr uint32_t kIrregular = EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI;
    // Before the slot: who is woken by it looks at this.
    if ((what & kIrregular) != 0) desc->irregular_.store(true, std::memory_order_release);
    if ((what & (EPOLLIN | kIrregular)) != 0) {
      if (G* g = desc->MarkReady(PollDesc::kRead)) batch->goroutines[batch->count++] = g;
    }
    if ((what & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0) {
      if (G* g = desc->MarkReady(PollDesc::kWrite)) batch->goroutines[batch->count++] = g;
    }
  }
  if (batch->count == 0) batches_ended_.fetch_add(1);
}

void Poller::Poll(PollBatch* batch) {
  Collect(0, batch);
}

bool Poller::BeginSleep() {
  bool expected = false;
  return !sleeping_.load(std::memory_order_relaxed) && sleeping_.compare_exchange_strong(expected, true);
}

void Poller::EndSleep() {
  sleeping_.store(false);
}

void Poller::Sleep(Nanos deadline, PollBatch* batch) {
  Collect(std::max<Nanos>(deadline, 1), batch);
}

void Poller::WakeSleeper() {
  const uint64_t one = 1;
  // Fails only when the counter is full, after 2^64 - 2 wake-ups.
  [[maybe_unused]] const long n = syscall(SYS_write, wake_, &one, sizeof(one));
}

bool Poller::HasWaiters() {
  const auto waits = [](PollDesc& desc) {
    return desc.slots_[0].load() > PollDesc::kReady || desc.slots_[1].load() > PollDesc::kReady;
  };
  RawLockHolder hold(lock_);
  if (last_waiter_ != nullptr && waits(*last_waiter_)) return true;
  const uint64_t ended = batches_ended_.load(), begun = batches_begun_.load();
  if (begun != ended) return true;
  for (auto& block : blocks_) {
    for (size_t i = 0; i < kBlock; ++i) {
      if (!waits(block[i])) continue;
      last_waiter_ = &block[i];
      return true;
    }
  }
  return batches_begun_.load() != begun;  // who left a slot may be in one that was looked at before
}

void Poller::End(const Core* core) {
  ended_.store(true);
  RawLockHolder hold(lock_);
  for (auto& block : blocks_) {
    for (size_t i = 0; i < kBlock; ++i) {
      for (std::atomic<uintptr_t>& slot : block[i].slots_) {
        uintptr_t found = slot.load();
        // The runtime's own goroutines are abandoned where they are.
        if (found <= PollDesc::kReady || reinterpret_cast<G*>(found)->core == core) continue;
        if (slot.compare_exchange_strong(found, PollDesc::kNil)) Ready(reinterpret_cast<G*>(found));
      }
    }
  }
}

// ---- Core ----

absl::StatusOr<std::shared_ptr<Poller>> Core::GetPoller() {
  RawLockHolder hold(poller_lock_);
  if (shared_poller_ == nullptr) {
    absl::StatusOr<std::shared_ptr<Poller>> made = engine_->MakePoller();
    if (!made.ok()) return made.status();
    shared_poller_ = *std::move(made);
    poller_.store(shared_poller_.get(), std::memory_order_release);
  }
  return shared_poller_;
}

bool Core::PollNetwork() {
  Poller* poller = PollerInUse();
  if (poller == nullptr) return false;
  PollBatch batch;
  poller->Poll(&batch);
  const bool found = batch.count != 0;
  batch.ReadyAll();
  return found;
}

void Core::MonitorPoll() {
  Poller* poller = PollerInUse();
  if (poller == nullptr) return;
  const Nanos now = engine_->Now();
  if (poller->has_sleeper() || poller->polls() != polls_seen_) {
    polls_seen_ = poller->polls();
    polled_at_ = now;
    return;
  }
  if (now - polled_at_ < kPollAfter) return;
  polled_at_ = now;
  PollNetwork();
  polls_seen_ = poller->polls();
}

void Core::EndPoller() {
  std::shared_ptr<Poller> poller;
  {
    RawLockHolder hold(poller_lock_);
    poller = shared_poller_;
  }
  if (poller != nullptr) poller->End(this);
}

bool CanPark() {
  ThreadState& thread = This();
  return thread.p != nullptr && thread.g->kind == GKind::kGoroutine;
}

absl::StatusOr<std::shared_ptr<Poller>> PollerHere() {
  Core* core;
  {
    NoPreempt off;
    core = This().m->core;
  }
  return core->GetPoller();
}

}  // namespace gyre::internal
