// Conway's game of life on a torus, in 8 bands of rows, with a barrier for each generation. size, generations.
#include "tests/programs/program.h"

namespace gyre::programs {
namespace {

void Run(const Numbers& args) {
  const int n = static_cast<int>(args[0]);
  std::vector<uint8_t> now(static_cast<size_t>(n) * n), next = now;
  const int c = n / 2;
  for (auto [x, y] : {std::pair(c, c - 1), {c + 1, c - 1}, {c - 1, c}, {c, c}, {c, c + 1}}) now[y * n + x] = 1;
  const auto at = [&](int x, int y) { return now[(y + n) % n * n + (x + n) % n]; };
  for (int64_t generation = 0; generation < args[1]; ++generation) {
    WaitGroup bands;
    for (int band = 0; band < 8; ++band) {
      bands.Go([&, band] {
        for (int y = band * n / 8; y < (band + 1) * n / 8; ++y) {
          for (int x = 0; x < n; ++x) {
            const int around = at(x - 1, y - 1) + at(x, y - 1) + at(x + 1, y - 1) + at(x - 1, y) + at(x + 1, y) +
                               at(x - 1, y + 1) + at(x, y + 1) + at(x + 1, y + 1);
            next[y * n + x] = around == 3 || (around == 2 && at(x, y) != 0);
          }
        }
      });
    }
    bands.Wait();
    std::swap(now, next);
  }
  int64_t live = 0;
  Fnv fnv;
  for (uint64_t i = 0; i < now.size(); ++i) {
    if (now[i] == 0) continue;
    ++live;
    fnv.Add(i);
  }
  absl::PrintF("%d live, %s\n", live, fnv.Hex());
  ExpectAlone();
}

const AddProgram added("P17", &Run);

}  // namespace
}  // namespace gyre::programs
