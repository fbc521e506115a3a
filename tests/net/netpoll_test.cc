// Waiting for descriptors: deadlines, many waiters on few threads, busy processors, the deadlock detector, and a kernel
// that refuses.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "runtime/blocking.h"
#include "sync/wait_group.h"
#include "tests/net/net_test_util.h"
#include "tests/testing/runtime_test.h"

// ---- A kernel that fails on demand: these stand before the C library's ----

namespace {
std::atomic<int> fail_epoll_create{0}, fail_eventfd{0}, fail_epoll_ctl{0};  // the error of the next call
int Fail(std::atomic<int>& error) {
  errno = error.exchange(0);
  return -1;
}
}  // namespace

extern "C" {
int epoll_create1(int flags) noexcept {
  if (fail_epoll_create != 0) return Fail(fail_epoll_create);
  return static_cast<int>(syscall(SYS_epoll_create1, flags));
}
int eventfd(unsigned value, int flags) noexcept {
  if (fail_eventfd != 0) return Fail(fail_eventfd);
  return static_cast<int>(syscall(SYS_eventfd2, value, flags));
}
int epoll_ctl(int epoll, int what, int fd, epoll_event* event) noexcept {
  if (what == EPOLL_CTL_ADD && fail_epoll_ctl != 0) return Fail(fail_epoll_ctl);
  return static_cast<int>(syscall(SYS_epoll_ctl, epoll, what, fd, event));
}
}

namespace gyre::net {
namespace {

using gyre::testing::Eventually;
using gyre::testing::Scaled;
using ::testing::HasSubstr;

std::string Message(const absl::Status& status) {
  return std::string(status.message());
}

// As many descriptors as the process may have.
int RaiseDescriptorLimit() {
  rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  getrlimit(RLIMIT_NOFILE, &limit);
  return static_cast<int>(std::min<rlim_t>(limit.rlim_cur, 1 << 20));
}

GYRE_TEST_ON_THREADS(Deadline, SY_08_EndsAWaitAndCanBeReset) {
  const PipeEnds pipe = Must(MakePipe());
  char byte;
  const auto read = [&] { return pipe.read.Read(absl::MakeSpan(&byte, 1)); };
  const Nanos before = NowNanos();
  MustOk(pipe.read.SetReadDeadline(Now() + absl::Milliseconds(20)));
  absl::Status status = read().status();
  EXPECT_TRUE(IsTimeout(status)) << status;
  EXPECT_EQ(Message(status), "read: i/o timeout");
  EXPECT_GE(NowNanos() - before, 20'000'000);
  // Still past, also for what is there to read.
  MustOk(pipe.write.Write("x"));
  EXPECT_TRUE(IsTimeout(read().status()));
  MustOk(pipe.read.SetReadDeadline(absl::InfiniteFuture()));
  EXPECT_EQ(Must(read()), 1u);
  EXPECT_EQ(byte, 'x');
  MustOk(pipe.read.SetReadDeadline(absl::InfinitePast()));
  EXPECT_TRUE(IsTimeout(read().status()));
  MustOk(pipe.read.SetDeadline(Now() + absl::Hours(1)));
  MustOk(pipe.write.Write("y"));
  EXPECT_EQ(Must(read()), 1u);
}

GYRE_TEST_ON_THREADS(Deadline, IsMovedUnderAWaiter) {
  const PipeEnds pipe = Must(MakePipe());
  WaitGroup reader;
  std::atomic<bool> ended{false};
  MustOk(pipe.read.SetReadDeadline(Now() + absl::Hours(1)));
  reader.Go([&] {
    char byte;
    EXPECT_TRUE(IsTimeout(pipe.read.Read(absl::MakeSpan(&byte, 1)).status()));
    ended = true;
  });
  Sleep(absl::Milliseconds(1));
  MustOk(pipe.read.SetReadDeadline(Now() + absl::Hours(2)));
  Yield();
  EXPECT_FALSE(ended);
  MustOk(pipe.read.SetReadDeadline(Now()));
  reader.Wait();
}

GYRE_TEST_ON_THREADS(Deadline, OfWritesAndOfAcceptsAndOfDials) {
  const PipeEnds pipe = Must(MakePipe());
  size_t written = 0;
  MustOk(pipe.write.SetWriteDeadline(Now() + absl::Milliseconds(2)));
  EXPECT_TRUE(IsTimeout(pipe.write.Write(std::string(1'000'000, 'x'), &written)));
  // What it says was written was, and no more.
  MustOk(pipe.write.Close());
  std::vector<char> got(1'000'001);
  size_t sum = 0;
  for (size_t n; (n = Must(pipe.read.Read(absl::MakeSpan(got)))) != 0;) sum += n;
  EXPECT_EQ(sum, written);
  EXPECT_LT(written, 1'000'000u);
  const Listener listener = Must(Listen("tcp", "127.0.0.1:0"));
  MustOk(listener.SetDeadline(Now() + absl::Milliseconds(2)));
  EXPECT_TRUE(IsTimeout(listener.Accept().status()));
  const absl::Status late = Dial("tcp", listener.Address(), absl::UnixEpoch()).status();
  EXPECT_TRUE(late.ok() || IsTimeout(late)) << late;  // loopback may connect before anybody looks at the clock
}

// Timers and data race; nothing is lost, and nothing is read twice.
GYRE_TEST_ON_THREADS(Deadline, RacesWithData) {
  const PipeEnds pipe = Must(MakePipe());
  const int rounds = Scaled(200);
  WaitGroup writer;
  writer.Go([&] {
    for (int i = 0; i < rounds; ++i) {
      if (i % 3 == 0) Sleep(absl::Microseconds(i % 50));
      MustOk(pipe.write.Write("x"));
    }
  });
  for (int got = 0, tries = 0; got < rounds; ++tries) {
    MustOk(pipe.read.SetReadDeadline(Now() + absl::Microseconds(tries % 40)));
    char byte;
    const absl::StatusOr<size_t> n = pipe.read.Read(absl::MakeSpan(&byte, 1));
    if (n.ok()) {
      got += static_cast<int>(*n);
    } else {
      ASSERT_TRUE(IsTimeout(n.status())) << n.status();
      Yield();  // a deadline that has passed makes nobody wait
    }
  }
  writer.Wait();
}

TEST(Waiters, SY_06_ManyNeedFewThreads) {
  const int room = RaiseDescriptorLimit();
  const int pipes = std::min(Scaled(5000), (room - 100) / 2);
  const int before = OpenDescriptors();
  for (const char* config : {"procs=1", "procs=4", "procs=2,scheduler=global,stack=fixed"}) {
    gyre::testing::RunWith(config, [&] {
      std::vector<PipeEnds> all;
      for (int i = 0; i < pipes; ++i) all.push_back(Must(MakePipe()));
      // Two for each pipe: one reads, the other waits for its turn.
      std::atomic<int> right{0};
      WaitGroup readers;
      for (int i = 0; i < pipes; ++i) {
        for (int k = 0; k < 2; ++k) {
          readers.Go([&, i] {
            char byte = 0;
            right += Must(all[i].read.Read(absl::MakeSpan(&byte, 1))) == 1 && byte == static_cast<char>(i);
          });
        }
      }
      while (static_cast<int64_t>(CurrentStats().parks) < 2 * pipes) Yield();
      EXPECT_LE(KernelThreads(), Procs() + 10);
      for (int k = 0; k < 2; ++k) {
        for (int i = 0; i < pipes; ++i) {
          const char byte = static_cast<char>(i);
          MustOk(all[i].write.Write({&byte, 1}));
        }
      }
      readers.Wait();
      EXPECT_EQ(right, 2 * pipes);
    });
  }
  EXPECT_TRUE(DescriptorsAre(before));
}

GYRE_TEST_ON_THREADS(Waiters, EventsCount) {
  const Event event = Must(Event::Make());
  WaitGroup adders;
  for (int i = 0; i < 10; ++i) {
    adders.Go([&] {
      for (int k = 0; k < 100; ++k) MustOk(event.Add(3));
    });
  }
  for (uint64_t sum = 0; sum < 3000;) sum += Must(event.Wait());
  adders.Wait();
  EXPECT_EQ(event.Add(0).code(), absl::StatusCode::kInvalidArgument);
  WaitGroup waiter;
  waiter.Go([&] { EXPECT_EQ(Message(event.Wait().status()), "read: file already closed"); });
  Yield();
  MustOk(event.Close());
  waiter.Wait();
}

GYRE_TEST_ON_THREADS(Waiters, APipeWithoutAReaderIsAnErrorNotASignal) {
  const PipeEnds pipe = Must(MakePipe());
  MustOk(pipe.read.Close());
  EXPECT_EQ(Message(pipe.write.Write("x")), "write: broken pipe");
}

TEST(Waiters, WhatCannotBeWaitedForIsRefused) {
  gyre::testing::RunWith("procs=1", [] {
    EXPECT_THAT(Message(Descriptor::Adopt(-1).status()), HasSubstr("bad file descriptor"));
    const int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    EXPECT_THAT(Message(Descriptor::Adopt(file).status()), HasSubstr("gyre::sys reads and writes files"));
    close(file);
  });
}

// All processors compute, and yield to no one who waits: the monitor asks the kernel for them.
TEST(Monitor, AsksWhenAllProcessorsAreBusy) {
  for (const char* config : {"procs=1", "procs=2"}) {
    gyre::testing::RunWith(config, [] {
      const PipeEnds pipe = Must(MakePipe());
      std::atomic<bool> read{false};
      WaitGroup all;
      all.Go([&] {
        char byte;
        EXPECT_EQ(Must(pipe.read.Read(absl::MakeSpan(&byte, 1))), 1u);
        read = true;
      });
      Sleep(absl::Milliseconds(1));
      // As many as there are processors, always ready to run.
      for (int i = 0; i < Procs(); ++i) {
        all.Go([&] {
          while (!read) Yield();
        });
      }
      MustOk(pipe.write.Write("x"));
      all.Wait();
      EXPECT_TRUE(read);
    });
  }
}

// A machine that sleeps in the poller is woken for other work, for timers and for the end.
GYRE_TEST_ON_THREADS(Sleeper, WakesForOtherWork) {
  const PipeEnds pipe = Must(MakePipe());
  WaitGroup reader;
  reader.Go([&] {
    char byte;
    EXPECT_EQ(Must(pipe.read.Read(absl::MakeSpan(&byte, 1))), 1u);
  });
  for (int i = 0; i < 20; ++i) {
    Sleep(absl::Microseconds(300));
    WaitGroup some;
    for (int k = 0; k < 20; ++k) some.Go([] { Yield(); });
    some.Wait();
  }
  MustOk(pipe.write.Write("x"));
  reader.Wait();
}

GYRE_TEST_ON_THREADS(Sleeper, PingPongBetweenSleepers) {
  const PipeEnds there = Must(MakePipe()), back = Must(MakePipe());
  const int rounds = Scaled(300);
  WaitGroup other;
  other.Go([&] {
    char byte;
    for (int i = 0; i < rounds; ++i) {
      MustOk(there.read.ReadFull(absl::MakeSpan(&byte, 1)));
      MustOk(back.write.Write({&byte, 1}));
    }
  });
  for (int i = 0; i < rounds; ++i) {
    char byte = static_cast<char>(i);
    MustOk(there.write.Write({&byte, 1}));
    MustOk(back.read.ReadFull(absl::MakeSpan(&byte, 1)));
    ASSERT_EQ(byte, static_cast<char>(i));
  }
  other.Wait();
}

// Who waits for the network may be woken by it: that is no deadlock. Who waits for nothing is, whatever else is open.
TEST(DeadlockDeathTest, KnowsWhoWaitsForDescriptors) {
  gyre::testing::RunWith("procs=2", [] {
    const PipeEnds pipe = Must(MakePipe());
    MustOk(pipe.read.SetReadDeadline(Now() + absl::Milliseconds(120)));  // longer than it takes the detector to be sure
    char byte;
    EXPECT_TRUE(IsTimeout(pipe.read.Read(absl::MakeSpan(&byte, 1)).status()));
  });
  const auto body = [](bool someone_waits) {
    Config config;
    config.procs = 2;
    Runtime runtime(config);
    runtime.Run([&] {
      const PipeEnds pipe = Must(MakePipe());
      MustOk(pipe.write.Write("x"));
      char byte;
      WaitGroup reader;
      reader.Go([&] {
        Must(pipe.read.Read(absl::MakeSpan(&byte, 1)));
        if (!someone_waits) return;
        signal(SIGALRM, SIG_DFL);  // not the watchdog's
        alarm(1);                  // ends the process: nobody ever writes
        Must(pipe.read.Read(absl::MakeSpan(&byte, 1)));
      });
      WaitGroup never;
      never.Add(1);
      never.Wait();
    });
  };
  EXPECT_EXIT(body(false), ::testing::ExitedWithCode(2), "all goroutines are asleep - deadlock!");
  EXPECT_EXIT(body(true), ::testing::KilledBySignal(SIGALRM), "");
}

// ---- the kernel refuses ----

TEST(Refusal, OfAPollerIsAnErrorAndMayPass) {
  for (std::atomic<int>* fault : {&fail_epoll_create, &fail_eventfd}) {
    gyre::testing::RunWith("procs=2", [&] {
      const PipeEnds pipe = Must(MakePipe());
      *fault = EMFILE;
      char byte;
      const absl::Status status = pipe.read.Read(absl::MakeSpan(&byte, 1)).status();
      EXPECT_THAT(Message(status), HasSubstr("netpoll"));
      EXPECT_THAT(Message(status), HasSubstr("oo many open files"));
      EXPECT_EQ(*fault, 0);
      // It works once the kernel gives what it was asked for.
      MustOk(pipe.read.SetReadDeadline(Now() + absl::Milliseconds(1)));
      EXPECT_TRUE(IsTimeout(pipe.read.Read(absl::MakeSpan(&byte, 1)).status()));
    });
  }
}

TEST(Refusal, OfOneDescriptorIsAnErrorOfThatOne) {
  const int before = OpenDescriptors();
  gyre::testing::RunWith("procs=2", [] {
    const PipeEnds first = Must(MakePipe()), second = Must(MakePipe());
    const auto read = [](const Descriptor& from) {
      char byte;
      return from.Read(absl::MakeSpan(&byte, 1)).status();
    };
    fail_epoll_ctl = ENOSPC;
    EXPECT_THAT(Message(read(first.read)), HasSubstr("epoll_ctl"));
    for (const PipeEnds* pipe : {&first, &second}) {
      MustOk(pipe->read.SetReadDeadline(Now() + absl::Milliseconds(1)));
      EXPECT_TRUE(IsTimeout(read(pipe->read)));
    }
  });
  EXPECT_TRUE(DescriptorsAre(before));
}

}  // namespace
}  // namespace gyre::net
