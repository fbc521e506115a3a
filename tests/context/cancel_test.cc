// How a cancellation spreads, and what it takes along.
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "channels/select.h"
#include "context/cancel_state.h"
#include "context/context.h"
#include "runtime/go.h"
#include "sync/wait_group.h"
#include "tests/context/custom.h"
#include "tests/sync/waiting.h"
#include "tests/testing/runtime_test.h"

namespace gyre {
namespace {

using context::AfterFunc;
using context::Background;
using context::Canceled;
using context::CancelFunc;
using context::Cause;
using context::Context;
using context::DeadlineExceeded;
using context::WithCancel;
using context::WithCancelCause;
using context::WithTimeout;
using context::WithValue;
using testing::Eventually;
using testing::MakeCustom;
using testing::OwnDone;
using testing::OwnDoneWithAfterFunc;
using testing::Scaled;
using testing::Wrapped;

bool IsDone(const Context& ctx) {
  Unit unit;
  bool ok;
  return ctx.Done().TryRecv(unit, ok);
}

size_t Children(const Context& ctx) {
  return internal::CancelState::Of(ctx.impl())->ChildCount();
}

GYRE_TEST(ContextCancel, CX_03_AllDescendantsAreDoneWhenCancelReturns) {
  auto [root, cancel] = WithCancel(Background());
  std::vector<Context> all;
  for (int i = 0; i < 50; ++i) {
    Context parent = root;
    if (i % 3 == 1) parent = WithValue(parent, "i", i);
    if (i % 3 == 2) parent = MakeCustom<Wrapped>(parent).first;
    auto [child, cancel_child] = WithCancel(parent);
    auto [grandchild, cancel_grandchild] = WithTimeout(WithValue(child, "j", i), absl::Hours(1));
    all.push_back(child);
    all.push_back(grandchild);
    if (i % 2 == 0) all.push_back(MakeCustom<Wrapped>(grandchild).first);
  }
  for (const Context& ctx : all) {
    EXPECT_FALSE(IsDone(ctx));
    EXPECT_EQ(ctx.Err(), nullptr);
  }
  cancel();
  for (const Context& ctx : all) {
    EXPECT_TRUE(IsDone(ctx));
    EXPECT_EQ(ctx.Err(), Canceled);
  }
  cancel();
}

GYRE_TEST(ContextCancel, CX_04_SimultaneousCancels) {
  auto [root, cancel_root] = WithCancel(Background());
  std::vector<std::pair<Context, CancelFunc>> tree{{root, cancel_root}};
  while (tree.size() < 100) tree.push_back(WithCancel(tree[(tree.size() - 1) / 4].first));
  std::vector<size_t> order(tree.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::shuffle(order.begin(), order.end(), std::mt19937(17));
  WaitGroup wg;
  for (size_t i : order) {
    wg.Go([&tree, i] {
      tree[i].second();
      // Whoever was first: when a cancel returns, all below are done.
      for (size_t child = 4 * i + 1; child <= 4 * i + 4 && child < tree.size(); ++child) {
        EXPECT_TRUE(IsDone(tree[child].first));
      }
    });
  }
  for (auto& [ctx, cancel] : tree) ctx.Done().Recv();
  wg.Wait();
}

GYRE_TEST(ContextCancel, CX_05_ChildFinishesFirst) {
  auto [parent, cancel_parent] = WithCancel(Background());
  for (const Context& over : {parent, MakeCustom<Wrapped>(parent).first, WithValue(parent, "key", 1)}) {
    auto [child, cancel] = WithCancel(over);
    EXPECT_EQ(Children(parent), 1u);
    cancel();
    EXPECT_EQ(Children(parent), 0u);
    EXPECT_TRUE(IsDone(child));
    EXPECT_EQ(child.Err(), Canceled);
    EXPECT_EQ(parent.Err(), nullptr);
    EXPECT_FALSE(IsDone(parent));
  }
}

GYRE_TEST(ContextCancel, CX_06_ParentFinishesChildren) {
  auto [parent, cancel] = WithCancel(Background());
  auto [child, cancel_child] = WithCancel(parent);
  auto [timeout, cancel_timeout] = WithTimeout(WithValue(parent, "key", "value"), absl::Hours(1));
  Chan<int> called = MakeChan<int>();
  auto stop = AfterFunc(parent, [called] { called.Send(1); });
  EXPECT_EQ(Children(parent), 3u);
  cancel();
  EXPECT_EQ(Children(parent), 0u);
  EXPECT_EQ(called.Recv(), 1);
  for (const Context& ctx : {parent, child, timeout}) {
    EXPECT_TRUE(IsDone(ctx));
    EXPECT_EQ(ctx.Err(), Canceled);
  }
  EXPECT_FALSE(stop());
}

GYRE_TEST(ContextCancel, CX_20_StopOfAfterFunc) {
  std::atomic<int> calls{0};
  {
    auto [ctx, cancel] = WithCancel(Background());
    auto stop = AfterFunc(ctx, [&] { ++calls; });
    EXPECT_TRUE(stop());
    EXPECT_FALSE(stop());
    EXPECT_EQ(Children(ctx), 0u);
    cancel();
  }
  {
    auto stop = AfterFunc(Background(), [&] { ++calls; });
    EXPECT_TRUE(stop());
    EXPECT_FALSE(stop());
  }
  EXPECT_EQ(calls, 0);
  {
    auto [ctx, cancel] = WithCancel(Background());
    auto stop = AfterFunc(ctx, [&] { ++calls; });
    cancel();
    EXPECT_FALSE(stop());
    ASSERT_TRUE(Eventually([&] { return calls == 1; }));
    auto late = AfterFunc(ctx, [&] { ++calls; });
    EXPECT_FALSE(late());
    ASSERT_TRUE(Eventually([&] { return calls == 2; }));
  }
  {
    auto held = std::make_shared<int>(1);
    auto [ctx, cancel] = WithCancel(Background());
    auto stop = AfterFunc(ctx, [held] {});
    EXPECT_TRUE(stop());
    EXPECT_EQ(held.use_count(), 1) << "a stopped function is let go";
    cancel();
  }
}

GYRE_TEST(ContextCancel, CX_21_CancelDoesNotWaitForFunctions) {
  auto [ctx, cancel] = WithCancel(Background());
  Chan<int> meet = MakeChan<int>();
  AfterFunc(ctx, [meet] { meet.Send(3); });
  cancel();
  EXPECT_EQ(meet.Recv(), 3);
}

void TryLayers(uint32_t seed, bool timeouts) {
  std::mt19937 random(seed);
  Context ctx = Background();
  std::vector<std::pair<int, int>> values;
  std::vector<CancelFunc> cancels;
  int numbers = 0;
  for (int i = 0; i < 40 || cancels.empty(); ++i) {
    switch (random() % 4) {
      case 0: {
        auto [next, cancel] =
            timeouts ? WithTimeout(ctx, absl::Milliseconds(1 + random() % 3)) : WithTimeout(ctx, absl::Hours(1));
        ctx = next;
        cancels.push_back(cancel);
        break;
      }
      case 1: {
        auto [next, cancel] = WithCancel(ctx);
        ctx = next;
        cancels.push_back(cancel);
        break;
      }
      case 2:
        ctx = MakeCustom<Wrapped>(ctx).first;
        break;
      default:
        ctx = WithValue(ctx, numbers, i);
        values.emplace_back(numbers++, i);
    }
  }
  auto check_values = [&] {
    for (auto [key, value] : values) {
      ASSERT_NE(ctx.ValueAs<int>(key), nullptr);
      EXPECT_EQ(*ctx.ValueAs<int>(key), value);
    }
  };
  check_values();
  if (timeouts) {
    if (!ctx.Deadline().has_value()) return;
    ctx.Done().Recv();
    EXPECT_EQ(ctx.Err(), DeadlineExceeded);
  } else {
    EXPECT_FALSE(IsDone(ctx));
    cancels[random() % cancels.size()]();
    EXPECT_TRUE(IsDone(ctx));
    EXPECT_EQ(ctx.Err(), Canceled);
  }
  check_values();
  for (const CancelFunc& cancel : cancels) cancel();
}

GYRE_TEST(ContextCancel, CX_22_Layers) {
  for (uint32_t seed = 1; seed <= 5; ++seed) {
    TryLayers(seed, false);
    TryLayers(seed, true);
  }
}

GYRE_TEST(ContextCancel, CX_23_InterlockedCancels) {
  auto [parent, cancel_parent] = WithCancel(Background());
  auto [child, cancel_child] = WithCancel(parent);
  Go([parent = parent, cancel_child = cancel_child] {
    parent.Done().Recv();
    cancel_child();
  });
  cancel_parent();
  child.Done().Recv();
}

// ---- contexts that are not ours ----

GYRE_TEST(ContextCancel, OtherDoneIsWaitedForByAGoroutine) {
  auto [parent, custom] = MakeCustom<OwnDone>(WithValue(Background(), "key", 1));
  auto [child, cancel] = WithCancel(parent);
  auto [value_child, cancel_value_child] = WithCancel(WithValue(parent, "other", 2));
  auto [ended, cancel_ended] = WithCancel(parent);
  EXPECT_EQ(NumGoroutine(), 4);
  cancel_ended();
  ASSERT_TRUE(Eventually([] { return NumGoroutine() == 3; })) << "its goroutine ends with it";
  const Error why = NewError("own reason");
  custom->End(why);
  child.Done().Recv();
  value_child.Done().Recv();
  EXPECT_EQ(child.Err(), why);
  EXPECT_EQ(value_child.Err(), why);
  EXPECT_EQ(Cause(child), why);
  auto [late, cancel_late] = WithCancel(parent);
  EXPECT_TRUE(IsDone(late));
  EXPECT_EQ(late.Err(), why);
}

GYRE_TEST(ContextCancel, OtherDoneOverOneOfOursIsNotTakenForIt) {
  auto [inner, cancel_inner] = WithCancel(Background());
  auto [parent, custom] = MakeCustom<OwnDone>(inner);
  auto [child, cancel] = WithCancel(parent);
  EXPECT_EQ(Children(inner), 0u);
  cancel_inner();
  EXPECT_FALSE(IsDone(child));
  custom->End(NewError("own"));
  child.Done().Recv();
  EXPECT_EQ(child.Err()->Error(), "own");
}

GYRE_TEST(ContextCancel, AfterFuncOfOthersIsUsed) {
  auto [parent, custom] = MakeCustom<OwnDoneWithAfterFunc>(Background());
  auto [first, cancel_first] = WithCancel(parent);
  auto [second, cancel_second] = WithTimeout(WithValue(parent, "key", 1), absl::Hours(1));
  Chan<int> called = MakeChan<int>(1);
  auto stop = AfterFunc(parent, [called] { called.Send(1); });
  EXPECT_EQ(custom->registered(), 3u);
  EXPECT_EQ(NumGoroutine(), 1);
  cancel_first();
  EXPECT_EQ(custom->registered(), 2u);
  { auto dropped = WithCancel(parent); }
  EXPECT_EQ(custom->registered(), 2u) << "nobody can see the end of a context that is gone";
  const Error why = NewError("own reason");
  custom->End(why);
  EXPECT_EQ(called.Recv(), 1);
  EXPECT_EQ(second.Err(), why);
  EXPECT_EQ(Cause(second), why);
  EXPECT_EQ(first.Err(), Canceled);
}

// ---- contexts that nobody holds ----

GYRE_TEST(ContextCancel, ForgottenContextsLeaveTheirParent) {
  auto [parent, cancel] = WithCancel(Background());
  { auto forgotten = WithCancel(parent); }
  EXPECT_EQ(Children(parent), 0u);
  RecvChan<Unit> done;
  {
    auto [middle, cancel_middle] = WithCancel(parent);
    auto [child, cancel_child] = WithCancel(middle);
    done = child.Done();
  }
  EXPECT_EQ(Children(parent), 1u) << "who waits for Done need not hold the context";
  cancel();
  done.Recv();
}

GYRE_TEST(ContextCancel, TimeoutsHappenThoughNobodyHoldsTheContext) {
  const RecvChan<Unit> done = WithTimeout(Background(), absl::Milliseconds(1)).first.Done();
  done.Recv();
  auto [parent, cancel] = WithCancel(Background());
  const RecvChan<Unit> done_by_parent = WithTimeout(parent, absl::Hours(1)).first.Done();
  cancel();
  done_by_parent.Recv();
}

GYRE_TEST(ContextCancel, TreesWithoutARootAreForgotten) {
  auto held = std::make_shared<int>(1);
  {
    auto [root, cancel] = WithCancel(Background());
    Context ctx = root;
    for (int i = 0; i < Scaled(2000); ++i) {
      ctx = WithCancel(ctx).first;
      ctx.Done();
    }
    AfterFunc(ctx, [held] {});
    EXPECT_EQ(held.use_count(), 2);
  }
  EXPECT_EQ(held.use_count(), 1);
}

// ---- all at once ----

GYRE_TEST(ContextCancel, MakingDroppingAndCancellingAtTheSameTime) {
  for (int round = 0; round < Scaled(20); ++round) {
    auto [root, cancel] = WithCancel(Background());
    std::atomic<int> ended{0};
    WaitGroup wg;
    for (int i = 0; i < 8; ++i) {
      wg.Go([&, root = root, i] {
        Context ctx = root;
        for (int n = 0; n < 10; ++n) {
          auto [child, cancel_child] = n % 3 == 0 ? WithTimeout(ctx, absl::Microseconds(50)) : WithCancel(ctx);
          if (n % 2 == 0) ctx = child;
          if (n % 4 == 1) cancel_child();
          if ((n + i) % 5 == 0) AfterFunc(child, [] {});
          if (n % 4 == 3) child.Done();
          if (n == 5) Yield();
        }
        ctx.Done().Recv();
        EXPECT_NE(ctx.Err(), nullptr);
        EXPECT_NE(Cause(ctx), nullptr);
        ++ended;
      });
    }
    if (round % 2 == 0) Yield();
    cancel();
    wg.Wait();
    EXPECT_EQ(ended, 8);
    EXPECT_EQ(Children(root), 0u);
  }
}

GYRE_TEST_ON_THREADS(ContextCancel, FromForeignThreads) {
  auto [ctx, cancel] = WithCancel(Background());
  std::atomic<int> called{0};
  AfterFunc(ctx, [&] { ++called; });
  std::atomic<bool> done{false};
  std::thread thread([&, ctx = ctx, cancel = cancel] {
    auto [child, cancel_child] = WithTimeout(ctx, absl::Milliseconds(1));
    child.Done().Recv();
    EXPECT_EQ(child.Err(), DeadlineExceeded);
    cancel();
    ctx.Done().Recv();
    done = true;
  });
  ctx.Done().Recv();
  ASSERT_TRUE(Eventually([&] { return done && called == 1; }));
  thread.join();
}

TEST(ContextCancel, OnForeignThreadsAlone) {
  auto [ctx, cancel] = WithCancel(Background());
  std::thread thread([ctx = ctx] { ctx.Done().Recv(); });
  auto [child, cancel_child] = WithCancel(WithValue(ctx, "key", 1));
  cancel();
  thread.join();
  EXPECT_EQ(child.Err(), Canceled);
}

}  // namespace
}  // namespace gyre
