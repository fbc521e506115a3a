// Signals on channels.
#include "channels/signals.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <string>

#include "channels/select.h"
#include "channels/time.h"
#include "runtime/panic.h"
#include "tests/testing/runtime_test.h"

namespace gyre {
namespace {

using testing::RunWith;

void Raise(int signal) { kill(getpid(), signal); }

int RecvWithin(const Chan<int>& c, absl::Duration patience) {
  int got = 0;
  Select(c.OnRecv([&](int signal) { got = signal; }), After(patience).OnRecv([] {}));
  return got;
}

GYRE_TEST_ON_THREADS(Signals, AreSentToWhoAskedForThem) {
  const Chan<int> usr1 = MakeChan<int>(4), both = MakeChan<int>(4);
  NotifySignal(usr1, {SIGUSR1});
  NotifySignal(both, {SIGUSR1});
  NotifySignal(both, {SIGUSR2});
  Raise(SIGUSR1);
  EXPECT_EQ(usr1.Recv(), SIGUSR1);
  EXPECT_EQ(both.Recv(), SIGUSR1);
  Raise(SIGUSR2);
  EXPECT_EQ(both.Recv(), SIGUSR2);
  EXPECT_EQ(usr1.Len(), 0);
  StopSignal(usr1);
  Raise(SIGUSR1);
  EXPECT_EQ(both.Recv(), SIGUSR1);
  EXPECT_EQ(usr1.Len(), 0);
  StopSignal(both);
}

TEST(Signals, AFullChannelMissesOneAndBlocksNobody) {
  RunWith("procs=2", [] {
    const Chan<int> full = MakeChan<int>(), roomy = MakeChan<int>(1);
    NotifySignal(full, {SIGUSR1});
    NotifySignal(roomy, {SIGUSR1});
    Raise(SIGUSR1);
    EXPECT_EQ(roomy.Recv(), SIGUSR1);
    StopSignal(full);
    StopSignal(roomy);
  });
}

TEST(Signals, WhatNobodyWantsHasItsOldEffect) {
  RunWith("procs=1", [] {
    static volatile sig_atomic_t handled = 0;
    std::signal(SIGUSR1, [](int) { handled = handled + 1; });
    const Chan<int> c = MakeChan<int>(1);
    NotifySignal(c, {SIGUSR1});
    Raise(SIGUSR1);
    EXPECT_EQ(c.Recv(), SIGUSR1);
    EXPECT_EQ(handled, 0);
    StopSignal(c);
    Raise(SIGUSR1);
    EXPECT_TRUE(testing::Eventually([] { return handled == 1; }));
    EXPECT_EQ(RecvWithin(c, absl::Milliseconds(10)), 0);
    NotifySignal(c, {SIGUSR1});
    ResetSignal({SIGUSR1});
    Raise(SIGUSR1);
    EXPECT_TRUE(testing::Eventually([] { return handled == 2; }));
    StopSignal(c);
    std::signal(SIGUSR1, SIG_DFL);
  });
}

TEST(Signals, IgnoredOnesGoNowhere) {
  RunWith("procs=2", [] {
    const Chan<int> c = MakeChan<int>(1);
    NotifySignal(c, {SIGUSR2});
    EXPECT_FALSE(SignalIgnored(SIGUSR2));
    IgnoreSignal({SIGUSR2});
    EXPECT_TRUE(SignalIgnored(SIGUSR2));
    Raise(SIGUSR2);  // would end the process
    EXPECT_EQ(RecvWithin(c, absl::Milliseconds(10)), 0);
    NotifySignal(c, {SIGUSR2});
    EXPECT_FALSE(SignalIgnored(SIGUSR2));
    Raise(SIGUSR2);
    EXPECT_EQ(c.Recv(), SIGUSR2);
    StopSignal(c);
  });
}

TEST(Signals, AClosedChannelHarmsNobody) {
  RunWith("procs=2", [] {
    const Chan<int> closed = MakeChan<int>(1), open = MakeChan<int>(1);
    NotifySignal(closed, {SIGUSR1});
    NotifySignal(open, {SIGUSR1});
    closed.Close();
    Raise(SIGUSR1);
    EXPECT_EQ(open.Recv(), SIGUSR1);
    StopSignal(closed);
    StopSignal(open);
  });
}

TEST(Signals, MisuseIsRefusedInWords) {
  const Chan<int> c = MakeChan<int>(1);
  for (int signal : {0, -1, 65, SIGKILL, SIGSTOP, SIGSEGV, SIGURG}) {
    try {
      NotifySignal(c, {signal});
      ADD_FAILURE() << signal;
    } catch (const PanicError& panic) {
      EXPECT_EQ(panic.what(), "gyre::NotifySignal: signal " + std::to_string(signal) +
                                  " is none that a program may handle; those are all but SIGKILL, SIGSTOP, the faults' and SIGURG");
    }
  }
  try {
    NotifySignal(Chan<int>(), {SIGUSR1});
    ADD_FAILURE();
  } catch (const PanicError& panic) {
    EXPECT_STREQ(panic.what(), "gyre::NotifySignal: the channel is nil");
  }
}

}  // namespace
}  // namespace gyre
