#include "runtime/debug/world_stop.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <mutex>

#include "absl/strings/str_cat.h"
#include "runtime/debug/page_vector.h"
#include "runtime/futex.h"
#include "runtime/raw_lock.h"

namespace gyre::internal {

namespace {

constexpr size_t kMostThreads = 1 << 16;
constexpr Nanos kPatience = 5'000'000'000;

RawLock stop_lock;  // held while the world is stopped, or about to be

// What the stopper and the handlers share.
//
// A thread that comes to a stop takes the next place, writes its registers there and then the stop's number beside it.
// Places are taken in turn for ever, so one that comes too late, to a stop that was given up, writes where no later
// stop looks, and its number is not that one's.
struct Place {
  StoppedThread thread;
  std::atomic<uint32_t> stop;
};
std::atomic<uint32_t> stop_number{0};  // of the stop that is on; 0: none
std::atomic<uint32_t> next_place{0};
std::atomic<uint32_t> arrivals{0};  // of all time: a futex
Place* places = nullptr;            // kMostThreads of them

// The stopper's own.
uint32_t last_stop = 0;
uint32_t first_place = 0;
uint32_t stopped_count = 0;
StoppedThread* stopped_threads = nullptr;

Place& PlaceOf(uint32_t number) {
  return places[number % kMostThreads];
}

constinit thread_local uint32_t stop_seen = 0;  // the last one that this thread came to, or made

std::atomic<void (*)(void*)> profile_hook{nullptr};

void ReadContext(const ucontext_t* context, StoppedThread& thread) {
  const greg_t* registers = context->uc_mcontext.gregs;
  thread.pc = static_cast<uintptr_t>(registers[REG_RIP]);
  thread.sp = static_cast<uintptr_t>(registers[REG_RSP]);
  thread.fp = static_cast<uintptr_t>(registers[REG_RBP]);
  constexpr int kGeneral[StoppedThread::kRegisters] = {REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13,
                                                       REG_R14, REG_R15, REG_RDI, REG_RSI, REG_RBP, REG_RBX,
                                                       REG_RDX, REG_RAX, REG_RCX, REG_RSP};
  for (int i = 0; i < StoppedThread::kRegisters; ++i) {
    thread.registers[i] = static_cast<uintptr_t>(registers[kGeneral[i]]);
  }
  // The thread's setting when the signal came: on the stack already, if another handler was interrupted.
  const stack_t& stack = context->uc_stack;
  if ((stack.ss_flags & SS_DISABLE) == 0) {
    thread.signal_stack.low = reinterpret_cast<uintptr_t>(stack.ss_sp);
    thread.signal_stack.high = thread.signal_stack.low + stack.ss_size;
    thread.on_signal_stack = thread.signal_stack.Holds(thread.sp, 1);
  }
}

void OnSignal(int, siginfo_t*, void* context) {
  const int saved_errno = errno;
  // Acquire: the stopper's reset of the counts.
  const uint32_t number = stop_number.load(std::memory_order_acquire);
  if (number == 0 || stop_seen == number) {
    if (auto* hook = profile_hook.load(std::memory_order_acquire)) hook(context);
    errno = saved_errno;
    return;
  }
  stop_seen = number;
  Place& place = PlaceOf(next_place.fetch_add(1, std::memory_order_relaxed));
  StoppedThread& thread = place.thread;
  thread = StoppedThread();
  thread.tid = static_cast<int>(syscall(SYS_gettid));
  thread.state = &This();
  ReadContext(static_cast<const ucontext_t*>(context), thread);
  // Release: what stands in its place, and all that this thread did before.
  place.stop.store(number, std::memory_order_release);
  arrivals.fetch_add(1, std::memory_order_release);
  FutexWake(arrivals, 1);
  while (stop_number.load(std::memory_order_acquire) == number) FutexWait(stop_number, number);
  errno = saved_errno;
}

void InstallOnce() {
  static std::once_flag once;
  std::call_once(once, [] {
    struct sigaction action;
    std::memset(&action, 0, sizeof(action));
    action.sa_sigaction = &OnSignal;
    // On the alternate stack: a goroutine's may have no room.
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
    sigemptyset(&action.sa_mask);
    sigaddset(&action.sa_mask, SIGURG);  // no preemption in there
    sigaction(SIGPROF, &action, nullptr);
  });
}

struct DirectoryEntry {  // the kernel's linux_dirent64
  ino64_t inode;
  off64_t offset;
  uint16_t bytes;
  unsigned char type;
  char name[1];
};

// Calls visit(tid) for each thread of the process. Without malloc, which opendir would use.
template <typename Visit>
void ForEachThread(Visit visit) {
  const int folder = open("/proc/self/task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return;
  alignas(8) char buffer[4096];
  for (long bytes; (bytes = syscall(SYS_getdents64, folder, buffer, sizeof(buffer))) > 0;) {
    for (long at = 0; at < bytes;) {
      const auto* entry = reinterpret_cast<const DirectoryEntry*>(buffer + at);
      int tid = 0;
      for (const char* digit = entry->name; *digit >= '0' && *digit <= '9'; ++digit) tid = 10 * tid + (*digit - '0');
      if (tid != 0) visit(tid);
      at += entry->bytes;
    }
  }
  close(folder);
}

}  // namespace

void SetProfileSignalHook(void (*hook)(void*)) {
  InstallOnce();
  profile_hook.store(hook, std::memory_order_release);
}

// Those that stand still for the present stop, into stopped_threads.
static uint32_t CountStopped() {
  const uint32_t end = next_place.load(std::memory_order_acquire);
  stopped_count = 0;
  for (uint32_t i = first_place; i != end; ++i) {
    const Place& place = PlaceOf(i);
    if (place.stop.load(std::memory_order_acquire) == last_stop) stopped_threads[stopped_count++] = place.thread;
  }
  return stopped_count;
}

StoppedWorld::StoppedWorld() ABSL_NO_THREAD_SAFETY_ANALYSIS {
  InstallOnce();
  static auto* asked = new PageVector<int>(kMostThreads);
  static auto* result = new PageVector<StoppedThread>(kMostThreads);
  stop_lock.Lock();  // and no preemption
  if (places == nullptr) {
    void* memory = mmap(nullptr, kMostThreads * sizeof(Place), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) std::abort();
    places = static_cast<Place*>(memory);
    stopped_threads = result->begin();
  }
  stopped_ = true;
  asked->Clear();
  first_place = next_place.load(std::memory_order_relaxed);
  if (++last_stop == 0) ++last_stop;
  stop_seen = last_stop;
  stop_number.store(last_stop, std::memory_order_release);

  const int self = static_cast<int>(syscall(SYS_gettid));
  const int process = getpid();
  const Nanos give_up = MonotonicClock() + kPatience;
  // Until two looks find nobody who has not been asked: those who have not may have made new threads, and the listing
  // may end early when a thread ends just then.
  for (int quiet_looks = 0; quiet_looks < 2;) {
    bool found = false;
    ForEachThread([&](int tid) {
      if (tid == self || asked->full()) return;
      for (int known : *asked) {
        if (known == tid) return;
      }
      found = true;
      asked->Push(tid);
      syscall(SYS_tgkill, process, tid, SIGPROF);
    });
    quiet_looks = found ? 0 : quiet_looks + 1;
    for (;;) {
      const uint32_t seen = arrivals.load(std::memory_order_acquire);
      // Those that ended after they had been asked do not come.
      uint32_t alive = 0;
      for (int tid : *asked) alive += syscall(SYS_tgkill, process, tid, 0) == 0;
      const uint32_t stopped = CountStopped();
      if (stopped >= alive) break;
      if (MonotonicClock() > give_up) {
        Resume();
        status_ = absl::DeadlineExceededError(absl::StrCat(
            alive - stopped, " thread(s) did not stop: they block the signal SIGPROF, or get no CPU from the kernel"));
        return;
      }
      FutexWait(arrivals, seen, MonotonicClock() + 20'000'000);
    }
  }
}

absl::Span<const StoppedThread> StoppedWorld::threads() const {
  return stopped_ ? absl::MakeConstSpan(stopped_threads, stopped_count) : absl::Span<const StoppedThread>();
}

void StoppedWorld::Resume() ABSL_NO_THREAD_SAFETY_ANALYSIS {
  if (!stopped_) return;
  stopped_ = false;
  stop_number.store(0, std::memory_order_release);
  FutexWake(stop_number, INT32_MAX);
  stop_lock.Unlock();
}

StoppedWorld::~StoppedWorld() {
  Resume();
}

}  // namespace gyre::internal
