// Which random programs the model tests run. By default the same ones each time, few enough for CI; GYRE_MODEL_SEED=7
// begins at another one, GYRE_MODEL_ROUNDS=1000 runs more of them. A test that fails names the seed.
#ifndef GYRE_TESTS_MODEL_SEEDS_H_
#define GYRE_TESTS_MODEL_SEEDS_H_

#include <cstdint>
#include <cstdlib>
#include <vector>

namespace gyre::testing {

inline uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text != nullptr && *text != '\0' ? std::strtoull(text, nullptr, 10) : otherwise;
}

// `kept`: seeds that found something once; they come first.
inline std::vector<uint64_t> Seeds(int rounds, std::vector<uint64_t> kept = {}) {
  const uint64_t first = FromEnvironment("GYRE_MODEL_SEED", 1);
  const uint64_t count = FromEnvironment("GYRE_MODEL_ROUNDS", static_cast<uint64_t>(rounds));
  for (uint64_t i = 0; i < count; ++i) kept.push_back(first + i);
  return kept;
}

// SplitMix64 (Steele, Lea, Flood): the same numbers everywhere, unlike the standard's distributions.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15 + 0x1234567) {}
  uint64_t Next() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  int Below(int n) { return static_cast<int>(Next() % static_cast<uint64_t>(n)); }
  bool OneIn(int n) { return Below(n) == 0; }

 private:
  uint64_t state_;
};

}  // namespace gyre::testing

#endif  // GYRE_TESTS_MODEL_SEEDS_H_
