#include "runtime/debug/cpu_profile.h"

#include <dirent.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "runtime/auxiliary_threads.h"
#include "runtime/debug/labels.h"
#include "runtime/debug/profile.h"
#include "runtime/debug/source_symbols.h"
#include "runtime/debug/world_stop.h"
#include "runtime/frame_walk.h"
#include "runtime/futex.h"
#include "runtime/goroutine.h"
#include "runtime/thread_state.h"

namespace gyre::internal {

namespace {

constexpr int kMaxFrames = 64;
constexpr int kStackWords = 64;
constexpr Nanos kRound = 20'000'000;  // of the profiler's thread

struct Sample {
  // kFree -> kFilling by the handler that got the place; -> kFull by it; -> kFree by the profiler's thread.
  enum State : uint32_t { kFree, kFilling, kFull };
  std::atomic<State> state{kFree};
  int count = 0;
  const LabelMap* labels = nullptr;
  void* frames[kMaxFrames];
  // The top of the stack: who called a function without a frame pointer is found there later (FramelessCallers).
  int stack_words = 0;
  uintptr_t stack[kStackWords];
};

// Places are taken in turn. A handler that finds its place still in use drops the sample.
struct Ring {
  static constexpr uint32_t kSize = 4096;
  std::atomic<uint32_t> next{0};
  std::atomic<uint64_t> lost{0};
  Sample samples[kSize];
};

// Not null while a profile is taken. Never freed: a handler may still be in it.
std::atomic<Ring*> ring{nullptr};

// Reads memory that may not be there.
bool ReadSafely(uintptr_t address, void* to, size_t bytes) {
  iovec here{to, bytes}, there{reinterpret_cast<void*>(address), bytes};
  return process_vm_readv(getpid(), &here, 1, &there, 1, 0) == static_cast<ssize_t>(bytes);
}

// As WalkFrames, on a stack whose extent is not known.
int WalkUnknown(uintptr_t frame, uintptr_t low, void** frames, int count) {
  constexpr uintptr_t kLargestFrame = 1 << 20;
  while (count < kMaxFrames && frame % 8 == 0 && frame >= low && frame - low < kLargestFrame) {
    uintptr_t words[2];
    if (!ReadSafely(frame, words, sizeof(words)) || words[1] == 0) break;
    frames[count++] = reinterpret_cast<void*>(words[1]);
    low = frame + 8;
    frame = words[0];
  }
  return count;
}

// In the signal handler.
void TakeSample(void* argument) {
  Ring* const to = ring.load(std::memory_order_acquire);
  if (to == nullptr) return;
  Sample& sample = to->samples[to->next.fetch_add(1, std::memory_order_relaxed) % Ring::kSize];
  Sample::State expected = Sample::kFree;
  // Acquire: the reader is done with it.
  if (!sample.state.compare_exchange_strong(expected, Sample::kFilling, std::memory_order_acquire)) {
    to->lost.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  const auto* context = static_cast<const ucontext_t*>(argument);
  const uintptr_t pc = static_cast<uintptr_t>(context->uc_mcontext.gregs[REG_RIP]);
  const uintptr_t sp = static_cast<uintptr_t>(context->uc_mcontext.gregs[REG_RSP]);
  const uintptr_t fp = static_cast<uintptr_t>(context->uc_mcontext.gregs[REG_RBP]);
  sample.frames[0] = reinterpret_cast<void*>(pc);
  sample.count = 1;
  sample.stack_words = 0;
  sample.labels = nullptr;
  const G* g = This().g;
  StackRange range;
  if (g != nullptr && g->kind == GKind::kGoroutine) {
    sample.labels = static_cast<const LabelMap*>(g->labels.load(std::memory_order_relaxed));
    range = {reinterpret_cast<uintptr_t>(g->stack.low), reinterpret_cast<uintptr_t>(g->stack.top)};
  }
  // In the middle of a switch it may be on another stack than its goroutine's.
  if (range.Holds(sp, 1)) {
    range.low = sp;
    const uintptr_t words = std::min<uintptr_t>(kStackWords, (range.high - sp) / 8);
    std::memcpy(sample.stack, reinterpret_cast<const void*>(sp), words * 8);
    sample.stack_words = static_cast<int>(words);
    sample.count = WalkFrames(fp, range, sample.frames, sample.count, kMaxFrames);
  } else {
    sample.count = WalkUnknown(fp, sp, sample.frames, sample.count);
  }
  // Release: what is in it.
  sample.state.store(Sample::kFull, std::memory_order_release);
}

class Profiler {
 public:
  absl::Status Start(int hz) {
    std::lock_guard<std::mutex> hold(mutex_);
    if (profile_ != nullptr) return absl::FailedPreconditionError("a CPU profile is being taken already");
    if (hz < 1 || hz > 10000) {
      return absl::InvalidArgumentError(
          absl::StrCat("a CPU profile's rate may be from 1 to 10000 samples a second, not ", hz));
    }
    period_ = 1'000'000'000 / hz;
    failed_timer_ = 0;
    own_tid_ = 0;
    if (ring_ == nullptr) ring_ = new Ring;
    ring_->lost.store(0, std::memory_order_relaxed);
    profile_ = std::make_unique<Profile>(std::vector<Profile::ValueType>{{"samples", "count"}, {"cpu", "nanoseconds"}},
                                         Profile::ValueType{"cpu", "nanoseconds"}, period_);
    start_wall_ = absl::ToUnixNanos(absl::Now());
    start_ = MonotonicClock();
    SetProfileSignalHook(&TakeSample);
    ring.store(ring_, std::memory_order_release);
    GiveTimers();
    if (timers_.empty()) {
      ring.store(nullptr, std::memory_order_release);
      profile_ = nullptr;
      return absl::UnavailableError(absl::StrCat("the kernel gives no CPU timers: ", std::strerror(failed_timer_)));
    }
    ending_.store(0, std::memory_order_relaxed);
    const int error = thread_.Start("gyre-profiler", [this] { Collect(); });
    if (error != 0) {
      End();
      profile_ = nullptr;
      return absl::ResourceExhaustedError(absl::StrCat("cannot start the profiler's thread: ", std::strerror(error)));
    }
    return absl::OkStatus();
  }

  std::string Stop() {
    std::lock_guard<std::mutex> hold(mutex_);
    if (profile_ == nullptr) return "";
    ending_.store(1, std::memory_order_release);
    FutexWake(ending_, 1);
    thread_.Join();
    End();
    profile_->SetTime(start_wall_, MonotonicClock() - start_);
    if (const uint64_t lost = ring_->lost.load(std::memory_order_relaxed); lost != 0) {
      profile_->AddComment(absl::StrCat(lost, " samples were lost"));
    }
    std::unique_ptr<Profile> profile = std::move(profile_);
    return profile->Encode();
  }

 private:
  void Collect() {
    own_tid_ = static_cast<int>(syscall(SYS_gettid));
    while (ending_.load(std::memory_order_acquire) == 0) {
      FutexWait(ending_, 0, MonotonicClock() + kRound);
      GiveTimers();
      Empty();
    }
  }

  void End() {
    for (const auto& [tid, timer] : timers_) syscall(SYS_timer_delete, timer);
    timers_.clear();
    ring.store(nullptr, std::memory_order_release);
    Empty();
  }

  // A timer for each thread that has none, and none for those that ended. The kernel's calls: glibc's wrapper does not
  // take the clock of another thread.
  void GiveTimers() {
    std::map<int, int> before = std::move(timers_);
    timers_.clear();
    DIR* folder = opendir("/proc/self/task");
    if (folder == nullptr) {
      timers_ = std::move(before);
      return;
    }
    while (dirent* entry = readdir(folder)) {
      const int tid = std::atoi(entry->d_name);
      if (tid == 0 || tid == own_tid_) continue;
      if (auto known = before.find(tid); known != before.end()) {
        timers_.insert(*known);
        before.erase(known);
      } else if (int timer; MakeTimer(tid, &timer)) {
        timers_.emplace(tid, timer);
      }
    }
    closedir(folder);
    for (const auto& [tid, timer] : before) syscall(SYS_timer_delete, timer);
  }

  bool MakeTimer(int tid, int* timer) {
    // The kernel's encoding of a thread's CPU clock.
    const clockid_t clock = static_cast<clockid_t>(~static_cast<unsigned>(tid) << 3 | 6);
    sigevent event;
    std::memset(&event, 0, sizeof(event));
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = SIGPROF;
    event._sigev_un._tid = tid;
    if (syscall(SYS_timer_create, clock, &event, timer) != 0) {
      failed_timer_ = errno;
      return false;
    }
    // The first comes after a random part of a period, so that threads that began together are not sampled together.
    const int64_t first =
        1 + static_cast<int64_t>(static_cast<double>(random()) / RAND_MAX * static_cast<double>(period_));
    itimerspec times{{period_ / 1'000'000'000, period_ % 1'000'000'000},
                     {first / 1'000'000'000, first % 1'000'000'000}};
    syscall(SYS_timer_settime, *timer, 0, &times, nullptr);
    return true;
  }

  void Empty() {
    for (Sample& sample : ring_->samples) {
      // Acquire: what the handler wrote.
      if (sample.state.load(std::memory_order_acquire) != Sample::kFull) continue;
      Profile::Labels labels;
      if (sample.labels != nullptr) labels.assign(sample.labels->begin(), sample.labels->end());
      // Where it was interrupted, those who called functions that keep no frame pointer, the chain of frame pointers.
      std::vector<void*> frames = FramelessCallers(reinterpret_cast<uintptr_t>(sample.frames[0]),
                                                   {sample.stack, static_cast<size_t>(sample.stack_words)});
      frames.insert(frames.begin(), sample.frames[0]);
      frames.insert(frames.end(), sample.frames + 1, sample.frames + sample.count);
      profile_->Add(frames, {1, period_}, labels, /*first_is_exact=*/true);
      sample.state.store(Sample::kFree, std::memory_order_release);
    }
  }

  std::mutex mutex_;
  std::unique_ptr<Profile> profile_;  // null: none is being taken
  Ring* ring_ = nullptr;
  std::map<int, int> timers_;  // of threads
  int64_t period_ = 0;
  int failed_timer_ = 0;
  int own_tid_ = 0;  // of thread_, which is not profiled
  int64_t start_wall_ = 0;
  Nanos start_ = 0;
  std::atomic<uint32_t> ending_{0};
  AuxiliaryThread thread_;
};

Profiler& TheProfiler() {
  static Profiler* profiler = new Profiler;  // never destroyed: handlers may run until the end
  return *profiler;
}

}  // namespace

absl::Status StartCpuProfile(int hz) {
  return TheProfiler().Start(hz);
}
std::string StopCpuProfile() {
  return TheProfiler().Stop();
}

}  // namespace gyre::internal
