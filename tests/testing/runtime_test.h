// Tests that run as goroutines, under every configuration.
//
//   GYRE_TEST(Chan, UC_01_SendCompletesWithReceive) {
//     ...                                              // the main goroutine's body
//   }
//
// The body runs once for each configuration of the matrix, in a runtime of its own, and must leave no goroutine behind. The
// matrix: {gmp, global} x {contiguous, fixed} x {none, cooperative} x {1, 2, 4, 8} processors, and every other registered
// scheduler, stack allocator and preemption strategy with the defaults of the rest on 1 and 4 processors. Where the
// environment variable GYRE names plug-ins, only those are used, on 1, 2, 4 and 8 processors (or on the number it names).
// Every scheduler also runs the body in the simulator, on 1 and 4 virtual processors; a body that needs kernel threads or
// real time is a GYRE_TEST_ON_THREADS instead.
//
// Where the environment variable GYRE_CHECK_TRACES is 1 (a target's `env`), the runs on 2 and 4 processors are traced, and each
// trace must be a possible story in which every goroutine ends and every park is ended by one ready (runtime/trace/checker.h).
//
// A body that hangs is killed after kTimeoutSeconds with a dump of all goroutines.
#ifndef GYRE_TESTS_TESTING_RUNTIME_TEST_H_
#define GYRE_TESTS_TESTING_RUNTIME_TEST_H_

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "plugins/config.h"
#include "runtime/runtime.h"

namespace gyre::testing {

inline constexpr int kTimeoutSeconds = 120;

// The configurations that GYRE_TEST runs under.
std::vector<Config> Matrix();

// A small part of it, one configuration for each number of processors, and two in the simulator: for bodies that take long.
std::vector<Config> SmallMatrix();

// Those of `configs` that are not for the simulator.
std::vector<Config> OnThreads(std::vector<Config> configs);

// Runs `body` as the main goroutine of a runtime for each; expects that it ends with one goroutine, itself.
void RunUnder(const std::vector<Config>& configs, const std::function<void()>& body);

// One runtime with this configuration: "scheduler=global,procs=1". GYRE is not looked at.
void RunWith(const std::string& config, const std::function<void()>& body);

// Waits until `condition` holds, yielding and sleeping, for at most ten seconds; returns whether it does.
bool Eventually(const std::function<bool()>& condition);

// How much a loop should do: `full`, or a tenth of it under sanitizers, which slow everything down.
constexpr int Scaled(int full) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return full / 10 > 0 ? full / 10 : 1;
#else
  return full;
#endif
}

}  // namespace gyre::testing

#define GYRE_TEST_OVER(suite, name, configs)                          \
  static void GyreBody_##suite##_##name();                            \
  TEST(suite, name) {                                                 \
    ::gyre::testing::RunUnder(configs, &GyreBody_##suite##_##name);   \
  }                                                                   \
  static void GyreBody_##suite##_##name()

#define GYRE_TEST(suite, name) GYRE_TEST_OVER(suite, name, ::gyre::testing::Matrix())
#define GYRE_TEST_ON_THREADS(suite, name) \
  GYRE_TEST_OVER(suite, name, ::gyre::testing::OnThreads(::gyre::testing::Matrix()))
#define GYRE_TEST_SMALL(suite, name) GYRE_TEST_OVER(suite, name, ::gyre::testing::SmallMatrix())

#endif  // GYRE_TESTS_TESTING_RUNTIME_TEST_H_
