// Goroutines that nothing can wake any more.
//
//   TEST(Server, LeavesNothingBehind) {
//     gyre::Runtime runtime;
//     runtime.Run([] {
//       EXPECT_THAT(gyre::LeakCheck([] { ServeOneRequest(); }), ::testing::IsEmpty());
//     });
//   }
//
// A goroutine is leaked if what it waits for can be reached by nobody but goroutines that are leaked themselves. To
// find out, the process is stopped for a moment, and everything that threads, running goroutines, those that sleep,
// pending timers and global variables lead to is marked, as a garbage collector does that takes every word for a
// pointer (Boehm and Weiser, 1988). Who is left over is leaked for certain. Where a word only looks like a pointer, or
// an old pointer stands in a frame that is in use, a leak may be missed; it is not invented, unless pointers are hidden
// from the search: in files, in shared memory of other processes, or in an encoded form.
//
// A goroutine that computes without end is not blocked, and nobody can tell for certain; one that used half a second of
// CPU time without a call to the runtime is said to be suspected, except under preemption that needs no calls (klt).
//
// Blocks of malloc's heap are told apart where that is glibc's. Under AddressSanitizer or ThreadSanitizer nothing is
// found.
#ifndef GYRE_RUNTIME_DEBUG_LEAK_CHECK_H_
#define GYRE_RUNTIME_DEBUG_LEAK_CHECK_H_

#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"

namespace gyre {

struct Leak {
  uint64_t goroutine = 0;  // its id
  bool certain = false;    // else suspected
  std::string why;         // "waits for a channel that nobody else can reach"
  std::string trace;       // as in a dump: what it waits for, its stack, its maker

  friend std::ostream& operator<<(std::ostream& out, const Leak& leak) {
    return out << (leak.certain ? "leaked" : "suspected") << ": " << leak.why << "\n" << leak.trace;
  }
};

// The goroutines of all runtimes of the process that are leaked now, for certain. An error: threads could not be
// stopped. Any thread.
absl::StatusOr<std::vector<Leak>> FindLeaks();

// The same, and those that are suspected: it takes as long as they need to use half a second of CPU time, half a
// minute at most, and no time where nobody computes.
absl::StatusOr<std::vector<Leak>> FindLeaksAndSuspects();

// Runs body() in a goroutine of its own, waits for that, and returns who of those that were made meanwhile is leaked or
// suspected. From a goroutine. Others that were made meanwhile by goroutines outside of body() count too. A leak finder
// that does not work here is a failure of its own, with the goroutine 0.
std::vector<Leak> LeakCheck(absl::FunctionRef<void()> body);

}  // namespace gyre

#endif  // GYRE_RUNTIME_DEBUG_LEAK_CHECK_H_
