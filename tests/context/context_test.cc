// What contexts are: values, names, deadlines, their ends and causes.
#include "context/context.h"

#include <gtest/gtest.h>

#include <concepts>
#include <functional>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "runtime/go.h"
#include "runtime/panic.h"
#include "runtime/park.h"
#include "tests/context/custom.h"
#include "tests/testing/runtime_test.h"

namespace gyre {
namespace {

using context::AfterFunc;
using context::Background;
using context::Canceled;
using context::Cause;
using context::Context;
using context::DeadlineExceeded;
using context::TODO;
using context::WithCancel;
using context::WithCancelCause;
using context::WithDeadline;
using context::WithDeadlineCause;
using context::WithoutCancel;
using context::WithTimeout;
using context::WithTimeoutCause;
using context::WithValue;
using testing::MakeCustom;
using testing::Wrapped;

bool IsDone(const Context& ctx) {
  Unit unit;
  bool ok;
  return ctx.Done() && ctx.Done().TryRecv(unit, ok);
}

void ExpectPanic(const std::function<void()>& f, const std::string& text) {
  try {
    f();
    ADD_FAILURE() << "no panic";
  } catch (const PanicError& panic) {
    EXPECT_EQ(panic.what(), text);
  }
}

GYRE_TEST(Context, CX_01_BackgroundAndTODO) {
  for (const Context& ctx : {Background(), TODO()}) {
    EXPECT_EQ(ctx.Done(), nullptr);
    EXPECT_EQ(ctx.Err(), nullptr);
    EXPECT_FALSE(ctx.Deadline().has_value());
    EXPECT_FALSE(ctx.Value("key").has_value());
    EXPECT_EQ(Cause(ctx), nullptr);
  }
  EXPECT_EQ(Background().String(), "context.Background");
  EXPECT_EQ(TODO().String(), "context.TODO");
  EXPECT_EQ(Background(), Background());
  EXPECT_FALSE(Background() == TODO());
}

GYRE_TEST(Context, CX_02_ErrorTexts) {
  EXPECT_EQ(Canceled->Error(), "context canceled");
  EXPECT_FALSE(Canceled->Timeout());
  EXPECT_FALSE(Canceled->Temporary());
  EXPECT_EQ(DeadlineExceeded->Error(), "context deadline exceeded");
  EXPECT_TRUE(DeadlineExceeded->Timeout());
  EXPECT_TRUE(DeadlineExceeded->Temporary());
  EXPECT_NE(NewError("same"), NewError("same"));
  EXPECT_EQ(NewError("text")->Error(), "text");
}

GYRE_TEST(Context, CX_07_UnderACancelledParent) {
  auto [parent, cancel] = WithCancelCause(Background());
  const Error because = NewError("Because!");
  cancel(because);
  auto [child, cancel_child] = WithCancel(parent);
  EXPECT_TRUE(IsDone(child));
  EXPECT_EQ(child.Err(), Canceled);
  EXPECT_EQ(Cause(child), because);
  auto [late, cancel_late] = WithTimeout(parent, absl::Hours(1));
  EXPECT_TRUE(IsDone(late));
  EXPECT_EQ(late.Err(), Canceled);
}

GYRE_TEST(Context, CX_08_DeadlineInThePast) {
  auto [ctx, cancel] = WithDeadline(Background(), Now() - absl::Nanoseconds(1));
  EXPECT_TRUE(IsDone(ctx));
  EXPECT_EQ(ctx.Err(), DeadlineExceeded);
  cancel();
  EXPECT_EQ(ctx.Err(), DeadlineExceeded);
  auto [never, cancel_never] = WithTimeout(Background(), absl::ZeroDuration());
  EXPECT_EQ(never.Err(), DeadlineExceeded);
}

GYRE_TEST(Context, CX_09_TimeoutEndsAtOrAfterItsTime) {
  auto expect_timeout = [](const Context& ctx, Nanos start) {
    ctx.Done().Recv();
    EXPECT_GE(NowNanos() - start, 1'000'000);
    EXPECT_EQ(ctx.Err(), DeadlineExceeded);
    EXPECT_EQ(Cause(ctx), DeadlineExceeded);
  };
  {
    const Nanos start = NowNanos();
    auto [ctx, cancel] = WithTimeout(Background(), absl::Milliseconds(1));
    ASSERT_TRUE(ctx.Deadline().has_value());
    expect_timeout(ctx, start);
  }
  {
    const Nanos start = NowNanos();
    auto [ctx, cancel] = WithTimeout(Background(), absl::Milliseconds(1));
    expect_timeout(MakeCustom<Wrapped>(ctx).first, start);
  }
  {
    const Nanos start = NowNanos();
    auto [parent, cancel] = WithTimeout(Background(), absl::Milliseconds(1));
    auto [child, cancel_child] = WithTimeout(MakeCustom<Wrapped>(parent).first, absl::Hours(1));
    expect_timeout(child, start);
  }
}

GYRE_TEST(Context, CX_10_LaterDeadlineThanTheParents) {
  auto [parent, cancel] = WithTimeout(Background(), absl::Hours(1));
  auto [child, cancel_child] = WithTimeout(parent, absl::Hours(2));
  EXPECT_EQ(child.Deadline(), parent.Deadline());
  EXPECT_TRUE(absl::EndsWith(child.String(), ".WithCancel")) << child.String();
  auto [sooner, cancel_sooner] = WithTimeout(parent, absl::Minutes(1));
  EXPECT_LT(*sooner.Deadline(), *parent.Deadline());
  cancel();
}

GYRE_TEST(Context, CX_11_CancelledBeforeItsTime) {
  auto [ctx, cancel] = WithTimeout(Background(), absl::Hours(1));
  cancel();
  EXPECT_TRUE(IsDone(ctx));
  EXPECT_EQ(ctx.Err(), Canceled);
}

struct Key1 {
  int n;
  bool operator==(const Key1&) const = default;
  std::string String() const { return "k1"; }
};
struct Key2 {
  int n;
  bool operator==(const Key2&) const = default;
};
struct NotComparable {};

template <typename Key>
concept UsableAsKey = requires(Key key) {
  WithValue(Background(), key, 1);
};
static_assert(UsableAsKey<Key1>);
static_assert(!UsableAsKey<NotComparable>);  // CX-13's "key is not comparable", when it is compiled

GYRE_TEST(Context, CX_12_Values) {
  const Key1 k1{1};
  const Key2 k2{1};  // the same content as k1
  const Key2 k3{3};
  auto text = [](const Context& ctx, auto key) -> std::string {
    const std::string* value = ctx.ValueAs<std::string>(key);
    return value != nullptr ? *value : "-";
  };
  auto expect = [&](const Context& ctx, const std::string& v1, const std::string& v2, const std::string& v3) {
    EXPECT_EQ(text(ctx, k1), v1) << ctx.String();
    EXPECT_EQ(text(ctx, k2), v2) << ctx.String();
    EXPECT_EQ(text(ctx, k3), v3) << ctx.String();
  };
  const Context c0 = Background();
  expect(c0, "-", "-", "-");
  const Context c1 = WithValue(c0, k1, "c1k1");
  expect(c1, "c1k1", "-", "-");
  const Context c2 = WithValue(c1, k2, "c2k2");
  expect(c2, "c1k1", "c2k2", "-");
  const Context c3 = WithValue(c2, k3, "c3k3");
  expect(c3, "c1k1", "c2k2", "c3k3");
  const Context c4 = WithValue(c3, k1, nullptr);
  expect(c4, "-", "c2k2", "c3k3");
  EXPECT_FALSE(c4.Value(k1).has_value());
  const Context o0 = MakeCustom<Wrapped>(Background()).first;
  expect(o0, "-", "-", "-");
  const Context o1 = MakeCustom<Wrapped>(WithValue(Background(), k1, "c1k1")).first;
  expect(o1, "c1k1", "-", "-");
  const Context o2 = WithValue(o1, k2, "o2k2");
  expect(o2, "c1k1", "o2k2", "-");
  const Context o4 = WithValue(MakeCustom<Wrapped>(c4).first, k3, "o4k3");
  expect(o4, "-", "c2k2", "o4k3");
}

GYRE_TEST(Context, CX_12_TextsAndOtherTypesOfValue) {
  std::string key = "user";
  const Context ctx = WithValue(WithValue(Background(), key.c_str(), 12345), "name", std::string("Ada"));
  key = "other";
  EXPECT_EQ(*ctx.ValueAs<int>("user"), 12345);
  EXPECT_EQ(*ctx.ValueAs<int>(std::string("user")), 12345);
  EXPECT_EQ(ctx.ValueAs<double>("user"), nullptr);
  EXPECT_EQ(*ctx.ValueAs<std::string>("name"), "Ada");
  EXPECT_FALSE(ctx.Value("other").has_value());
  const char* none = nullptr;
  EXPECT_FALSE(WithValue(ctx, "user", none).Value("user").has_value());
}

GYRE_TEST(Context, CX_13_InvalidArguments) {
  constexpr char kNilParent[] = "cannot create context from nil parent";
  const Context nil;
  ExpectPanic([] { WithValue(Background(), nullptr, "value"); }, "nil key");
  const char* null_text = nullptr;
  ExpectPanic([&] { WithValue(Background(), null_text, "value"); }, "nil key");
  ExpectPanic([&] { WithCancel(nil); }, kNilParent);
  ExpectPanic([&] { WithCancelCause(nil); }, kNilParent);
  ExpectPanic([&] { WithDeadline(nil, Now() + absl::Hours(1)); }, kNilParent);
  ExpectPanic([&] { WithDeadlineCause(nil, Now(), nullptr); }, kNilParent);
  ExpectPanic([&] { WithTimeout(nil, absl::Hours(1)); }, kNilParent);
  ExpectPanic([&] { WithTimeoutCause(nil, absl::Hours(1), nullptr); }, kNilParent);
  ExpectPanic([&] { WithValue(nil, 1, 2); }, kNilParent);
  ExpectPanic([&] { WithoutCancel(nil); }, kNilParent);
  ExpectPanic([&] { AfterFunc(nil, [] {}); }, kNilParent);
  EXPECT_THROW(nil.Err(), RuntimeError);
}

GYRE_TEST(Context, CX_14_Names) {
  auto [ctx, cancel] = WithCancel(Background());
  EXPECT_EQ(ctx.String(), "context.Background.WithCancel");
  EXPECT_EQ(WithValue(ctx, Key1{1}, "c1k1").String(), "context.Background.WithCancel.WithValue(k1, c1k1)");
  EXPECT_EQ(WithValue(Background(), "a", nullptr).String(), "context.Background.WithValue(a, <nil>)");
  EXPECT_EQ(WithValue(TODO(), 1, 2.0).String(), "context.TODO.WithValue(int, double)");
  EXPECT_EQ(WithoutCancel(Background()).String(), "context.Background.WithoutCancel");
  auto [late, cancel_late] = WithTimeout(Background(), absl::Hours(1));
  EXPECT_TRUE(absl::StartsWith(late.String(), "context.Background.WithDeadline(")) << late.String();
  EXPECT_TRUE(absl::EndsWith(late.String(), "])")) << late.String();
  cancel_late();
  auto [under, cancel_under] = WithCancel(MakeCustom<Wrapped>(Background()).first);
  EXPECT_EQ(under.String(), "gyre::testing::Wrapped.WithCancel");
}

GYRE_TEST(Context, CX_15_CauseDefaultsToErr) {
  auto [ctx, cancel] = WithCancel(Background());
  EXPECT_EQ(Cause(ctx), nullptr);
  cancel();
  EXPECT_EQ(Cause(ctx), Canceled);
  auto [other, cancel_other] = WithCancelCause(Background());
  cancel_other(nullptr);
  EXPECT_EQ(other.Err(), Canceled);
  EXPECT_EQ(Cause(other), Canceled);
  cancel_other(NewError("too late"));
  EXPECT_EQ(Cause(other), Canceled);
}

GYRE_TEST(Context, CX_16_CauseThroughValues) {
  auto [ctx, cancel] = WithCancelCause(Background());
  const Context value = WithValue(ctx, "key", 1);
  const Context wrapped = MakeCustom<Wrapped>(value).first;
  const Error why = NewError("why");
  cancel(why);
  EXPECT_EQ(Cause(value), why);
  EXPECT_EQ(Cause(wrapped), why);
  EXPECT_EQ(wrapped.Err(), Canceled);
}

GYRE_TEST(Context, CX_17_TimeoutCause) {
  const Error too_slow = NewError("too slow");
  auto [ctx, cancel] = WithTimeoutCause(Background(), absl::ZeroDuration(), too_slow);
  EXPECT_EQ(ctx.Err(), DeadlineExceeded);
  EXPECT_EQ(Cause(ctx), too_slow);
  cancel();
  EXPECT_EQ(Cause(ctx), too_slow);
  auto [late, cancel_late] = WithTimeoutCause(Background(), absl::Hours(1), too_slow);
  cancel_late();
  EXPECT_EQ(late.Err(), Canceled);
  EXPECT_EQ(Cause(late), Canceled);
  auto [soon, cancel_soon] = WithTimeoutCause(Background(), absl::Milliseconds(1), too_slow);
  soon.Done().Recv();
  EXPECT_EQ(soon.Err(), DeadlineExceeded);
  EXPECT_EQ(Cause(soon), too_slow);
}

GYRE_TEST(Context, CX_18_ParentsDeadlineFirst) {
  const Error a = NewError("a"), b = NewError("b");
  auto [parent, cancel] = WithTimeoutCause(Background(), absl::Milliseconds(2), a);
  auto [child, cancel_child] = WithTimeoutCause(parent, absl::Hours(1), b);
  child.Done().Recv();
  EXPECT_EQ(child.Err(), DeadlineExceeded);
  EXPECT_EQ(Cause(child), a);
}

GYRE_TEST(Context, CX_19_WithoutCancel) {
  auto [parent, cancel] = WithCancelCause(WithValue(Background(), "key", 7));
  cancel(NewError("over"));
  const Context ctx = WithoutCancel(parent);
  EXPECT_EQ(ctx.Done(), nullptr);
  EXPECT_EQ(ctx.Err(), nullptr);
  EXPECT_EQ(Cause(ctx), nullptr);
  EXPECT_FALSE(ctx.Deadline().has_value());
  EXPECT_EQ(*ctx.ValueAs<int>("key"), 7);
  auto [child, cancel_child] = WithCancel(WithValue(ctx, "other", 1));
  EXPECT_FALSE(IsDone(child));
  cancel_child();
  EXPECT_EQ(child.Err(), Canceled);
  EXPECT_EQ(Cause(child), Canceled);
}

GYRE_TEST(Context, RunShowsTheDeadlineToPolicies) {
  const Nanos before = internal::SetTaskDeadline(kNever);
  auto deadline = [] {
    const Nanos now = internal::SetTaskDeadline(kNever);
    internal::SetTaskDeadline(now);
    return now;
  };
  auto [outer, cancel_outer] = WithTimeout(Background(), absl::Hours(1));
  auto [inner, cancel_inner] = WithTimeout(outer, absl::Minutes(1));
  const int result = context::Run(inner, [&, &outer = outer] {
    const Nanos soon = deadline();
    EXPECT_NE(soon, kNever);
    EXPECT_GT(soon, NowNanos());
    context::Run(outer, [&] { EXPECT_EQ(deadline(), soon) << "a later one does not put it off"; });
    context::Run(Background(), [&] { EXPECT_EQ(deadline(), soon); });
    EXPECT_EQ(deadline(), soon);
    return 5;
  });
  EXPECT_EQ(result, 5);
  EXPECT_EQ(deadline(), kNever);
  internal::SetTaskDeadline(before);
  cancel_outer();
}

// Neither looking something up nor taking it down costs stack.
GYRE_TEST_SMALL(Context, ALongChain) {
  const int length = testing::Scaled(100000);
  Context ctx = WithValue(Background(), "first", 1);
  std::vector<context::CancelFunc> cancels;
  for (int i = 0; i < length; ++i) {
    if (i % 10 == 0) {
      auto [next, cancel] = WithCancel(ctx);
      ctx = next;
      if (i == 0) cancels.push_back(cancel);
    } else if (i % 10 == 5) {
      ctx = MakeCustom<Wrapped>(ctx).first;
    } else {
      ctx = WithValue(ctx, "key", i);
    }
  }
  EXPECT_EQ(*ctx.ValueAs<int>("key"), length - 1);
  EXPECT_FALSE(IsDone(ctx));
  cancels[0]();
  EXPECT_TRUE(IsDone(ctx));
}

}  // namespace
}  // namespace gyre
