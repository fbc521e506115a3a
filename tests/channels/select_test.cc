// Select: rows SE of the conformance catalogue.
#include <array>
#include <atomic>
#include <cstdlib>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "channels/chan.h"
#include "channels/select.h"
#include "runtime/panic.h"
#include "tests/channels/watched.h"

namespace gyre {
namespace {

using testing::PanicText;
using testing::RunAbandoning;
using testing::Scaled;
using testing::Watched;

Chan<int> Closed() {
  Chan<int> ch = MakeChan<int>();
  ch.Close();
  return ch;
}

GYRE_TEST_SMALL(Select, SE_01_ReadyCasesHaveTheSameChance) {
  std::array<Chan<int>, 8> c;
  for (auto& ch : c) ch = Closed();
  int chosen[8] = {};
  for (int i = 0; i < 80000; ++i) {
    ++chosen[Select(c[0].OnRecv([] {}), c[1].OnRecv([] {}), c[2].OnRecv([] {}), c[3].OnRecv([] {}), c[4].OnRecv([] {}),
                    c[5].OnRecv([] {}), c[6].OnRecv([] {}), c[7].OnRecv([] {}))];
  }
  for (int n : chosen) EXPECT_NEAR(n, 10000, 500);  // five standard deviations
}

GYRE_TEST_SMALL(Select, SE_02_FairAmongTheReadyOnes) {
  Chan<int> never1 = MakeChan<int>(), never2 = MakeChan<int>(), a = Closed(), b = Closed();
  int chosen[4] = {};
  for (int i = 0; i < 10000; ++i) {
    ++chosen[Select(never1.OnRecv([] {}), a.OnRecv([] {}), never2.OnSend(1), b.OnRecv([] {}))];
  }
  EXPECT_EQ(chosen[0] + chosen[2], 0);
  EXPECT_NEAR(chosen[1], 5000, 500);
}

GYRE_TEST(Select, SE_03_TwoSendsOnOneChannel) {
  for (int cap : {0, 100}) {
    Chan<int> ch = MakeChan<int>(cap);
    Watched sender([&] {
      for (int i = 0; i < 100; ++i) Select(ch.OnSend(0), ch.OnSend(1));
    });
    int ones = 0;
    for (int i = 0; i < 100; ++i) ones += ch.Recv();
    EXPECT_GT(ones, 10);
    EXPECT_LT(ones, 90);
    EXPECT_TRUE(sender.Ends());
  }
}

GYRE_TEST(Select, SE_04_DefaultOnlyIfNothingIsReady) {
  Chan<int> empty = MakeChan<int>(1), full = MakeChan<int>(1), meeting = MakeChan<int>();
  full.Send(1);
  int defaults = 0;
  const auto otherwise = [&] { ++defaults; };
  EXPECT_EQ(Select(Default(otherwise)), 0);
  EXPECT_EQ(Select(empty.OnRecv([] {}), Default(otherwise)), 1);
  EXPECT_EQ(Select(Default(otherwise), full.OnSend(2)), 0);
  EXPECT_EQ(Select(empty.OnRecv([] {}), Default(otherwise), full.OnSend(2), meeting.OnRecv([] {}), meeting.OnSend(1)),
            1);
  EXPECT_EQ(defaults, 4);
  int got = 0;
  EXPECT_EQ(Select(empty.OnRecv([] {}), Default(otherwise), full.OnRecv([&](int v) { got = v; })), 2);
  EXPECT_EQ(got, 1);
  EXPECT_EQ(Select(Default(otherwise), full.OnSend(7)), 1);
  EXPECT_EQ(Select(Default(otherwise), full.OnRecv([&](int v) { got = v; })), 1);
  EXPECT_EQ(got, 7);
  EXPECT_EQ(defaults, 4);
}

TEST(Select, SE_05_WithoutCasesItBlocksForEver) {
  RunAbandoning([] {
    Watched blocked([] { Select(); });
    EXPECT_TRUE(blocked.Blocks(WaitReason::kSelectNoCases));
    EXPECT_STREQ(WaitReasonName(WaitReason::kSelectNoCases), "select (no cases)");
  });
}

GYRE_TEST_SMALL(Select, SE_06_TheChanceIsPerCase) {
  Chan<int> c = Closed(), d = Closed();
  int of_d = 0;
  for (int i = 0; i < 30000; ++i) of_d += Select(c.OnRecv([] {}), c.OnRecv([] {}), d.OnRecv([] {})) == 2;
  EXPECT_NEAR(of_d, 10000, 600);
}

GYRE_TEST(Select, SE_07_OnlyTheChosenHandlerRunsAndAfterTheReceive) {
  Chan<int> a, b = MakeChan<int>(1);
  b.Send(9);
  int calls = 0;
  std::map<int, int> m;
  const auto f = [&] {
    ++calls;
    EXPECT_EQ(b.Len(), 0);
    return 3;
  };
  Select(a.OnRecv([&](int v) { m[f()] = v; }), b.OnRecv([&](int v) { m[f() + 1] = v; }));
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(m, (std::map<int, int>{{4, 9}}));
}

GYRE_TEST(Select, SE_08_AHandlersReturnLeavesOnlyTheSelect) {
  Chan<int> ch = Closed(), nil;
  int after = 0;
  Select(ch.OnRecv([] { return; }));
  ++after;
  Select(ch.OnRecv([] { return; }), Default());
  ++after;
  Select(ch.OnRecv([] { return; }), nil.OnRecv([] {}), nil.OnSend(1));
  ++after;
  EXPECT_EQ(after, 3);
}

// One select in each of the forms: alone, with a default, among others, among others with a default. `make` makes the
// case that is tried; the result is whether it was chosen.
template <typename Make>
std::vector<bool> InAllForms(Make make, bool may_block) {
  Chan<int> nil, idle = MakeChan<int>();
  std::vector<bool> chosen;
  chosen.push_back(Select(make(), Default()) == 0);
  chosen.push_back(Select(idle.OnRecv([] {}), make(), Default()) == 1);
  chosen.push_back(Select(idle.OnRecv([] {}), nil.OnRecv([] {}), nil.OnSend(1), idle.OnSend(1, [] {}), Default(),
                          make(), idle.OnRecv([] {}), nil.OnSend(2), idle.OnRecv([](int, bool) {})) == 5);
  if (may_block) {
    chosen.push_back(Select(make()) == 0);
    chosen.push_back(Select(idle.OnRecv([] {}), make()) == 1);
    chosen.push_back(Select(make(), nil.OnSend(1), idle.OnRecv([] {})) == 0);
  }
  return chosen;
}

GYRE_TEST(Select, SE_09_ShortFormsBehaveAsTheGeneralOne) {
  const std::vector<bool> all(6, true), none(3, false);
  Chan<int> nil, idle = MakeChan<int>(), closed = Closed(), full = MakeChan<int>(10), roomy = MakeChan<int>(20);
  for (int i = 0; i < 10; ++i) full.Send(i);
  EXPECT_EQ(InAllForms([&] { return nil.OnRecv([] {}); }, false), none);
  EXPECT_EQ(InAllForms([&] { return nil.OnSend(1); }, false), none);
  EXPECT_EQ(InAllForms([&] { return idle.OnRecv([] {}); }, false), none);
  EXPECT_EQ(InAllForms([&] { return idle.OnSend(1); }, false), none);
  EXPECT_EQ(InAllForms([&] { return full.OnSend(1); }, false), none);
  EXPECT_EQ(InAllForms([&] { return closed.OnRecv([](int v, bool ok) { EXPECT_TRUE(v == 0 && !ok); }); }, true), all);
  EXPECT_EQ(InAllForms([&] { return roomy.OnSend(1); }, true), all);
  int next = 0;
  EXPECT_EQ(InAllForms([&] { return full.OnRecv([&](int v, bool ok) { EXPECT_TRUE(ok && v == next++); }); }, true),
            all);
  EXPECT_EQ(next, 6);
}

GYRE_TEST(Select, SE_10_DiscardingReceiversAgainstAllSenders) {
  Chan<int> idle = MakeChan<int>();
  const std::vector<std::function<void(Chan<int>)>> receivers = {
      [](Chan<int> ch) { ch.Recv(); },
      [](Chan<int> ch) { Select(ch.OnRecv([] {})); },
      [idle](Chan<int> ch) { Select(ch.OnRecv([] {}), idle.OnRecv([] {})); },
  };
  const std::vector<std::function<void(Chan<int>)>> senders = {
      [](Chan<int> ch) { ch.Send(1); },
      [](Chan<int> ch) { Select(ch.OnSend(1)); },
      [idle](Chan<int> ch) { Select(idle.OnRecv([] {}), ch.OnSend(1)); },
  };
  for (const auto& receive : receivers) {
    for (const auto& send : senders) {
      Chan<int> ch = MakeChan<int>();
      Watched sender([&] { send(ch); });
      receive(ch);
      ASSERT_TRUE(sender.Ends());
      Watched receiver([&] { receive(ch); });
      send(ch);
      ASSERT_TRUE(receiver.Ends());
    }
  }
}

GYRE_TEST(Select, ExceptionsOfHandlersLeaveEverythingInOrder) {
  Chan<int> a = MakeChan<int>(1), b = MakeChan<int>(1);
  a.Send(1);
  EXPECT_EQ(PanicText<std::runtime_error>(
                [&] { Select(a.OnRecv([] { throw std::runtime_error("mine"); }), b.OnRecv([] {})); }),
            "mine");
  EXPECT_EQ(a.Len(), 0);
  EXPECT_TRUE(a.TrySend(2) && b.TrySend(3));
}

GYRE_TEST(Select, HandlersMayUseTheChannels) {
  Chan<int> a = MakeChan<int>(1), b = MakeChan<int>(1);
  a.Send(1);
  int got = 0;
  Select(a.OnRecv([&](int v) {
    a.Send(v + 1);
    Select(a.OnRecv([&](int w) { got = w; }), b.OnRecv([] {}));
  }),
         b.OnRecv([] {}));
  EXPECT_EQ(got, 2);
}

GYRE_TEST(Select, TemporaryChannelsLiveAsLongAsTheirCase) {
  const auto make = [](int v) {
    Chan<int> ch = MakeChan<int>(1);
    ch.Send(v);
    return RecvChan<int>(ch);
  };
  int got = 0;
  auto kept = make(5).OnRecv([&](int v) { got = v; });
  EXPECT_EQ(Select(std::move(kept), Chan<int>().OnRecv([] {})), 0);
  EXPECT_EQ(got, 5);
  EXPECT_EQ(Select(Chan<int>().OnRecv([] {}), make(6).OnRecv([&](int v) { got = v; })), 1);
  EXPECT_EQ(got, 6);
}

GYRE_TEST(Select, BothDirectionsOfOneChannel) {
  Chan<int> ch = MakeChan<int>();
  int sent = 0, received = 0;
  Watched both([&] {
    for (int i = 0; i < 100; ++i) Select(ch.OnSend(i, [&] { ++sent; }), ch.OnRecv([&] { ++received; }));
  });
  for (int i = 0; i < 100; ++i) Select(ch.OnSend(i), ch.OnRecv([] {}));
  EXPECT_TRUE(both.Ends());
  EXPECT_EQ(sent + received, 100);
}

GYRE_TEST(Select, MoveOnlyElements) {
  Chan<std::unique_ptr<std::string>> a = MakeChan<std::unique_ptr<std::string>>(),
                                     b = MakeChan<std::unique_ptr<std::string>>(1);
  Watched sender([&] {
    for (int i = 0; i < 20; ++i) {
      Select(a.OnSend(std::make_unique<std::string>("a")), b.OnSend(std::make_unique<std::string>("b")));
    }
  });
  int got = 0;
  for (int i = 0; i < 20; ++i) {
    Select(a.OnRecv([&](std::unique_ptr<std::string> s) { got += *s == "a"; }),
           b.OnRecv([&](std::unique_ptr<std::string> s, bool ok) { got += ok && *s == "b"; }));
  }
  EXPECT_EQ(got, 20);
  EXPECT_TRUE(sender.Ends());
}

}  // namespace
}  // namespace gyre
