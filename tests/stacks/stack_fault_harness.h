// Touches memory that may fault, the way that the runtime's signal handler would see it: the handler asks the
// allocator, and runs the instruction again or gives up, as it is told. For one thread of a test.
#ifndef GYRE_TESTS_STACKS_STACK_FAULT_HARNESS_H_
#define GYRE_TESTS_STACKS_STACK_FAULT_HARNESS_H_

#include <csetjmp>
#include <csignal>

#include <vector>

#include "plugins/stack.h"

namespace gyre::stacks {

class FaultHarness {
 public:
  struct Result {
    FaultAction last = FaultAction::kRetry;  // what the allocator said at the last fault; kRetry if there was none
    int faults = 0;
    bool finished = false;
  };

  FaultHarness();
  ~FaultHarness();
  FaultHarness(const FaultHarness&) = delete;
  FaultHarness& operator=(const FaultHarness&) = delete;

  // Writes a byte at `address` as if `stack` were the running goroutine's.
  Result Write(StackAllocator& allocator, Stack& stack, char* address);

 private:
  static void OnSignal(int signal, siginfo_t* info, void* context);

  static thread_local FaultHarness* current_;
  StackAllocator* allocator_ = nullptr;
  Stack* stack_ = nullptr;
  Result result_;
  sigjmp_buf give_up_;
  std::vector<char> alternate_;
  struct sigaction old_segv_, old_bus_;
  stack_t old_stack_;
};

}  // namespace gyre::stacks

#endif  // GYRE_TESTS_STACKS_STACK_FAULT_HARNESS_H_
