#include "context/errgroup.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>

#include "context/context.h"
#include "runtime/go.h"
#include "runtime/panic.h"
#include "tests/testing/runtime_test.h"

namespace gyre {
namespace {

using testing::Eventually;

GYRE_TEST(ErrGroup, XS_05_FirstErrorEndsTheContext) {
  const Error e1 = NewError("e1"), e2 = NewError("e2");
  ErrGroup group(context::Background());
  group.Go([] { return Error(); });
  group.Go([&] { return e1; });
  group.Go([&] {
    group.Ctx().Done().Recv();  // after e1
    return e2;
  });
  EXPECT_EQ(group.Wait(), e1);
  EXPECT_EQ(group.Ctx().Err(), context::Canceled);
  EXPECT_EQ(context::Cause(group.Ctx()), e1);
}

GYRE_TEST(ErrGroup, XS_05_CleanWaitEndsTheContextToo) {
  ErrGroup group(context::Background());
  std::atomic<int> ran{0};
  for (int i = 0; i < 3; ++i) {
    group.Go([&]() -> Error {
      ++ran;
      return nullptr;
    });
  }
  EXPECT_EQ(group.Wait(), nullptr);
  EXPECT_EQ(ran, 3);
  EXPECT_EQ(group.Ctx().Err(), context::Canceled);
  EXPECT_EQ(context::Cause(group.Ctx()), context::Canceled);
}

GYRE_TEST(ErrGroup, WorksWithoutAContext) {
  ErrGroup group;
  const Error e = NewError("e");
  auto held = std::make_shared<int>(1);
  group.Go([&, held] { return e; });
  EXPECT_EQ(group.Wait(), e);
  EXPECT_EQ(held.use_count(), 1);
  EXPECT_FALSE(group.Ctx());
}

GYRE_TEST(ErrGroup, XS_06_Limit) {
  ErrGroup group;
  group.SetLimit(1);
  Chan<Unit> go_on = MakeChan<Unit>();
  group.Go([&] {
    go_on.Recv();
    return Error();
  });
  EXPECT_FALSE(group.TryGo([] { return Error(); }));
  try {
    group.SetLimit(2);
    ADD_FAILURE() << "no panic";
  } catch (const PanicError& panic) {
    EXPECT_STREQ(panic.what(), "errgroup: modify limit while 1 goroutines in the group are still active");
  }
  go_on.Send(Unit{});
  EXPECT_EQ(group.Wait(), nullptr);

  group.SetLimit(3);
  std::atomic<int> active{0};
  for (int i = 0; i < 30; ++i) {
    group.Go([&] {
      EXPECT_LE(++active, 3);
      Yield();
      --active;
      return Error();
    });
  }
  EXPECT_EQ(group.Wait(), nullptr);
  group.SetLimit(0);
  EXPECT_FALSE(group.TryGo([] { return Error(); }));
  group.SetLimit(-1);
  EXPECT_TRUE(group.TryGo([] { return Error(); }));
  EXPECT_EQ(group.Wait(), nullptr);
}

}  // namespace
}  // namespace gyre
