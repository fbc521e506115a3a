// What a scheduling policy sees of a goroutine.
//
// The runtime makes a Task for each goroutine, hands it to the policy when it becomes runnable (SchedulerPolicy::Enqueue)
// and takes it back when it is to run (SchedulerPolicy::PickNext). Between the two the task belongs to the policy: its
// link fields are the policy's to use. Outside of that span a policy must not touch the links.
//
// Times are nanoseconds on the engine's clock (the machine's monotonic clock, or the simulator's virtual one).
#ifndef GYRE_PLUGINS_TASK_H_
#define GYRE_PLUGINS_TASK_H_

#include <cstddef>
#include <cstdint>
#include <limits>
#include <new>
#include <type_traits>

namespace gyre {

using Nanos = int64_t;
inline constexpr Nanos kNever = std::numeric_limits<Nanos>::max();

// A processor (Go's P): the right to run goroutines, numbered from 0. kNoProc stands for a thread that has none.
using ProcId = int32_t;
inline constexpr ProcId kNoProc = -1;

struct alignas(16) Task {
  static constexpr size_t kPolicyBytes = 64;
  static constexpr uint32_t kDefaultWeight = 1024;

  // Intrusive links, the policy's own while the task is enqueued (TaskList in task_list.h uses them).
  Task* next = nullptr;
  Task* prev = nullptr;

  uint64_t id = 0;                     // unique in the process, never reused; the main goroutine's is 1
  Nanos ready_at = 0;                  // when it last became runnable } kept only where
  Nanos ran_for = 0;                   // service attained in all      } PolicyTraits::wants_times
  Nanos deadline = kNever;             // of its context or its GoOptions, else kNever
  uint32_t weight = kDefaultWeight;    // share relative to others; never 0
  int32_t priority = 0;                // larger runs first
  ProcId last_proc = kNoProc;          // where it last ran

  // The policy's private bytes: zero when the task is made, untouched by the runtime until it exits.
  template <typename T>
  T& Policy() {
    static_assert(sizeof(T) <= kPolicyBytes, "a policy's state per task is limited to Task::kPolicyBytes");
    static_assert(alignof(T) <= 16, "a policy's state per task is aligned to 16 bytes at most");
    static_assert(std::is_trivially_destructible_v<T>, "a task is recycled without running its policy state's destructor");
    static_assert(std::is_trivially_copyable_v<T>, "zero bytes must be a valid initial value");
    return *std::launder(reinterpret_cast<T*>(policy_bytes));
  }

  alignas(16) std::byte policy_bytes[kPolicyBytes] = {};
};

}  // namespace gyre

#endif  // GYRE_PLUGINS_TASK_H_
