// What a soak does: small programs, each over one part of gyre, that run until they are told to stop and then check
// that nothing was lost. They count what they do.
#ifndef GYRE_TESTS_STRESS_ACTIVITIES_H_
#define GYRE_TESTS_STRESS_ACTIVITIES_H_

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

namespace gyre::stress {

struct Activity {
  const char* name;
  // Runs in a goroutine until `stop`; adds to `operations`. Panics if an invariant does not hold.
  void (*run)(uint64_t seed, const std::atomic<bool>& stop, std::atomic<int64_t>& operations);
};

const std::vector<Activity>& AllActivities();

}  // namespace gyre::stress

#endif  // GYRE_TESTS_STRESS_ACTIVITIES_H_
