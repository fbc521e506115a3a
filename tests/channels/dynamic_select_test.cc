// SelectDynamic: row SE-14 of the conformance catalogue.
#include <algorithm>
#include <memory>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "channels/chan.h"
#include "channels/dynamic_select.h"
#include "runtime/panic.h"
#include "tests/channels/watched.h"

namespace gyre {
namespace {

using testing::PanicText;
using testing::RunAbandoning;
using testing::Watched;

GYRE_TEST(DynamicSelect, SE_14_ThreeHundredCases) {
  constexpr int kCases = 300;
  std::vector<Chan<int>> c(kCases);
  std::vector<SelectCase> cases;
  int last = -1;
  for (auto& ch : c) {
    ch = MakeChan<int>();
    cases.push_back(ch.OnRecv([&](int v) { last = v; }));
  }
  std::vector<int> order(kCases);
  std::iota(order.begin(), order.end(), 0);
  std::shuffle(order.begin(), order.end(), std::minstd_rand(1));
  Watched firing([&] {
    for (int i : order) c[i].Send(i);
  });
  for (int i : order) {
    ASSERT_EQ(SelectDynamic(absl::MakeSpan(cases)), i);
    ASSERT_EQ(last, i);
  }
  EXPECT_TRUE(firing.Ends());
}

GYRE_TEST_SMALL(DynamicSelect, SE_14_TheMostCases) {
  Chan<int> idle = MakeChan<int>(), ready = MakeChan<int>(1);
  std::vector<SelectCase> cases(SelectCase::kMaxCases);
  for (size_t i = 0; i < cases.size(); i += 1000) cases[i] = idle.OnRecv([] {});
  cases.back() = ready.OnRecv([] {});
  ready.Send(1);
  EXPECT_EQ(SelectDynamic(absl::MakeSpan(cases)), SelectCase::kMaxCases - 1);
  cases.emplace_back();
  EXPECT_EQ(PanicText<PanicError>([&] { SelectDynamic(absl::MakeSpan(cases)); }),
            "SelectDynamic: 65537 cases; the most is 65536");
}

GYRE_TEST(DynamicSelect, AllKindsOfCases) {
  Chan<std::string> texts = MakeChan<std::string>(1);
  Chan<std::unique_ptr<int>> numbers = MakeChan<std::unique_ptr<int>>();
  std::string text;
  int sends = 0, defaults = 0;
  std::vector<SelectCase> cases;
  cases.push_back(numbers.OnRecv([](std::unique_ptr<int>) {}));
  cases.push_back(Default([&] { ++defaults; }));
  cases.push_back(texts.OnSend("one", [&] { ++sends; }));
  cases.emplace_back();
  EXPECT_EQ(SelectDynamic(absl::MakeSpan(cases)), 2);
  EXPECT_EQ(texts.Recv(), "one");
  // Its value is gone, so it is not ready again.
  EXPECT_EQ(SelectDynamic(absl::MakeSpan(cases)), 1);
  cases[2] = texts.OnSend("two", [&] { ++sends; });
  EXPECT_EQ(SelectDynamic(absl::MakeSpan(cases)), 2);
  cases[3] = texts.OnRecv([&](std::string s) { text = s; });
  EXPECT_EQ(SelectDynamic(absl::MakeSpan(cases)), 3);
  EXPECT_EQ(text, "two");
  EXPECT_EQ(sends, 2);
  EXPECT_EQ(defaults, 1);
  cases[0] = Default();
  EXPECT_EQ(PanicText<PanicError>([&] { SelectDynamic(absl::MakeSpan(cases)); }),
            "SelectDynamic: two defaults, cases 0 and 1; there may be one");
}

GYRE_TEST(DynamicSelect, CasesKeepTheirChannels) {
  std::vector<SelectCase> cases;
  int got = 0;
  {
    Chan<int> ch = MakeChan<int>(2);
    ch.Send(5);
    ch.Send(6);
    cases.push_back(ch.OnRecv([&](int v) { got = v; }));
  }
  SelectDynamic(absl::MakeSpan(cases));
  EXPECT_EQ(got, 5);
  SelectDynamic(absl::MakeSpan(cases));
  EXPECT_EQ(got, 6);
}

GYRE_TEST(DynamicSelect, HandlersMayChangeTheCases) {
  Chan<int> closed = MakeChan<int>();
  closed.Close();
  std::vector<SelectCase> cases;
  bool ran = false;
  cases.push_back(closed.OnRecv([&, marker = std::make_unique<int>(3)](int, bool ok) {
    cases.clear();
    cases.push_back(Default());
    ran = !ok && *marker == 3;
  }));
  EXPECT_EQ(SelectDynamic(absl::MakeSpan(cases)), 0);
  EXPECT_TRUE(ran);
}

TEST(DynamicSelect, WithoutLiveCasesItBlocksForEver) {
  RunAbandoning([] {
    static std::vector<SelectCase> none;
    Watched first([] { SelectDynamic(absl::MakeSpan(none)); });
    EXPECT_TRUE(first.Blocks(WaitReason::kSelectNoCases));
  });
}

}  // namespace
}  // namespace gyre
