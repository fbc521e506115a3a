// A token goes round a ring of 503 goroutines; the one that sees 0 prints its number. token: the hops.
#include "tests/programs/program.h"

namespace gyre::programs {
namespace {

void Run(const Numbers& args) {
  constexpr int kNodes = 503;
  Chan<int> answer = MakeChan<int>();
  std::vector<Chan<int64_t>> links(kNodes);
  for (auto& link : links) link = MakeChan<int64_t>();
  for (int i = 0; i < kNodes; ++i) {
    Go([=, in = links[i], out = links[(i + 1) % kNodes]] {
      for (int64_t token : in) {
        if (token == 0) {
          answer.Send(i + 1);
        } else {
          out.Send(token - 1);
        }
      }
    });
  }
  links[0].Send(args[0]);
  absl::PrintF("%d\n", answer.Recv());
  for (const auto& link : links) link.Close();
  ExpectAlone();
}

const AddProgram added("P02", &Run);

}  // namespace
}  // namespace gyre::programs
