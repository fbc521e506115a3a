// Whole programs, each in a file of its own, in one binary: `programs P07 100000` runs one with its numbers. What each
// must print is in programs_test.cc.
#ifndef GYRE_TESTS_PROGRAMS_PROGRAM_H_
#define GYRE_TESTS_PROGRAMS_PROGRAM_H_

#include <cstdint>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "gyre.h"

namespace gyre::programs {

// The numbers on the command line; 0 where there is none.
class Numbers {
 public:
  explicit Numbers(std::vector<int64_t> numbers) : numbers_(std::move(numbers)) {}
  int64_t operator[](size_t i) const { return i < numbers_.size() ? numbers_[i] : 0; }

 private:
  const std::vector<int64_t> numbers_;
};

using Program = void (*)(const Numbers&);

std::map<std::string, Program>& AllPrograms();

struct AddProgram {
  AddProgram(const char* id, Program program) { AllPrograms()[id] = program; }
};

// The linear congruential generator of Numerical Recipes; the new state is the value.
class Lcg {
 public:
  explicit Lcg(uint32_t seed) : state_(seed) {}
  uint32_t Next() { return state_ = state_ * 1664525 + 1013904223; }

 private:
  uint32_t state_;
};

// 64-bit FNV-1a over little-endian integers.
class Fnv {
 public:
  template <typename T>
  void Add(T value) {
    for (size_t i = 0; i < sizeof(T); ++i) {
      hash_ ^= static_cast<uint8_t>(value >> (8 * i));
      hash_ *= 1099511628211u;
    }
  }
  std::string Hex() const { return absl::StrFormat("%016x", hash_); }

 private:
  uint64_t hash_ = 14695981039346656037u;
};

// At the end of a program that leaves nothing behind: waits for goroutines that have told their result and not returned
// yet.
inline void ExpectAlone() {
  for (int i = 0; i < 10000 && NumGoroutine() != 1; ++i) Sleep(absl::Milliseconds(1));
  if (NumGoroutine() != 1) Panic(absl::StrFormat("%d goroutines are left behind", NumGoroutine() - 1));
}

}  // namespace gyre::programs

#endif  // GYRE_TESTS_PROGRAMS_PROGRAM_H_
