// Buffered channels: rows BC of the conformance catalogue.
#include <atomic>
#include <cstdint>
#include <deque>
#include <limits>
#include <memory>
#include <vector>

#include "channels/chan.h"
#include "channels/select.h"
#include "runtime/panic.h"
#include "tests/channels/watched.h"

namespace gyre {
namespace {

using testing::PanicText;
using testing::Scaled;
using testing::Watched;

GYRE_TEST_SMALL(Chan, BC_01_CapacitySendsWithoutAReceiver) {
  for (int n = 1; n < 200; ++n) {
    Chan<int> ch = MakeChan<int>(n);
    for (int i = 0; i < n; ++i) ch.Send(i);
    Watched extra([&] { ch.Send(n); });
    ASSERT_TRUE(extra.Blocks(WaitReason::kChanSend));
    EXPECT_FALSE(ch.TrySend(-1));
    bool was_full = false;
    Select(ch.OnSend(-1), Default([&] { was_full = true; }));
    EXPECT_TRUE(was_full);
    for (int i = 0; i <= n; ++i) ASSERT_EQ(ch.Recv(), i);
    ASSERT_TRUE(extra.Ends());
  }
}

GYRE_TEST(Chan, BC_02_LenCountsTheBuffer) {
  Chan<int> ch = MakeChan<int>(10);
  for (int i = 0; i < 3; ++i) ch.Send(i);
  EXPECT_EQ(ch.Len(), 3);
  EXPECT_EQ(ch.Cap(), 10);
  for (int i = 3; i < 10; ++i) ch.Send(i);
  Watched blocked([&] { ch.Send(10); });
  ASSERT_TRUE(blocked.Blocks(WaitReason::kChanSend));
  EXPECT_EQ(ch.Len(), 10);
  ch.Recv();
  EXPECT_EQ(ch.Len(), 10);
  EXPECT_TRUE(blocked.Ends());
}

GYRE_TEST(Chan, BC_03_OrderAcrossTheRing) {
  Chan<int> ch = MakeChan<int>(3);
  int in = 0, out = 0;
  for (int burst = 0; burst < 1000; ++burst) {
    for (int i = 0; i <= burst % 3; ++i) ch.Send(in++);
    for (int i = 0; i <= burst % 3; ++i) ASSERT_EQ(ch.Recv(), out++);
  }
}

GYRE_TEST(Chan, BC_04_WaitingReceiverGetsTheValueDirectly) {
  Chan<int> ch = MakeChan<int>(4);
  int got = 0;
  Watched receiver([&] { got = ch.Recv(); });
  ASSERT_TRUE(receiver.Blocks(WaitReason::kChanReceive));
  ch.Send(5);
  EXPECT_EQ(ch.Len(), 0);
  EXPECT_TRUE(receiver.Ends());
  EXPECT_EQ(got, 5);
}

GYRE_TEST(Chan, BC_05_ReceiveMakesRoomForAWaitingSender) {
  Chan<int> ch = MakeChan<int>(2);
  ch.Send(1);
  ch.Send(2);
  Watched sender([&] { ch.Send(3); });
  ASSERT_TRUE(sender.Blocks(WaitReason::kChanSend));
  EXPECT_EQ(ch.Recv(), 1);
  EXPECT_EQ(ch.Len(), 2);
  EXPECT_TRUE(sender.Ends());
  EXPECT_EQ(ch.Recv(), 2);
  EXPECT_EQ(ch.Recv(), 3);
  EXPECT_EQ(ch.Len(), 0);
}

GYRE_TEST(Chan, BC_06_ImpossibleCapacities) {
  for (int64_t cap :
       {int64_t{-1}, int64_t{1} << 59, std::numeric_limits<int64_t>::max(), std::numeric_limits<int64_t>::min()}) {
    EXPECT_EQ(PanicText<RuntimeError>([&] { MakeChan<int64_t>(cap); }), "makechan: size out of range") << cap;
  }
}

GYRE_TEST(Chan, BC_07_CapacityLimitsConcurrency) {
  constexpr int kLimit = 3;
  Chan<Unit> permits = MakeChan<Unit>(kLimit);
  std::atomic<int> inside{0}, most{0};
  std::deque<Watched> tasks;
  for (int i = 0; i < 100; ++i) {
    tasks.emplace_back([&] {
      permits.Send({});
      const int now = ++inside;
      for (int m = most; m < now && !most.compare_exchange_weak(m, now);) {
      }
      // Until the limit was once reached, stay.
      while (most < kLimit) Yield();
      Yield();
      --inside;
      permits.Recv();
    });
  }
  for (Watched& task : tasks) ASSERT_TRUE(task.Ends());
  EXPECT_EQ(most, kLimit);
}

GYRE_TEST(Chan, BC_07_ReceiveHappensBeforeTheSendThatReusesItsPlace) {
  constexpr int kCap = 2;
  Chan<int> ch = MakeChan<int>(kCap);
  const int n = Scaled(1000);
  std::vector<int> written_by_receiver(n, 0);
  Watched sender([&] {
    for (int i = 0; i < n; ++i) {
      ch.Send(i);
      if (i >= kCap) {
        EXPECT_EQ(written_by_receiver[i - kCap], 1);
      }
    }
  });
  for (int i = 0; i < n; ++i) {
    written_by_receiver[i] = 1;
    ASSERT_EQ(ch.Recv(), i);
  }
  EXPECT_TRUE(sender.Ends());
}

GYRE_TEST(Chan, BC_08_ReceivedPlacesHoldNothing) {
  Chan<std::shared_ptr<int>> ch = MakeChan<std::shared_ptr<int>>(4);
  auto value = std::make_shared<int>(1);
  for (int i = 0; i < 4; ++i) ch.Send(value);
  EXPECT_EQ(value.use_count(), 5);
  for (int i = 0; i < 3; ++i) ch.Recv();
  EXPECT_EQ(value.use_count(), 2);
  Select(ch.OnRecv([] {}), Default());
  EXPECT_EQ(value.use_count(), 1);
}

GYRE_TEST_SMALL(Chan, BC_09_ManyElementsThroughACapacityOf128) {
  Chan<int> ch = MakeChan<int>(128);
  const int n = Scaled(200000);
  Watched producer([&] {
    for (int i = 0; i < n; ++i) ch.Send(i);
    ch.Close();
  });
  int next = 0;
  for (int v : ch) ASSERT_EQ(v, next++);
  EXPECT_EQ(next, n);
  EXPECT_TRUE(producer.Ends());
}

}  // namespace
}  // namespace gyre
