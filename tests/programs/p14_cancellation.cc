// A tree of contexts, 10 below each, 1 + 10 + 100 + 1000, a goroutine waiting on each.
#include "tests/programs/program.h"

namespace gyre::programs {
namespace {

struct Tree {
  WaitGroup started;
  std::atomic<int> reported{0}, wrong{0};
  std::vector<context::CancelFunc> first_level;

  void Watch(context::Context ctx) {
    started.Add(1);
    Go([this, ctx] {
      started.Done();
      ctx.Done().Recv();
      if (ctx.Err()->Error() != "context canceled") ++wrong;
      ++reported;
    });
  }
  void Grow(const context::Context& ctx, int levels) {
    Watch(ctx);
    if (levels == 0) return;
    for (int i = 0; i < 10; ++i) {
      auto [child, cancel] = context::WithCancel(ctx);
      if (levels == 3) first_level.push_back(cancel);
      Grow(child, levels - 1);
    }
  }
  void Await(int count) {
    for (int i = 0; i < 10000 && reported != count; ++i) Sleep(absl::Milliseconds(1));
  }
};

void Run(const Numbers&) {
  Tree tree;
  auto [root, cancel] = context::WithCancel(context::Background());
  tree.Grow(root, 3);
  tree.started.Wait();
  absl::PrintF("%d wait\n", NumGoroutine() - 1);
  tree.first_level[3]();
  tree.Await(111);
  for (int i = 0; i < 100; ++i) Yield();
  absl::PrintF("%d reported, %d wait\n", tree.reported.load(), NumGoroutine() - 1);
  cancel();
  tree.Await(1111);
  absl::PrintF("%d reported, %d of them something else\n", tree.reported.load(), tree.wrong.load());
  ExpectAlone();
}

const AddProgram added("P14", &Run);

}  // namespace
}  // namespace gyre::programs
