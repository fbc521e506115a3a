// Many selects at once: rows SE-11, SE-13, SE-15 and RS-01, RS-07 of the conformance catalogue; and threads that are
// not ours.
#include <algorithm>
#include <array>
#include <atomic>
#include <deque>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "channels/chan.h"
#include "channels/select.h"
#include "runtime/core.h"
#include "runtime/panic.h"
#include "tests/channels/counted.h"
#include "tests/channels/watched.h"

namespace gyre {
namespace {

using testing::Counted;
using testing::Eventually;
using testing::Scaled;
using testing::Watched;

GYRE_TEST_SMALL(SelectStress, SE_11_ManySelectsOnACommonChannel) {
  const int n = Scaled(2000);
  constexpr int kWakes = 5;
  Chan<Unit> common = MakeChan<Unit>();
  std::vector<Chan<int>> own(n);
  std::deque<Watched> waiters;
  std::atomic<int64_t> sum{0};
  for (int i = 0; i < n; ++i) {
    own[i] = MakeChan<int>();
    waiters.emplace_back([&, ch = own[i]] {
      for (int k = 0; k < kWakes; ++k) Select(common.OnRecv([] {}), ch.OnRecv([&](int v) { sum += v; }));
      common.Recv();
    });
  }
  for (Watched& waiter : waiters) ASSERT_TRUE(waiter.Blocks(WaitReason::kSelect));
  for (int k = 0; k < kWakes; ++k) {
    for (int i = n - 1; i >= 0; --i) own[i].Send(1);
  }
  common.Close();
  for (Watched& waiter : waiters) ASSERT_TRUE(waiter.Ends());
  EXPECT_EQ(sum, int64_t{kWakes} * n);
}

GYRE_TEST_SMALL(SelectStress, SE_13_EverythingPairsUp) {
  const int n = Scaled(10000);
  const std::array<Chan<int>, 4> c = {MakeChan<int>(), MakeChan<int>(), MakeChan<int>(2), MakeChan<int>(3)};
  std::deque<Watched> all;
  for (const Chan<int>& ch : c) {
    all.emplace_back([=] {
      for (int i = 0; i < n; ++i) ch.Send(0);
    });
    all.emplace_back([=] {
      for (int i = 0; i < n; ++i) ch.Recv();
    });
  }
  all.emplace_back([=, d = c]() mutable {
    std::array<int, 4> times = {};
    const auto used = [&](int i) {
      if (++times[i] == n) d[i] = nullptr;
    };
    for (int i = 0; i < 4 * n; ++i) {
      used(std::array{3, 2, 0, 1}[Select(d[3].OnSend(0), d[2].OnSend(0), d[0].OnSend(0), d[1].OnSend(0))]);
    }
  });
  all.emplace_back([=, d = c]() mutable {
    std::array<int, 4> times = {};
    const auto used = [&](int i) {
      if (++times[i] == n) d[i] = nullptr;
    };
    for (int i = 0; i < 4 * n; ++i) {
      used(Select(d[0].OnRecv([] {}), d[1].OnRecv([] {}), d[2].OnRecv([] {}), d[3].OnRecv([] {})));
    }
  });
  for (Watched& one : all) ASSERT_TRUE(one.Ends());
}

GYRE_TEST(SelectStress, SE_15_RandomSubsetsInRandomOrder) {
  std::vector<Chan<int>> c(8);
  for (size_t i = 0; i < c.size(); ++i) c[i] = MakeChan<int>(static_cast<int64_t>(i % 3));
  const int rounds = Scaled(300);
  std::atomic<int64_t> sent{0}, received{0};
  std::deque<Watched> all;
  Chan<Unit> stop = MakeChan<Unit>();
  for (unsigned seed = 0; seed < 8; ++seed) {
    all.emplace_back([&, seed] {
      std::minstd_rand random(seed + 1);
      const auto any = [&]() -> const Chan<int>& { return c[random() % c.size()]; };
      for (int i = 0; i < rounds; ++i) {
        if (Select(any().OnSend(1), any().OnSend(1), any().OnSend(1), any().OnSend(1)) >= 0) ++sent;
      }
    });
    // Receivers offer all channels, in any order: if they picked too, all could wait on channels that nobody sends to.
    all.emplace_back([&, seed] {
      std::minstd_rand random(seed + 101);
      std::vector<Chan<int>> d = c;
      for (bool stopped = false; !stopped;) {
        const auto count = [&](int v) { received += v; };
        std::shuffle(d.begin(), d.end(), random);
        Select(d[0].OnRecv(count), d[1].OnRecv(count), Default());
        Select(d[2].OnRecv(count), d[0].OnRecv(count), d[6].OnRecv(count), d[7].OnRecv(count), d[4].OnRecv(count),
               stop.OnRecv([&] { stopped = true; }), d[1].OnRecv(count), d[5].OnRecv(count), d[3].OnRecv(count));
      }
      for (const Chan<int>& ch : c) {
        while (ch.TryRecv()) ++received;
      }
    });
  }
  EXPECT_TRUE(Eventually([&] { return sent == int64_t{8} * rounds; })) << sent;
  stop.Close();
  for (Watched& one : all) ASSERT_TRUE(one.Ends());
  EXPECT_EQ(received, sent);
}

GYRE_TEST(SelectStress, ClosingUnderSelectsLosesNothing) {
  Counted::Reset();
  for (int round = 0; round < Scaled(20); ++round) {
    Chan<Counted> a = MakeChan<Counted>(round % 3), b = MakeChan<Counted>(round % 2);
    std::atomic<int> sent{0}, received{0};
    std::deque<Watched> all;
    for (int i = 0; i < 3; ++i) {
      all.emplace_back([&, x = a, y = b]() mutable {
        while (x || y) {
          Select(x.OnRecv([&](std::optional<Counted> v) { v ? (void)++received : (void)(x = nullptr); }),
                 y.OnRecv([&](std::optional<Counted> v) { v ? (void)++received : (void)(y = nullptr); }));
        }
      });
      all.emplace_back([&] {
        for (int k = 0; k < 20; ++k) {
          try {
            Select(a.OnSend(Counted(k)), b.OnSend(Counted(k)));
            ++sent;
          } catch (const RuntimeError& error) {
            ASSERT_STREQ(error.what(), "send on closed channel");
          }
        }
      });
    }
    for (int i = 0; i < round; ++i) Yield();
    a.Close();
    b.Close();
    for (Watched& one : all) ASSERT_TRUE(one.Ends());
    ASSERT_EQ(sent, received);
  }
  EXPECT_TRUE(Eventually([] { return Counted::live() == 0; })) << Counted::live();
}

GYRE_TEST_SMALL(SelectStress, RS_01_ManyGoroutinesOverManyChannels) {
  constexpr int kChannels = 100, kExchanges = 10;
  const int n = Scaled(20000);
  std::vector<Chan<int>> c(kChannels);
  for (auto& ch : c) ch = MakeChan<int>();
  std::atomic<int64_t> sum{0};
  std::atomic<int> done{0};
  for (int i = 0; i < n; ++i) {
    // As many senders as receivers on each channel.
    Go([&, sends = (i / kChannels) % 2 == 0, ch = c[i % kChannels]] {
      for (int k = 1; k <= kExchanges; ++k) {
        if (sends) {
          ch.Send(k);
        } else {
          sum += ch.Recv();
        }
      }
      ++done;
    });
  }
  EXPECT_TRUE(Eventually([&] { return done == n; })) << done << " of " << n;
  EXPECT_EQ(sum, int64_t{n} / 2 * kExchanges * (kExchanges + 1) / 2);
}

GYRE_TEST(SelectStress, RS_07_EachMessageIsSentAndReceivedOnce) {
  constexpr int kMessages = 1000, kReceivers = 10;
  Chan<int> ch = MakeChan<int>(2);
  std::vector<std::atomic<int>> marks(kMessages);
  std::deque<Watched> all;
  for (int i = 0; i < kReceivers; ++i) {
    all.emplace_back([&] {
      for (int m : ch) EXPECT_EQ(marks[m]++, 1);
    });
  }
  for (int m = 0; m < kMessages; ++m) {
    EXPECT_EQ(marks[m]++, 0);
    ch.Send(m);
  }
  ch.Close();
  for (Watched& one : all) ASSERT_TRUE(one.Ends());
  for (auto& mark : marks) ASSERT_EQ(mark, 2);
}

GYRE_TEST_ON_THREADS(SelectStress, ForeignThreadsUseChannels) {
  if (internal::Self()->core->is_virtual()) return;  // a simulation knows no other threads
  const int n = Scaled(500);
  Chan<int> in = MakeChan<int>(3), out = MakeChan<int>(), unused = MakeChan<int>();
  std::thread producer([&] {
    for (int i = 0; i < n; ++i) i % 2 == 0 ? in.Send(i) : (void)Select(unused.OnRecv([] {}), in.OnSend(i));
    in.Close();
  });
  int64_t sum = 0;
  std::atomic<bool> done{false};
  std::thread consumer([&] {
    for (bool open = true; open;) {
      Select(out.OnRecv([&](int v, bool ok) { ok ? (void)(sum += v) : (void)(open = false); }), unused.OnRecv([] {}));
    }
    done = true;
  });
  Watched middle([&] {
    for (int v : in) out.Send(v);
    out.Close();
  });
  EXPECT_TRUE(middle.Ends());
  EXPECT_TRUE(Eventually([&] { return done.load(); }));
  producer.join();
  consumer.join();
  EXPECT_EQ(sum, int64_t{n} * (n - 1) / 2);
}

}  // namespace
}  // namespace gyre
