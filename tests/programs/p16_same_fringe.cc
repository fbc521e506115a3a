// Do two search trees hold the same values? Each is walked in a goroutine, over an unbuffered channel.
#include <memory>

#include "tests/programs/program.h"

namespace gyre::programs {
namespace {

struct Node {
  int value;
  std::unique_ptr<Node> left, right;
};

std::unique_ptr<Node> Tree(int k, int m) {
  std::unique_ptr<Node> root;
  for (int i = 1; i <= 1008; ++i) {
    const int value = k * (i * m % 1009);
    std::unique_ptr<Node>* at = &root;
    while (*at != nullptr) at = value < (*at)->value ? &(*at)->left : &(*at)->right;
    *at = std::make_unique<Node>(Node{value, nullptr, nullptr});
  }
  return root;
}

// False: told to quit.
bool Walk(const Node* node, const SendChan<int>& out, const RecvChan<Unit>& quit) {
  if (node == nullptr) return true;
  if (!Walk(node->left.get(), out, quit)) return false;
  if (Select(out.OnSend(node->value), quit.OnRecv([] {})) == 1) return false;
  return Walk(node->right.get(), out, quit);
}

bool Same(const Node* a, const Node* b) {
  Chan<Unit> quit = MakeChan<Unit>();
  Chan<int> from_a = MakeChan<int>(), from_b = MakeChan<int>();
  WaitGroup wg;
  for (auto [tree, out] : {std::pair(a, from_a), std::pair(b, from_b)}) {
    wg.Go([=] {
      Walk(tree, out, quit);
      out.Close();
    });
  }
  bool same = true;
  for (bool more = true; more && same;) {
    int x = 0, y = 0;
    const bool has_x = from_a.Recv(x), has_y = from_b.Recv(y);
    same = has_x == has_y && x == y;
    more = has_x;
  }
  if (!same) absl::PrintF("%d left over; ", NumGoroutine() - 1);
  quit.Close();
  wg.Wait();
  return same;
}

void Run(const Numbers&) {
  const std::pair<std::pair<int, int>, std::pair<int, int>> kPairs[] = {
      {{1, 1}, {1, 17}}, {{1, 17}, {1, 500}}, {{1, 1}, {2, 1}}};
  for (const auto& [a, b] : kPairs) {
    absl::PrintF("%s\n", Same(Tree(a.first, a.second).get(), Tree(b.first, b.second).get()) ? "true" : "false");
  }
  ExpectAlone();
}

const AddProgram added("P16", &Run);

}  // namespace
}  // namespace gyre::programs
