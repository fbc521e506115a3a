// --intercept=on: code that knows nothing of gyre waits in the C library's functions, and parks goroutines. On one
// processor, and with few threads: what blocked a thread would show.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "runtime/go.h"
#include "runtime/runtime.h"
#include "sync/wait_group.h"
#include "tests/net/net_test_util.h"
#include "tests/testing/runtime_test.h"

namespace gyre {
namespace {

using net::KernelThreads;

constexpr const char* kConfigs[] = {"intercept=on,procs=1", "intercept=on,procs=2,scheduler=global,preemption=none",
                                    "intercept=on,procs=4,preemption=klt"};

class Intercept : public ::testing::TestWithParam<const char*> {
 protected:
  // Runs `body`, and expects that goroutines did not block threads: there would be dozens. (On a loaded machine even a short
  // call may last, and have a thread started.)
  void Run(const std::function<void()>& body) {
    gyre::testing::RunWith(GetParam(), [&] {
      body();
      EXPECT_LE(KernelThreads(), 3 * Procs() + 20);
    });
  }
};
INSTANTIATE_TEST_SUITE_P(Configs, Intercept, ::testing::ValuesIn(kConfigs));

struct RawPipe {
  RawPipe() { EXPECT_EQ(pipe(ends), 0); }
  ~RawPipe() {
    close(ends[0]);
    close(ends[1]);
  }
  int ends[2];
};

TEST_P(Intercept, ReadsPark) {
  Run([] {
    constexpr int kPipes = 50;
    std::vector<RawPipe> pipes(kPipes);
    std::atomic<int> right{0};
    WaitGroup readers;
    for (int i = 0; i < kPipes; ++i) {
      readers.Go([&, i] {
        char byte = 0;
        iovec part = {&byte, 1};
        const ssize_t n = i % 2 == 0 ? read(pipes[i].ends[0], &byte, 1) : readv(pipes[i].ends[0], &part, 1);
        right += n == 1 && byte == static_cast<char>(i);
      });
    }
    for (int i = 0; i < 20; ++i) Yield();
    for (int i = 0; i < kPipes; ++i) {
      const char byte = static_cast<char>(i);
      EXPECT_EQ(write(pipes[i].ends[1], &byte, 1), 1);
    }
    readers.Wait();
    EXPECT_EQ(right, kPipes);
  });
}

TEST_P(Intercept, SleepsPark) {
  Run([] {
    const Nanos before = NowNanos();
    WaitGroup sleepers;
    for (int i = 0; i < 100; ++i) {
      sleepers.Go([i] {
        const timespec time = {0, 20'000'000};
        switch (i % 3) {
          case 0:
            EXPECT_EQ(usleep(20'000), 0);
            break;
          case 1:
            EXPECT_EQ(nanosleep(&time, nullptr), 0);
            break;
          case 2:
            EXPECT_EQ(clock_nanosleep(CLOCK_MONOTONIC, 0, &time, nullptr), 0);
            break;
        }
      });
    }
    sleepers.Wait();
    EXPECT_GE(NowNanos() - before, 20'000'000);
    EXPECT_LT(NowNanos() - before, 100 * 20'000'000LL / Procs()) << "they slept one after another";
    EXPECT_EQ(sleep(0), 0u);
    const timespec wrong = {0, 1'000'000'000};
    errno = 0;
    EXPECT_EQ(nanosleep(&wrong, nullptr), -1);
    EXPECT_EQ(errno, EINVAL);
    timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    EXPECT_EQ(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &until, nullptr), 0);
  });
}

// A server and its clients as anybody would write them with threads.
TEST_P(Intercept, ASocketProgram) {
  Run([] {
    const int listener = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    ASSERT_EQ(listen(listener, 10), 0);
    ASSERT_EQ(getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size), 0);
    constexpr int kClients = 20;
    constexpr size_t kBytes = 300'000;
    WaitGroup all;
    all.Go([&] {
      for (int i = 0; i < kClients; ++i) {
        const int conn = accept(listener, nullptr, nullptr);
        ASSERT_GE(conn, 0);
        all.Go([conn] {
          char buffer[5000];
          ssize_t n;
          while ((n = recv(conn, buffer, sizeof(buffer), 0)) > 0)
            EXPECT_EQ(send(conn, buffer, static_cast<size_t>(n), 0), n);
          close(conn);
        });
      }
    });
    for (int c = 0; c < kClients; ++c) {
      all.Go([&, c] {
        const int conn = socket(AF_INET, SOCK_STREAM, 0);
        ASSERT_EQ(connect(conn, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0) << std::strerror(errno);
        const std::string sent(kBytes, static_cast<char>('a' + c));
        WaitGroup writer;
        // A blocking socket takes all of it, however little the kernel has room for.
        writer.Go([&] { EXPECT_EQ(write(conn, sent.data(), sent.size()), static_cast<ssize_t>(kBytes)); });
        std::string got;
        char buffer[7000];
        while (got.size() < kBytes) {
          const ssize_t n = read(conn, buffer, sizeof(buffer));
          ASSERT_GT(n, 0);
          got.append(buffer, static_cast<size_t>(n));
        }
        EXPECT_TRUE(got == sent);
        writer.Wait();
        close(conn);
      });
    }
    all.Wait();
    close(listener);
  });
}

TEST_P(Intercept, PollSelectAndEpollPark) {
  Run([] {
    RawPipe first, second;
    const int epoll = epoll_create1(EPOLL_CLOEXEC);
    epoll_event event = {EPOLLIN, {.u32 = 7}};
    ASSERT_EQ(epoll_ctl(epoll, EPOLL_CTL_ADD, second.ends[0], &event), 0);
    WaitGroup all;
    std::atomic<int> woken{0};
    all.Go([&] {
      pollfd fds[3] = {{first.ends[0], POLLIN, 0}, {-1, POLLIN, 0}, {second.ends[0], POLLIN, 0}};
      EXPECT_EQ(poll(fds, 3, -1), 1);
      EXPECT_EQ(fds[0].revents, 0);
      EXPECT_EQ(fds[2].revents, POLLIN);
      ++woken;
    });
    all.Go([&] {
      fd_set read_set;
      FD_ZERO(&read_set);
      FD_SET(first.ends[0], &read_set);
      FD_SET(second.ends[0], &read_set);
      EXPECT_EQ(select(second.ends[0] + 1, &read_set, nullptr, nullptr, nullptr), 1);
      EXPECT_FALSE(FD_ISSET(first.ends[0], &read_set));
      EXPECT_TRUE(FD_ISSET(second.ends[0], &read_set));
      ++woken;
    });
    all.Go([&] {
      epoll_event got;
      EXPECT_EQ(epoll_wait(epoll, &got, 1, -1), 1);
      EXPECT_EQ(got.data.u32, 7u);
      ++woken;
    });
    Sleep(absl::Milliseconds(2));
    EXPECT_EQ(woken, 0);
    ASSERT_EQ(write(second.ends[1], "x", 1), 1);
    all.Wait();
    // Their time ends.
    pollfd one = {first.ends[0], POLLIN, 0};
    const Nanos before = NowNanos();
    EXPECT_EQ(poll(&one, 1, 5), 0);
    EXPECT_EQ(poll(nullptr, 0, 5), 0);
    timeval time = {0, 5000};
    EXPECT_EQ(select(0, nullptr, nullptr, nullptr, &time), 0);
    EXPECT_GE(NowNanos() - before, 15'000'000);
    close(epoll);
  });
}

TEST_P(Intercept, WhatMustNotWaitDoesNot) {
  Run([] {
    RawPipe pipe;
    fcntl(pipe.ends[0], F_SETFL, O_NONBLOCK);
    char byte;
    EXPECT_EQ(read(pipe.ends[0], &byte, 1), -1);
    EXPECT_EQ(errno, EAGAIN);
    EXPECT_EQ(read(-1, &byte, 1), -1);
    EXPECT_EQ(errno, EBADF);
    int pair[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    EXPECT_EQ(recv(pair[0], &byte, 1, MSG_DONTWAIT), -1);
    EXPECT_EQ(errno, EAGAIN);
    const timeval soon = {0, 5000};
    ASSERT_EQ(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon)), 0);
    const Nanos before = NowNanos();
    EXPECT_EQ(recv(pair[0], &byte, 1, 0), -1);
    EXPECT_EQ(errno, EAGAIN);
    EXPECT_GE(NowNanos() - before, 5'000'000);
    close(pair[0]);
    close(pair[1]);
    // Files are always ready.
    const int file = open("/proc/self/exe", O_RDONLY);
    char magic[4];
    EXPECT_EQ(read(file, magic, 4), 4);
    EXPECT_EQ(std::memcmp(magic, "\177ELF", 4), 0);
    close(file);
  });
}

TEST(InterceptOff, CallsAreTheKernels) {
  gyre::testing::RunWith("procs=1", [] {
    RawPipe pipe;
    std::thread writer([&] {
      usleep(2000);
      EXPECT_EQ(write(pipe.ends[1], "x", 1), 1);
    });
    std::atomic<bool> ran{false};
    Go([&] { ran = true; });
    char byte;
    EXPECT_EQ(read(pipe.ends[0], &byte, 1), 1);  // keeps the thread, and with it the only processor
    EXPECT_FALSE(ran);
    writer.join();
    EXPECT_TRUE(gyre::testing::Eventually([&] { return ran.load(); }));
  });
}

TEST(InterceptConfig, IsOnOrOffAndNotForVirtualTime) {
  Config config;
  EXPECT_EQ(config.Apply("intercept=maybe").message(), "intercept=maybe is neither on nor off");
  ASSERT_TRUE(config.Apply("intercept=on,engine=simulation").ok());
  EXPECT_EQ(config.ToString(),
            "scheduler=gmp,stack=contiguous,preemption=" + Config().preemption + ",engine=simulation,intercept=on");
  EXPECT_EQ(Runtime::Create(config).status().message(),
            "intercept=on: the kernel's calls take real time; it needs --engine=threads");
}

}  // namespace
}  // namespace gyre
