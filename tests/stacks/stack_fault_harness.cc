#include "tests/stacks/stack_fault_harness.h"

#include <cstring>

namespace gyre::stacks {

thread_local FaultHarness* FaultHarness::current_ = nullptr;

FaultHarness::FaultHarness() : alternate_(size_t{64} << 10) {
  current_ = this;
  stack_t alternate{};
  alternate.ss_sp = alternate_.data();
  alternate.ss_size = alternate_.size();
  sigaltstack(&alternate, &old_stack_);
  struct sigaction action;
  std::memset(&action, 0, sizeof action);
  action.sa_sigaction = &OnSignal;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
  sigaction(SIGSEGV, &action, &old_segv_);
  sigaction(SIGBUS, &action, &old_bus_);
}

FaultHarness::~FaultHarness() {
  sigaction(SIGSEGV, &old_segv_, nullptr);
  sigaction(SIGBUS, &old_bus_, nullptr);
  sigaltstack(&old_stack_, nullptr);
  current_ = nullptr;
}

void FaultHarness::OnSignal(int, siginfo_t* info, void*) {
  FaultHarness& self = *current_;
  ++self.result_.faults;
  self.result_.last = self.allocator_->OnFault(*self.stack_, reinterpret_cast<uintptr_t>(info->si_addr));
  // A thousand faults for one byte: the allocator says that it helped, and did not.
  if (self.result_.last != FaultAction::kRetry || self.result_.faults > 1000) siglongjmp(self.give_up_, 1);
}

FaultHarness::Result FaultHarness::Write(StackAllocator& allocator, Stack& stack, char* address) {
  allocator_ = &allocator;
  stack_ = &stack;
  result_ = Result();
  // With the signal mask: ThreadSanitizer blocks every signal while a handler runs, whatever the handler's own
  // flags say.
  if (sigsetjmp(give_up_, 1) == 0) {
    *const_cast<volatile char*>(address) = 1;
    result_.finished = true;
  }
  return result_;
}

}  // namespace gyre::stacks
