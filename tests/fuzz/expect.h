// What a fuzz target asserts: an abort is what libFuzzer and the plain driver take for a finding.
#ifndef GYRE_TESTS_FUZZ_EXPECT_H_
#define GYRE_TESTS_FUZZ_EXPECT_H_

#include <cstdio>
#include <cstdlib>

#define GYRE_EXPECT(condition)                                                            \
  do {                                                                                    \
    if (!(condition)) {                                                                   \
      std::fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                       \
    }                                                                                     \
  } while (false)

#endif  // GYRE_TESTS_FUZZ_EXPECT_H_
