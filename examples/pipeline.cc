// A pipeline: each stage is a goroutine that receives from the one before it and closes its own channel at the end.
#include <vector>

#include "absl/strings/str_format.h"
#include "gyre.h"

gyre::RecvChan<int> Gen(std::vector<int> nums) {
  gyre::Chan<int> out = gyre::MakeChan<int>();
  gyre::Go([out, nums] {
    for (int n : nums) out.Send(n);
    out.Close();
  });
  return out;
}

gyre::RecvChan<int> Sq(gyre::RecvChan<int> in) {
  gyre::Chan<int> out = gyre::MakeChan<int>();
  gyre::Go([in, out] {
    for (int n : in) out.Send(n * n);
    out.Close();
  });
  return out;
}

int main(int argc, char** argv) {
  return gyre::Main(argc, argv, [] {
    gyre::RecvChan<int> nums = Gen({2, 3, 4});
    gyre::RecvChan<int> squares = Sq(nums);
    for (int square : squares) absl::PrintF("%d\n", square);
  });
}
