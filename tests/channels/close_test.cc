// Closing: rows CL of the conformance catalogue; and nil channels: rows NL.
#include <atomic>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "channels/chan.h"
#include "channels/select.h"
#include "runtime/panic.h"
#include "tests/channels/watched.h"

namespace gyre {
namespace {

using testing::PanicText;
using testing::RunAbandoning;
using testing::Watched;

GYRE_TEST(Chan, CL_01_ClosedGivesZeroAtOnce) {
  for (int cap : {0, 3}) {
    Chan<int> ch = MakeChan<int>(cap);
    ch.Close();
    for (int i = 0; i < 10; ++i) {
      int v = 5;
      EXPECT_EQ(ch.Recv(), 0);
      EXPECT_FALSE(ch.Recv(v));
      EXPECT_EQ(v, 0);
      EXPECT_EQ(ch.Next(), std::nullopt);
      bool ok = true, received = false;
      v = 5;
      EXPECT_TRUE(ch.TryRecv(v, ok));
      EXPECT_FALSE(ok);
      EXPECT_EQ(v, 0);
      const auto closed = [&](int value, bool sent) { received = value == 0 && !sent; };
      Chan<int> nil;
      EXPECT_EQ(Select(ch.OnRecv(closed)), 0);
      EXPECT_TRUE(std::exchange(received, false));
      EXPECT_EQ(Select(ch.OnRecv(closed), Default()), 0);
      EXPECT_TRUE(std::exchange(received, false));
      EXPECT_EQ(Select(nil.OnRecv([] {}), ch.OnRecv(closed), Default()), 1);
      EXPECT_TRUE(std::exchange(received, false));
    }
  }
}

GYRE_TEST(Chan, CL_02_BufferedValuesComeBeforeTheEnd) {
  Chan<int> ch = MakeChan<int>(2);
  ch.Send(1);
  ch.Close();
  int v = 0;
  EXPECT_TRUE(ch.Recv(v));
  EXPECT_EQ(v, 1);
  EXPECT_FALSE(ch.Recv(v));
  EXPECT_EQ(v, 0);
}

GYRE_TEST(Chan, CL_03_CloseWakesAllReceivers) {
  Chan<int> ch = MakeChan<int>();
  std::atomic<int> woken{0};
  std::deque<Watched> receivers;
  for (int i = 0; i < 100; ++i) {
    receivers.emplace_back([&, i] {
      int v = 1;
      bool ok = true;
      if (i % 2 == 0) {
        ok = ch.Recv(v);
      } else {
        Select(ch.OnRecv([&](int value, bool sent) { v = value, ok = sent; }), Chan<int>().OnRecv([] {}));
      }
      if (v == 0 && !ok) ++woken;
    });
  }
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(receivers[i].Blocks(i % 2 == 0 ? WaitReason::kChanReceive : WaitReason::kSelect));
  }
  ch.Close();
  for (Watched& receiver : receivers) ASSERT_TRUE(receiver.Ends());
  EXPECT_EQ(woken, 100);
}

GYRE_TEST(Chan, CL_04_SendOnClosedPanics) {
  const std::string expected = "send on closed channel";
  for (int cap : {0, 5}) {
    Chan<int> ch = MakeChan<int>(cap), other = MakeChan<int>();
    ch.Close();
    EXPECT_EQ(PanicText<RuntimeError>([&] { ch.Send(1); }), expected);
    EXPECT_EQ(PanicText<RuntimeError>([&] { ch.TrySend(1); }), expected);
    EXPECT_EQ(PanicText<RuntimeError>([&] { Select(ch.OnSend(1)); }), expected);
    EXPECT_EQ(PanicText<RuntimeError>([&] { Select(ch.OnSend(1), Default()); }), expected);
    EXPECT_EQ(PanicText<RuntimeError>([&] { Select(ch.OnSend(1), other.OnRecv([] {})); }), expected);
    EXPECT_EQ(PanicText<RuntimeError>([&] { Select(ch.OnSend(1), other.OnRecv([] {}), Default()); }), expected);
    EXPECT_EQ(ch.Len(), 0);
  }
}

GYRE_TEST(Chan, CL_04_CloseWakesSendersWithAPanic) {
  Chan<std::string> ch = MakeChan<std::string>();
  std::string plain, select;
  Watched sender([&] { plain = PanicText<RuntimeError>([&] { ch.Send("a"); }); });
  Watched selector([&] {
    select = PanicText<RuntimeError>([&] { Select(Chan<int>().OnRecv([] {}), ch.OnSend("b"), ch.OnSend("c")); });
  });
  ASSERT_TRUE(sender.Blocks(WaitReason::kChanSend));
  ASSERT_TRUE(selector.Blocks(WaitReason::kSelect));
  ch.Close();
  EXPECT_TRUE(sender.Ends() && selector.Ends());
  EXPECT_EQ(plain, "send on closed channel");
  EXPECT_EQ(select, "send on closed channel");
}

GYRE_TEST(Chan, CL_05_ClosingTwicePanics) {
  Chan<int> ch = MakeChan<int>();
  ch.Close();
  EXPECT_EQ(PanicText<RuntimeError>([&] { ch.Close(); }), "close of closed channel");
}

GYRE_TEST(Chan, CL_06_ClosingNilPanics) {
  EXPECT_EQ(PanicText<RuntimeError>([] { Chan<int>().Close(); }), "close of nil channel");
  EXPECT_EQ(PanicText<RuntimeError>([] { SendChan<int>().Close(); }), "close of nil channel");
}

GYRE_TEST(Chan, CL_07_RangeEndsWithTheChannel) {
  Chan<int> ch = MakeChan<int>(10);
  std::atomic<int> got{0};
  std::deque<Watched> readers;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&] {
      for (int v : ch) got += v >= 0;
    });
  }
  for (int i = 0; i < 100; ++i) ch.Send(i);
  ch.Close();
  for (Watched& reader : readers) ASSERT_TRUE(reader.Ends());
  EXPECT_EQ(got, 100);
}

GYRE_TEST(Chan, CL_07_RangeAsIterators) {
  Chan<int> ch = MakeChan<int>(3);
  for (int i = 0; i < 3; ++i) ch.Send(i);
  ch.Close();
  EXPECT_EQ(std::vector<int>(ch.begin(), ch.end()), (std::vector<int>{0, 1, 2}));
}

GYRE_TEST(Chan, CL_08_ClosedSendAmongReadyCases) {
  Chan<int> closed = MakeChan<int>(1), ready = MakeChan<int>(1);
  closed.Close();
  int panics = 0, received = 0;
  for (int i = 0; i < 1000; ++i) {
    ready.TrySend(1);
    try {
      Select(closed.OnSend(1, [] { ADD_FAILURE() << "a send went into a closed channel"; }),
             ready.OnRecv([&] { ++received; }));
    } catch (const RuntimeError& error) {
      EXPECT_STREQ(error.what(), "send on closed channel");
      ++panics;
    }
  }
  EXPECT_GT(panics, 0);
  EXPECT_GT(received, 0);
  EXPECT_EQ(panics + received, 1000);
}

GYRE_TEST(Chan, CL_09_CloseOrdersMemory) {
  for (int i = 0; i < 100; ++i) {
    Chan<int> ch = MakeChan<int>(i % 2);
    int written = 0;
    Watched closer([&] {
      written = 1;
      ch.Close();
    });
    switch (i % 4) {
      case 0:
      case 1:
        ch.Recv();
        break;
      case 2:
        Select(ch.OnRecv([] {}), Chan<int>().OnRecv([] {}));
        break;
      default:
        int v;
        bool ok;
        while (!ch.TryRecv(v, ok)) Yield();
    }
    ASSERT_EQ(written, 1);
    ASSERT_TRUE(closer.Ends());
  }
}

GYRE_TEST(Chan, CL_10_LenAndCapOfAClosedChannel) {
  Chan<int> ch = MakeChan<int>(4);
  ch.Send(1);
  ch.Send(2);
  ch.Close();
  EXPECT_EQ(ch.Len(), 2);
  EXPECT_EQ(ch.Cap(), 4);
  ch.Recv();
  ch.Recv();
  EXPECT_EQ(ch.Len(), 0);
  EXPECT_EQ(ch.Cap(), 4);
}

TEST(Nil, NL_01_SendAndReceiveBlockForEver) {
  RunAbandoning([] {
    static const Chan<int> nil;
    Watched sender([] { nil.Send(1); });
    Watched receiver([] { nil.Recv(); });
    Watched one_case([] { Select(nil.OnRecv([] {})); });
    EXPECT_TRUE(sender.Blocks(WaitReason::kChanSendNil));
    EXPECT_TRUE(receiver.Blocks(WaitReason::kChanReceiveNil));
    EXPECT_TRUE(one_case.Blocks(WaitReason::kChanReceiveNil));
    EXPECT_STREQ(WaitReasonName(WaitReason::kChanSendNil), "chan send (nil chan)");
    EXPECT_STREQ(WaitReasonName(WaitReason::kChanReceiveNil), "chan receive (nil chan)");
  });
}

GYRE_TEST(Nil, NL_01_TriesFail) {
  Chan<int> nil;
  int v = 3;
  bool ok;
  EXPECT_FALSE(nil.TrySend(1));
  EXPECT_EQ(nil.TryRecv(), std::nullopt);
  EXPECT_FALSE(nil.TryRecv(v, ok));
  EXPECT_EQ(v, 3);
}

GYRE_TEST(Nil, NL_02_NilCasesAreNeverReady) {
  Chan<int> nil, real = MakeChan<int>(1);
  for (int i = 0; i < 1000; ++i) {
    ASSERT_EQ(Select(nil.OnRecv([] {}), Default()), 1);
    ASSERT_EQ(Select(nil.OnSend(1), Default()), 1);
    ASSERT_EQ(Select(nil.OnRecv([] {}), nil.OnSend(1), Default()), 2);
    ASSERT_EQ(Select(nil.OnRecv([] {}), real.OnSend(1), nil.OnSend(1)), 1);
    ASSERT_EQ(Select(nil.OnRecv([] {}), nil.OnSend(1), real.OnRecv([] {}), Default()), 2);
  }
}

TEST(Nil, NL_03_OnlyNilCasesBlockForEver) {
  RunAbandoning([] {
    static const Chan<int> nil;
    Watched one([] { Select(nil.OnSend(1)); });
    Watched two([] { Select(nil.OnSend(1), nil.OnRecv([] {})); });
    EXPECT_TRUE(one.Blocks(WaitReason::kChanSendNil));
    EXPECT_TRUE(two.Blocks(WaitReason::kSelect));
  });
}

GYRE_TEST(Nil, NL_04_ACaseIsSwitchedOffByNil) {
  Chan<int> a = MakeChan<int>(), b = MakeChan<int>();
  for (Chan<int> ch : {a, b}) {
    Go([ch] {
      for (int i = 0; i < 100; ++i) ch.Send(i);
      ch.Close();
    });
  }
  int got = 0;
  while (a || b) {
    Select(a.OnRecv([&](int, bool ok) { ok ? (void)++got : (void)(a = nullptr); }),
           b.OnRecv([&](int, bool ok) { ok ? (void)++got : (void)(b = nullptr); }));
  }
  EXPECT_EQ(got, 200);
}

GYRE_TEST(Nil, NL_05_LenAndCap) {
  EXPECT_EQ(Chan<int>().Len(), 0);
  EXPECT_EQ(Chan<int>().Cap(), 0);
  EXPECT_EQ(RecvChan<Unit>(nullptr).Len(), 0);
}

TEST(Nil, NL_06_RangeBlocksForEver) {
  RunAbandoning([] {
    static const Chan<int> nil;
    Watched reader([] {
      for (int v : nil) ADD_FAILURE() << v;
    });
    EXPECT_TRUE(reader.Blocks(WaitReason::kChanReceiveNil));
  });
}

}  // namespace
}  // namespace gyre
