// Programs that end in some particular way, one for each name: `scenarios NAME`. ends_test.cc runs them and looks at
// what they write and at their exit codes. Flags and GYRE choose the configuration as for any program.
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <string>
#include <vector>

#include "gyre.h"

namespace gyre {
namespace {

// Go's `defer fmt.Println(text)`.
struct Deferred {
  const char* text;
  ~Deferred() {
    std::printf("%s\n", text);
    std::fflush(stdout);
  }
};

void Say(const char* text) {
  std::printf("%s\n", text);
  std::fflush(stdout);
}

[[noreturn]] void WaitForEver() {
  Select();
  std::abort();
}

// ---- The program's end ----

void MainReturns() {
  Go([] {
    Deferred never{"child's deferred"};
    WaitForEver();
  });
  for (int i = 0; i < 100; ++i) Go([] { Sleep(absl::Hours(1)); });
  Yield();
  Say("main");
}

void ExitStatus3() {
  Deferred never{"main's deferred"};
  std::exit(3);
}

void ChildExits3() {
  Deferred never{"main's deferred"};
  Go([] {
    Deferred neither{"child's deferred"};
    std::_Exit(3);
  });
  WaitForEver();
}

void PrintProcs() {
  std::printf("%d\n", Procs());
}

void FanOut() {
  WaitGroup wg;
  std::atomic<int> ran{0};
  for (int i = 0; i < 10000; ++i) wg.Go([&] { ++ran; });
  wg.Wait();
  std::printf("%d\n", ran.load());
}

// ---- Panics ----

void ChildPanics() {
  Deferred never{"main's deferred"};
  Go([] {
    Deferred d{"d"};
    Panic("boom");
  });
  Sleep(absl::Seconds(20));
}

void Recovered() {
  std::atomic<int> caught{0}, after{0};
  WaitGroup wg;
  for (int i = 0; i < 100; ++i) {
    wg.Go([&] {
      try {
        Yield();
        Panic("boom");
      } catch (const PanicError&) {
        ++caught;
      }
      ++after;
    });
  }
  wg.Wait();
  std::printf("%d %d\n", caught.load(), after.load());
}

void PanicInHandler() {
  try {
    Panic("first");
  } catch (const PanicError& first) {
    Panic(std::string("re-first after ") + first.what());
  }
}

struct ThrowsAtItsEnd {
  ~ThrowsAtItsEnd() noexcept(false) { Panic("pt2"); }
};
void PanicInDestructor() {
  ThrowsAtItsEnd deferred;
  Panic("hello");
}

struct YieldingError : std::exception {
  const char* what() const noexcept override {
    Yield();
    return "errorThatGosched";
  }
};
void MessageYields() {
  throw YieldingError();
}

struct PrintingError : std::exception {
  const char* what() const noexcept override {
    Say("1");
    Say("2");
    return "3";
  }
};
void MessagePrints() {
  throw PrintingError();
}

void (*volatile throw_something)() = [] { throw 1; };  // opaque: the compiler would say what this leads to
struct ThrowingError : std::exception {
  const char* what() const noexcept override {
    throw_something();
    return "";
  }
};
void MessageThrows() {
  throw ThrowingError();
}

void ErrorValue() {
  throw std::runtime_error("e1");
}
void IntegerValue() {
  throw 42;
}
void NullValue() {
  throw nullptr;
}

// ---- Fatal errors, each inside everything that might catch it ----

template <typename F>
void Uncatchable(F f) {
  Deferred never{"deferred"};
  try {
    f();
  } catch (...) {
    Say("caught");
  }
}

void UnlockOfUnlocked() {
  Uncatchable([] {
    Mutex mu;
    mu.Unlock();
  });
}
void GoOfNil() {
  Uncatchable([] {
    void (*nil)() = nullptr;
    Go(nil);
  });
}
void Deadlock() {
  Uncatchable([] { WaitForEver(); });
}

int Recurse(int depth) {
  volatile char frame[1024];
  frame[depth % 1024] = 1;
  return depth < 0 ? 0 : Recurse(depth + 1) + frame[depth % 1024];
}
void Overflow() {
  Uncatchable([] { Recurse(1); });
}
void Overflow64K() {
  struct Deep {
    static int Down(int depth) {
      volatile char frame[64 << 10];
      frame[depth % 1024] = 1;
      return depth < 0 ? 0 : Down(depth + 1) + frame[depth % 1024];
    }
  };
  Uncatchable([] {
    Chan<Unit> never = MakeChan<Unit>();
    Go([=] {
      if (Deep::Down(1) != 0) never.Send({});
    });
    never.Recv();
  });
}
void TooManyThreads() {
  Uncatchable([] {
    Chan<Unit> never = MakeChan<Unit>();
    for (int i = 0; i < 100; ++i) {
      Go([=] {
        LockOSThread();
        never.Recv();
      });
    }
    never.Recv();
  });
}

// ---- Deadlocks, and what is none ----

void DeadlockOnChannel() {
  MakeChan<int>().Recv();
}
void DeadlockOnSend() {
  MakeChan<int>().Send(1);
}
void DeadlockOnNil() {
  Chan<int>().Recv();
}
void DeadlockOnSecondLock() ABSL_NO_THREAD_SAFETY_ANALYSIS {
  Mutex mu;
  mu.Lock();
  mu.Lock();
}
void DeadlockOnWaitGroup() {
  WaitGroup wg;
  wg.Add(1);
  wg.Wait();
}
void DeadlockOnUpgrade() ABSL_NO_THREAD_SAFETY_ANALYSIS {
  RWMutex mu;
  mu.RLock();
  mu.Lock();
}
void DeadlockWithLockedChild() {
  Go([] {
    LockOSThread();
    MakeChan<int>().Recv();
  });
  WaitForEver();
}
void DeadlockWithDeferred() {
  Deferred never{"deferred"};
  WaitForEver();
}
void DeadlockAfterWork() {
  WaitGroup wg;
  for (int i = 0; i < 100; ++i) wg.Go([] { Sleep(absl::Microseconds(100)); });
  wg.Wait();
  Timer stopped = NewTimer(absl::Hours(1));
  stopped.Stop();
  WaitForEver();
}
void DeadlockOfThree() {
  static Mutex mu;
  static Mutex of_cond;
  static Cond cond(&of_cond);
  mu.Lock();
  Go([] { mu.Lock(); });
  Go([] { MakeChan<int>().Recv(); });
  Go([] {
    of_cond.Lock();
    cond.Wait();
  });
  WaitForEver();
}

void BlockedInCall() {
  int ends[2];
  if (pipe(ends) != 0) std::abort();
  Chan<Unit> got = MakeChan<Unit>();
  Go([=] {
    char byte;
    if (Blocking([&] { return read(ends[0], &byte, 1); }) == 1) got.Send({});
  });
  // Another process writes: this one sleeps altogether meanwhile.
  const pid_t writer = fork();
  if (writer == 0) {
    usleep(400'000);
    _exit(write(ends[1], "x", 1) == 1 ? 0 : 1);
  }
  got.Recv();
  Say("woken");
}

void BusyBesideBlocked() {
  for (int i = 0; i < 10; ++i) Go([] { WaitForEver(); });
  for (int i = 0; i < 100; ++i) Sleep(absl::Milliseconds(1));
  Say("ran on");
}

// ---- By hand: how a dump looks ----

void DumpByFatal() {
  static Mutex mu;
  static RWMutex read_locked, write_locked;
  static Mutex of_cond;
  static Cond cond(&of_cond);
  static WaitGroup wg;
  static Semaphore sem(1);
  static Chan<int> ch = MakeChan<int>(), nil;
  static std::atomic<int> there{0};
  mu.Lock();
  read_locked.RLock();
  write_locked.Lock();
  wg.Add(1);
  sem.Acquire(1);
  Go([] { ++there, ch.Recv(); });
  Go([] { ++there, MakeChan<int>().Send(1); });
  Go([] { ++there, nil.Recv(); });
  Go([] { ++there, nil.Send(1); });
  Go([] { ++there, Select(ch.OnRecv([] {}), nil.OnRecv([] {})); });
  Go([] { ++there, Select(); });
  Go([] { ++there, Sleep(absl::Hours(1)); });
  Go([] {
    of_cond.Lock();
    ++there, cond.Wait();
  });
  Go([] { ++there, mu.Lock(); });
  Go([] { ++there, write_locked.RLock(); });
  Go([] { ++there, read_locked.Lock(); });
  Go([] { ++there, wg.Wait(); });
  Go([] { ++there, sem.Acquire(1); });
  Go({.name = "pinned"}, [] {
    LockOSThread();
    ++there, ch.Recv();
  });
  while (there != 14) Yield();
  for (int i = 0; i < 20; ++i) Sleep(absl::Milliseconds(1));
  Fatal("to see them all");
}

const struct {
  const char* name;
  void (*run)();
} kScenarios[] = {
    {"main-returns", MainReturns},
    {"exit-3", ExitStatus3},
    {"child-exits-3", ChildExits3},
    {"print-procs", PrintProcs},
    {"fan-out", FanOut},
    {"child-panics", ChildPanics},
    {"recovered", Recovered},
    {"panic-in-handler", PanicInHandler},
    {"panic-in-destructor", PanicInDestructor},
    {"message-yields", MessageYields},
    {"message-prints", MessagePrints},
    {"message-throws", MessageThrows},
    {"error-value", ErrorValue},
    {"integer-value", IntegerValue},
    {"null-value", NullValue},
    {"unlock-of-unlocked", UnlockOfUnlocked},
    {"go-of-nil", GoOfNil},
    {"deadlock", Deadlock},
    {"overflow", Overflow},
    {"overflow-64k", Overflow64K},
    {"too-many-threads", TooManyThreads},
    {"deadlock-channel", DeadlockOnChannel},
    {"deadlock-send", DeadlockOnSend},
    {"deadlock-nil", DeadlockOnNil},
    {"deadlock-second-lock", DeadlockOnSecondLock},
    {"deadlock-wait-group", DeadlockOnWaitGroup},
    {"deadlock-upgrade", DeadlockOnUpgrade},
    {"deadlock-locked-child", DeadlockWithLockedChild},
    {"deadlock-deferred", DeadlockWithDeferred},
    {"deadlock-after-work", DeadlockAfterWork},
    {"deadlock-of-three", DeadlockOfThree},
    {"blocked-in-call", BlockedInCall},
    {"busy-beside-blocked", BusyBesideBlocked},
    {"dump", DumpByFatal},
};

int Run(const std::vector<char*>& words) {
  if (words.size() == 2) {
    for (const auto& scenario : kScenarios) {
      if (words[1] == std::string(scenario.name)) {
        scenario.run();
        return 0;
      }
    }
  }
  std::fprintf(stderr, "usage: scenarios NAME; the names:");
  for (const auto& scenario : kScenarios) std::fprintf(stderr, " %s", scenario.name);
  std::fprintf(stderr, "\n");
  return 2;
}

}  // namespace
}  // namespace gyre

int main(int argc, char** argv) {
  return gyre::Main(argc, argv, &gyre::Run);
}
