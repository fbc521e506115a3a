// Unbuffered channels: rows UC of the conformance catalogue.
#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "channels/chan.h"
#include "channels/select.h"
#include "runtime/panic.h"
#include "tests/channels/counted.h"
#include "tests/channels/watched.h"

namespace gyre {
namespace {

using testing::Counted;
using testing::Eventually;
using testing::Scaled;
using testing::Watched;

GYRE_TEST(Chan, UC_01_SendCompletesWithReceive) {
  Chan<int> ch = MakeChan<int>();
  Watched sender([&] { ch.Send(7); });
  EXPECT_TRUE(sender.Blocks(WaitReason::kChanSend));
  EXPECT_EQ(ch.Recv(), 7);
  EXPECT_TRUE(sender.Ends());
}

GYRE_TEST(Chan, UC_02_ReceiveBlocksWithoutSender) {
  Chan<int> ch = MakeChan<int>();
  int got = -1;
  bool ok = false;
  Watched one([&] { ch.Recv(); });
  EXPECT_TRUE(one.Blocks(WaitReason::kChanReceive));
  Watched two([&] { ok = ch.Recv(got); });
  EXPECT_TRUE(two.Blocks(WaitReason::kChanReceive));
  ch.Send(1);
  ch.Send(2);
  EXPECT_TRUE(one.Ends() && two.Ends());
  EXPECT_TRUE(ok);
  EXPECT_EQ(got, 2);
}

GYRE_TEST(Chan, UC_03_OrderOfOneSenderIsKept) {
  Chan<int> ch = MakeChan<int>();
  Go([=] {
    for (int round = 0; round < 2; ++round) {
      for (int i = 0; i < 100; ++i) ch.Send(i);
    }
  });
  for (int i = 0; i < 100; ++i) ASSERT_EQ(ch.Recv(), i);
  for (int i = 0; i < 100; ++i) {
    int v = -1;
    ASSERT_TRUE(ch.Recv(v));
    ASSERT_EQ(v, i);
  }
}

GYRE_TEST(Chan, UC_04_ReceiversAreServedInOrder) {
  Chan<int> ch = MakeChan<int>();
  int got[5];
  std::deque<Watched> receivers;
  for (int i = 0; i < 5; ++i) {
    receivers.emplace_back([&got, ch, i] { got[i] = ch.Recv(); });
    ASSERT_TRUE(receivers.back().Blocks(WaitReason::kChanReceive));
  }
  for (int i = 0; i < 5; ++i) ch.Send(i * 100);
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(receivers[i].Ends());
    EXPECT_EQ(got[i], i * 100);
  }
}

GYRE_TEST(Chan, UC_05_SendersAreServedInOrder) {
  Chan<int> ch = MakeChan<int>();
  std::deque<Watched> senders;
  for (int i = 0; i < 5; ++i) {
    senders.emplace_back([ch, i] { ch.Send(i); });
    ASSERT_TRUE(senders.back().Blocks(WaitReason::kChanSend));
  }
  for (int i = 0; i < 5; ++i) EXPECT_EQ(ch.Recv(), i);
  for (Watched& sender : senders) EXPECT_TRUE(sender.Ends());
}

GYRE_TEST(Chan, UC_06_SelectsAndPlainWaitersShareOneQueue) {
  Chan<int> ch = MakeChan<int>(), idle = MakeChan<int>();
  int a = 0, b = 0, c = 0;
  Watched first([&] { a = ch.Recv(); });
  ASSERT_TRUE(first.Blocks(WaitReason::kChanReceive));
  Watched second([&] { Select(idle.OnRecv([] {}), ch.OnRecv([&](int v) { b = v; })); });
  ASSERT_TRUE(second.Blocks(WaitReason::kSelect));
  Watched third([&] { c = ch.Recv(); });
  ASSERT_TRUE(third.Blocks(WaitReason::kChanReceive));
  for (int i = 1; i <= 3; ++i) ch.Send(i);
  EXPECT_TRUE(first.Ends() && second.Ends() && third.Ends());
  EXPECT_EQ((std::array{a, b, c}), (std::array{1, 2, 3}));
}

GYRE_TEST(Chan, UC_07_LenAndCapAreZero) {
  Chan<int> ch = MakeChan<int>();
  std::deque<Watched> senders;
  for (int i = 0; i < 3; ++i) {
    senders.emplace_back([&] { ch.Send(1); });
    ASSERT_TRUE(senders.back().Blocks(WaitReason::kChanSend));
  }
  EXPECT_EQ(ch.Len(), 0);
  EXPECT_EQ(ch.Cap(), 0);
  for (int i = 0; i < 3; ++i) ch.Recv();
  for (Watched& sender : senders) EXPECT_TRUE(sender.Ends());
}

GYRE_TEST(Chan, UC_08_TrySendNeedsAReceiver) {
  Chan<int> ch = MakeChan<int>();
  EXPECT_FALSE(ch.TrySend(1));
  int got = 0;
  Watched receiver([&] { got = ch.Recv(); });
  ASSERT_TRUE(receiver.Blocks(WaitReason::kChanReceive));
  EXPECT_TRUE(ch.TrySend(2));
  EXPECT_TRUE(receiver.Ends());
  EXPECT_EQ(got, 2);
  EXPECT_FALSE(ch.TryRecv().has_value());
}

GYRE_TEST(Chan, UC_08_FailedTrySendLeavesTheValue) {
  Chan<std::unique_ptr<int>> ch = MakeChan<std::unique_ptr<int>>();
  auto value = std::make_unique<int>(5);
  EXPECT_FALSE(ch.TrySend(std::move(value)));
  ASSERT_NE(value, nullptr);
  EXPECT_EQ(*value, 5);
}

template <typename T>
void TryReceiveOf(T value) {
  Chan<T> ch = MakeChan<T>();
  EXPECT_EQ(ch.TryRecv(), std::nullopt);
  Watched sender([&] { ch.Send(value); });
  ASSERT_TRUE(sender.Blocks(WaitReason::kChanSend));
  EXPECT_EQ(ch.TryRecv(), value);
  EXPECT_TRUE(sender.Ends());
}

GYRE_TEST(Chan, UC_09_TryRecvNeedsASender) {
  TryReceiveOf<int32_t>(234);
  TryReceiveOf<int64_t>(234567);
  TryReceiveOf<bool>(true);
  TryReceiveOf<std::string>("hello again");
}

GYRE_TEST(Chan, UC_09_TryRecvTellsClosedFromEmpty) {
  Chan<int> ch = MakeChan<int>();
  int v = 9;
  bool ok = true;
  EXPECT_FALSE(ch.TryRecv(v, ok));
  EXPECT_FALSE(ok);
  EXPECT_EQ(v, 9);
  ch.Close();
  EXPECT_TRUE(ch.TryRecv(v, ok));
  EXPECT_FALSE(ok);
  EXPECT_EQ(v, 0);
}

GYRE_TEST(Chan, UC_10_ElementsWithoutContent) {
  for (int cap : {0, 1, 1000}) {
    Chan<Unit> ch = MakeChan<Unit>(cap);
    Watched sender([&] {
      for (int i = 0; i < 1000; ++i) ch.Send({});
      ch.Close();
    });
    int got = 0;
    for (Unit u : ch) got += u == Unit{};
    EXPECT_EQ(got, 1000);
    EXPECT_TRUE(sender.Ends());
  }
  // No memory for elements, so any capacity will do.
  Chan<Unit> endless = MakeChan<Unit>(int64_t{1} << 62);
  endless.Send({});
  EXPECT_EQ(endless.Len(), 1);
  const int which = Select(endless.OnRecv([] {}), endless.OnSend({}));
  EXPECT_EQ(endless.Len(), which == 0 ? 0 : 2);
}

GYRE_TEST(Chan, UC_11_MovedOnceAndDestroyedOnce) {
  Counted::Reset();
  for (int cap : {0, 2}) {
    Chan<Counted> ch = MakeChan<Counted>(cap), other = MakeChan<Counted>(cap);
    const int n = Scaled(1000);
    Go([=] {
      for (int i = 0; i < n; ++i) {
        ch.Send(Counted(i));
        Select(ch.OnSend(Counted(i)), other.OnSend(Counted(i)));
        Counted attempt(i);
        while (!other.TrySend(std::move(attempt))) Yield();
      }
      ch.Close();
      other.Close();
    });
    int seen = 0;
    int64_t sum = 0;
    const auto count = [&](Chan<Counted>& from, const std::optional<Counted>& c) {
      if (!c) {
        from = nullptr;
        return;
      }
      ++seen;
      sum += c->value();
    };
    Chan<Counted> a = ch, b = other;
    while (a || b) {
      Select(a.OnRecv([&](std::optional<Counted> c) { count(a, c); }),
             b.OnRecv([&](std::optional<Counted> c) { count(b, c); }));
      if (std::optional<Counted> c = ch.TryRecv()) count(ch, c);
    }
    EXPECT_EQ(seen, 3 * n);
    EXPECT_EQ(sum, int64_t{3} * n * (n - 1) / 2);
    // What nobody receives is destroyed with the channel.
    Chan<Counted> dropped = MakeChan<Counted>(4);
    for (int round = 0; round < 3; ++round) dropped.Send(Counted(round));
    dropped.Next();
    dropped.Send(Counted(3));
    dropped.Send(Counted(4));
  }
  EXPECT_TRUE(Eventually([] { return Counted::live() == 0; })) << Counted::live();
}

GYRE_TEST(Chan, UC_12_ChannelsOfChannels) {
  Chan<Chan<int>> cc = MakeChan<Chan<int>>(1);
  Chan<int> c = MakeChan<int>(1);
  cc.Send(c);
  Select(cc.Recv().OnSend(2), Default([] { ADD_FAILURE() << "there was room"; }));
  EXPECT_EQ(c.Recv(), 2);
}

GYRE_TEST(Chan, UC_13_HandOverOrdersMemory) {
  Chan<int> ch = MakeChan<int>();
  int before_send = 0, before_receive = 0;
  const int n = Scaled(2000);
  Watched sender([&] {
    for (int i = 1; i <= n; ++i) {
      before_send = i;
      ch.Send(i);
      EXPECT_EQ(before_receive, i);
      ch.Send(0);
    }
  });
  for (int i = 1; i <= n; ++i) {
    before_receive = i;
    ch.Recv();
    EXPECT_EQ(before_send, i);
    ch.Recv();
  }
  EXPECT_TRUE(sender.Ends());
}

GYRE_TEST_SMALL(Chan, UC_14_FourSendersAndFourReceivers) {
  constexpr int kValues = 250, kWorkers = 4;
  for (int cap = 0; cap < 200; cap += Scaled(10) == 10 ? 1 : 40) {
    Chan<int> ch = MakeChan<int>(cap);
    std::vector<int> seen[kWorkers];
    std::deque<Watched> workers;
    for (int w = 0; w < kWorkers; ++w) {
      workers.emplace_back([=] {
        for (int i = 0; i < kValues; ++i) ch.Send(i);
      });
      workers.emplace_back([&seen, ch, w] {
        seen[w].resize(kValues);
        for (int i = 0; i < kValues; ++i) ++seen[w][ch.Recv()];
      });
    }
    for (Watched& worker : workers) ASSERT_TRUE(worker.Ends());
    for (int i = 0; i < kValues; ++i) {
      int count = 0;
      for (const auto& s : seen) count += s[i];
      ASSERT_EQ(count, kWorkers);
    }
  }
}

// A type without a default constructor, alignment beyond malloc's, and no assignment.
struct alignas(128) Awkward {
  explicit Awkward(int v) : value(v) {}
  Awkward(Awkward&& other) noexcept : value(other.value) { EXPECT_EQ(reinterpret_cast<uintptr_t>(this) % 128, 0u); }
  const int value;
};

GYRE_TEST(Chan, UC_11_ElementsThatOnlyMove) {
  for (int cap : {0, 3}) {
    Chan<Awkward> ch = MakeChan<Awkward>(cap);
    Go([=] {
      for (int i = 0; i < 10; ++i) ch.Send(Awkward(i));
      ch.Close();
    });
    for (int i = 0; i < 5; ++i) ASSERT_EQ(ch.Next()->value, i);
    int next = 5;
    for (const Awkward& a : ch) ASSERT_EQ(a.value, next++);
    EXPECT_EQ(next, 10);
    EXPECT_FALSE(ch.Next().has_value());
  }
}

GYRE_TEST(Chan, HandlesAreReferences) {
  Chan<int> a = MakeChan<int>(1), b = MakeChan<int>(1), nil;
  RecvChan<int> a_out = a;
  SendChan<int> a_in = a;
  EXPECT_TRUE(a == a_out && a_in == a && a_in == a_out && a != b && a != nil && nil == nullptr && a != nullptr);
  EXPECT_TRUE(a && !nil);
  a_in.Send(3);
  EXPECT_EQ(a_out.Len(), 1);
  EXPECT_EQ(a_out.Recv(), 3);
  b = a;
  EXPECT_EQ(a, b);
  Chan<int> moved = std::move(b);
  EXPECT_TRUE(b == nullptr && moved == a);
  std::vector<RecvChan<int>> out;
  out.push_back(std::move(moved));
  EXPECT_EQ(out[0], a);
}

template <typename C>
concept Closes = requires(C c) {
  c.Close();
};
template <typename C>
concept Receives = requires(C c) {
  c.Next();
};
template <typename C>
concept Sends = requires(C c) {
  c.Send(1);
};
static_assert(Closes<Chan<int>> && Receives<Chan<int>> && Sends<Chan<int>>);
static_assert(Closes<SendChan<int>> && !Receives<SendChan<int>> && Sends<SendChan<int>>);
static_assert(!Closes<RecvChan<int>> && Receives<RecvChan<int>> && !Sends<RecvChan<int>>,
              "a receive-only channel cannot be closed or sent to");
static_assert(!std::is_convertible_v<RecvChan<int>, Chan<int>> && !std::is_convertible_v<SendChan<int>, Chan<int>>);

}  // namespace
}  // namespace gyre
