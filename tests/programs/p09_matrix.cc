// A product of matrices, modulo M: a goroutine for each cell, and as a mesh through which rows flow right and columns
// down.
#include "tests/programs/program.h"

namespace gyre::programs {
namespace {

constexpr int kSize = 100;
constexpr uint64_t kModulus = 1000003;

using Matrix = std::vector<std::vector<uint64_t>>;

void Print(const Matrix& c) {
  uint64_t trace = 0, sum = 0;
  Fnv fnv;
  for (int i = 0; i < kSize; ++i) {
    trace += c[i][i];
    for (uint64_t v : c[i]) {
      sum += v;
      fnv.Add(v);
    }
  }
  absl::PrintF("%d %d, trace %d, sum %d, %s\n", c[0][0], c[kSize - 1][kSize - 1], trace, sum, fnv.Hex());
}

void Run(const Numbers&) {
  Matrix a(kSize, std::vector<uint64_t>(kSize)), b = a, c = a, d = a;
  for (uint64_t i = 0; i < kSize; ++i) {
    for (uint64_t j = 0; j < kSize; ++j) {
      a[i][j] = (31 * i + 17 * j + 7) % kModulus;
      b[i][j] = (13 * i + 29 * j + 3) % kModulus;
    }
  }
  WaitGroup cells;
  for (int i = 0; i < kSize; ++i) {
    for (int j = 0; j < kSize; ++j) {
      cells.Go([&, i, j] {
        uint64_t sum = 0;
        for (int k = 0; k < kSize; ++k) sum = (sum + a[i][k] * b[k][j]) % kModulus;
        c[i][j] = sum;
      });
    }
  }
  cells.Wait();
  Print(c);

  // right[i][j] leads into cell (i, j) from the left, down[i][j] from above.
  using Channels = std::vector<std::vector<Chan<uint64_t>>>;
  Channels right(kSize, std::vector<Chan<uint64_t>>(kSize + 1)), down(kSize + 1, std::vector<Chan<uint64_t>>(kSize));
  for (auto& row : right) {
    for (auto& ch : row) ch = MakeChan<uint64_t>();
  }
  for (auto& row : down) {
    for (auto& ch : row) ch = MakeChan<uint64_t>();
  }
  WaitGroup mesh;
  for (int i = 0; i < kSize; ++i) {
    mesh.Go([&, i] {
      for (int k = 0; k < kSize; ++k) right[i][0].Send(a[i][k]);
    });
    mesh.Go([&, i] {
      for (int k = 0; k < kSize; ++k) down[0][i].Send(b[k][i]);
    });
    mesh.Go([&, i] {
      for (int k = 0; k < kSize; ++k) right[i][kSize].Recv();
    });
    mesh.Go([&, i] {
      for (int k = 0; k < kSize; ++k) down[kSize][i].Recv();
    });
    for (int j = 0; j < kSize; ++j) {
      mesh.Go([&, i, j] {
        uint64_t sum = 0;
        for (int k = 0; k < kSize; ++k) {
          const uint64_t x = right[i][j].Recv(), y = down[i][j].Recv();
          sum = (sum + x * y) % kModulus;
          right[i][j + 1].Send(x);
          down[i + 1][j].Send(y);
        }
        d[i][j] = sum;
      });
    }
  }
  mesh.Wait();
  Print(d);
  ExpectAlone();
}

const AddProgram added("P09", &Run);

}  // namespace
}  // namespace gyre::programs
