// A program whose kernel refuses: `faulty_program CALL N [for-good]` makes the N-th call of CALL (pthread_create, mmap,
// ...) fail, and all after it where it says so. It does something with every part of the runtime, prints "right" if all
// of it came out right, and on standard error, last, whether the call came at all. faults_test.cc runs it for each N.
//
// The functions below take the place of libc's: the executable's come first in the order of the dynamic linker. libc
// itself calls its own, so the C++ library's allocations are not touched.
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "gyre.h"

namespace {

constinit const char* failing_call = "";
constinit long fail_at = 0;
constinit bool for_good = false;
constinit std::atomic<long> calls{0};
constinit std::atomic<bool> failed{false};

// Whether this call of `name` is to fail.
bool Fails(const char* name) {
  if (std::strcmp(name, failing_call) != 0) return false;
  const long n = ++calls;
  if (n != fail_at && !(for_good && n > fail_at)) return false;
  failed = true;
  return true;
}

template <typename F>
F* Next(const char* name) {
  return reinterpret_cast<F*>(dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {

int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*body)(void*), void* argument) {
  if (Fails("pthread_create")) return EAGAIN;
  static auto* next = Next<decltype(pthread_create)>("pthread_create");
  return next(thread, attributes, body, argument);
}

void* mmap(void* at, size_t size, int protection, int flags, int fd, off_t offset) noexcept {
  if (Fails("mmap")) {
    errno = ENOMEM;
    return MAP_FAILED;
  }
  static auto* next = Next<decltype(mmap)>("mmap");
  return next(at, size, protection, flags, fd, offset);
}

int madvise(void* at, size_t size, int advice) noexcept {
  if (Fails("madvise")) {
    errno = EINVAL;
    return -1;
  }
  static auto* next = Next<decltype(madvise)>("madvise");
  return next(at, size, advice);
}

int mprotect(void* at, size_t size, int protection) noexcept {
  if (Fails("mprotect")) {
    errno = ENOMEM;
    return -1;
  }
  static auto* next = Next<decltype(mprotect)>("mprotect");
  return next(at, size, protection);
}

int sigaltstack(const stack_t* ours, stack_t* old) noexcept {
  if (Fails("sigaltstack")) {
    errno = ENOMEM;
    return -1;
  }
  static auto* next = Next<decltype(sigaltstack)>("sigaltstack");
  return next(ours, old);
}

int timer_create(clockid_t clock, sigevent* event, timer_t* timer) noexcept {
  if (Fails("timer_create")) {
    errno = EAGAIN;
    return -1;
  }
  static auto* next = Next<decltype(timer_create)>("timer_create");
  return next(clock, event, timer);
}

int epoll_create1(int flags) noexcept {
  if (Fails("epoll_create1")) {
    errno = EMFILE;
    return -1;
  }
  static auto* next = Next<decltype(epoll_create1)>("epoll_create1");
  return next(flags);
}

int epoll_ctl(int poll, int what, int fd, epoll_event* event) noexcept {
  if (Fails("epoll_ctl")) {
    errno = ENOSPC;
    return -1;
  }
  static auto* next = Next<decltype(epoll_ctl)>("epoll_ctl");
  return next(poll, what, fd, event);
}

int eventfd(unsigned value, int flags) noexcept {
  if (Fails("eventfd")) {
    errno = EMFILE;
    return -1;
  }
  static auto* next = Next<decltype(eventfd)>("eventfd");
  return next(value, flags);
}

}  // extern "C"

namespace {

int Deep(int depth) {
  volatile char frame[256];
  frame[depth % 256] = 1;
  return depth == 0 ? 0 : Deep(depth - 1) + frame[depth % 256];
}

// Every part of the runtime that asks the kernel for something.
bool DoEverything() {
  using namespace gyre;
  std::atomic<int> done{0};
  WaitGroup wg;
  for (int i = 0; i < 200; ++i) wg.Go([&] { done += Deep(100) == 100; });
  for (int i = 0; i < 4; ++i) {
    wg.Go([&] { done += Blocking([] { return usleep(2000); }) == 0; });
    wg.Go([&] {
      LockOSThread();
      Yield();
      ++done;
    });
    wg.Go([&] {
      Sleep(absl::Microseconds(300));
      ++done;
    });
  }
  wg.Wait();
  return done == 212;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: faulty_program CALL N [for-good]\n");
    return 2;
  }
  failing_call = argv[1];
  fail_at = std::atol(argv[2]);
  for_good = argc > 3;
  struct Report {
    ~Report() { std::fprintf(stderr, "%s\n", failed ? "it failed" : "it was not called so often"); }
  } report;
  auto config = gyre::Config::FromEnvironment();
  auto runtime = config.ok() ? gyre::Runtime::Create(*config) : config.status();
  if (!runtime.ok()) {
    std::fprintf(stderr, "refused: %s\n", std::string(runtime.status().message()).c_str());
    return 2;
  }
  bool right = false;
  if (!(*runtime)->Run([&] { right = DoEverything(); })) return 3;
  std::printf("%s\n", right ? "right" : "wrong");
  return right ? 0 : 3;
}
