// Random numbers that are the same for the same seed with every compiler and library, as a result that is to be run
// again needs.
#ifndef GYRE_LAB_RANDOM_H_
#define GYRE_LAB_RANDOM_H_

#include <cmath>
#include <cstdint>
#include <numbers>

namespace gyre::lab {

// SplitMix64 (Steele, Lea and Flood, 2014). Streams of one seed are independent of each other.
class Random {
 public:
  explicit Random(uint64_t seed, uint64_t stream = 0) : state_(Mix(seed + kStep * stream) ^ stream) {}

  uint64_t Bits() { return Mix(state_ += kStep); }

  // In [0, 1), with 53 bits.
  double Uniform() { return static_cast<double>(Bits() >> 11) * 0x1p-53; }

  double Exponential(double mean) { return -std::log1p(-Uniform()) * mean; }

  // Mean 0, variance 1 (Box and Muller, 1958).
  double Normal() {
    const double radius = std::sqrt(Exponential(2));
    return radius * std::cos(2 * std::numbers::pi * Uniform());
  }

 private:
  static constexpr uint64_t kStep = 0x9e3779b97f4a7c15;
  static uint64_t Mix(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  uint64_t state_;
};

}  // namespace gyre::lab

#endif  // GYRE_LAB_RANDOM_H_
