// Looks at what the goroutines of the calling one's runtime wait for: so that a test can wait until others have
// blocked. Only while nobody starts goroutines: one that is being made cannot be looked at.
#ifndef GYRE_TESTS_SYNC_WAITING_H_
#define GYRE_TESTS_SYNC_WAITING_H_

#include <gtest/gtest.h>

#include "runtime/core.h"
#include "runtime/goroutine.h"
#include "runtime/machine.h"
#include "runtime/thread_state.h"
#include "runtime/wait_reason.h"
#include "tests/testing/runtime_test.h"

namespace gyre::testing {

// How many are parked, or about to be, for this reason.
inline int CountWaiting(WaitReason reason) {
  int count = 0;
  internal::Self()->core->ForEachGoroutine([&](internal::G* g) {
    count += g->state.load() == internal::GState::kWaiting && g->wait_reason.load() == reason;
  });
  return count;
}

// Waits until `count` of them are.
inline void AwaitWaiting(WaitReason reason, int count) {
  ASSERT_TRUE(Eventually([&] { return CountWaiting(reason) == count; }))
      << CountWaiting(reason) << " wait in " << WaitReasonName(reason) << ", not " << count;
}

}  // namespace gyre::testing

#endif  // GYRE_TESTS_SYNC_WAITING_H_
