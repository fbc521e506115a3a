// Runs a fuzz target without libFuzzer: on every file of a corpus, and on changed copies of them, the same ones each
// time. driver FILE...
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tests/model/seeds.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

constexpr int kChangedCopies = 3000;  // of each file

void Run(const std::string& input) {
  // A buffer of just that size: a read beyond it is one that ASan sees.
  const std::vector<uint8_t> data(input.begin(), input.end());
  LLVMFuzzerTestOneInput(data.data(), data.size());
}

// One to four changes: a byte flipped, put in, taken out; a piece of another input; a piece twice.
std::string Changed(std::string text, const std::vector<std::string>& all, gyre::testing::Random& random) {
  for (int changes = 1 + random.Below(4); changes > 0; --changes) {
    const size_t at = text.empty() ? 0 : static_cast<size_t>(random.Below(static_cast<int>(text.size())));
    switch (random.Below(5)) {
      case 0:
        if (!text.empty()) text[at] = static_cast<char>(random.Next());
        break;
      case 1:
        text.insert(at, 1, "=:,()-_.0129azKMms \n"[random.Below(20)]);
        break;
      case 2:
        if (!text.empty()) text.erase(at, 1 + static_cast<size_t>(random.Below(4)));
        break;
      case 3: {
        const std::string& other = all[static_cast<size_t>(random.Below(static_cast<int>(all.size())))];
        if (!other.empty())
          text.insert(at, other, static_cast<size_t>(random.Below(static_cast<int>(other.size()))), 12);
        break;
      }
      default:
        text.insert(at, text.substr(at, 16));
    }
  }
  return text;
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> inputs = {""};
  for (int i = 1; i < argc; ++i) {
    std::ifstream file(argv[i], std::ios::binary);
    if (!file.is_open()) {
      std::fprintf(stderr, "%s cannot be read\n", argv[i]);
      return 2;
    }
    inputs.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  gyre::testing::Random random(1);
  long runs = 0;
  for (const std::string& input : inputs) {
    Run(input);
    for (int i = 0; i < kChangedCopies; ++i) Run(Changed(input, inputs, random));
    runs += 1 + kChangedCopies;
  }
  std::printf("%ld inputs\n", runs);
  return inputs.size() > 1 ? 0 : 2;
}
