#include "runtime/simulation/fiber.h"

#include <cxxabi.h>
#include <sys/mman.h>

#include <boost/context/detail/fcontext.hpp>
#include <utility>

#include "runtime/sanitizers.h"

namespace gyre::internal::simulation {

namespace {

namespace fcontext = boost::context::detail;

constexpr size_t kStack = 256 * 1024;  // as large as a machine's thread has it; only what is touched takes memory
constexpr size_t kGuard = 4096;

ExceptionGlobals& Exceptions() {
  return *reinterpret_cast<ExceptionGlobals*>(abi::__cxa_get_globals());
}

// On the far side of a switch: `arrived` tells who was left, and where.
void Arrive(Fiber* self, fcontext::transfer_t arrived) {
  Fiber* left = static_cast<Fiber*>(arrived.data);
  left->context = arrived.fctx;
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(self->fake_stack, &left->left_low, &left->left_size);
#endif
  ThreadState& thread = This();
  thread.g = self->g;
  thread.m = self->m;
  thread.p = self->p;
  thread.no_preempt = self->no_preempt;
  Exceptions() = self->exceptions;
}

void FiberMain(fcontext::transfer_t arrived) {
  asm volatile(".cfi_undefined rip");  // nothing called this: unwinders stop here
  Fiber* self = static_cast<Fiber*>(arrived.data)->left_for;
  Arrive(self, arrived);
  self->entry(self);
  __builtin_unreachable();  // an ended fiber is never switched to again
}

}  // namespace

bool PrepareFiber(Fiber* fiber, void (*entry)(Fiber*)) {
  void* memory =
      mmap(nullptr, kStack + kGuard, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return false;
  if (mprotect(memory, kGuard, PROT_NONE) != 0) {
    munmap(memory, kStack + kGuard);
    return false;
  }
  fiber->stack_low = static_cast<char*>(memory) + kGuard;
  fiber->stack_size = kStack;
  fiber->left_low = fiber->stack_low;
  fiber->left_size = kStack;
  fiber->entry = entry;
  fiber->context = fcontext::make_fcontext(fiber->stack_low + kStack, kStack, &FiberMain);
#if defined(__SANITIZE_THREAD__)
  fiber->tsan_fiber = fiber->own_tsan_fiber = __tsan_create_fiber(0);
#endif
  return true;
}

void FreeStack(Fiber* fiber) {
  if (fiber->stack_low == nullptr) return;
#if defined(__SANITIZE_THREAD__)
  __tsan_destroy_fiber(fiber->own_tsan_fiber);
#endif
#if defined(__SANITIZE_ADDRESS__)
  ASAN_UNPOISON_MEMORY_REGION(fiber->stack_low, fiber->stack_size);
#endif
  munmap(fiber->stack_low - kGuard, fiber->stack_size + kGuard);
  fiber->stack_low = nullptr;
}

void SwitchFiber(Fiber* from, Fiber* to) {
  ThreadState& thread = This();
  from->g = thread.g;
  from->m = thread.m;
  from->p = thread.p;
  from->no_preempt = thread.no_preempt;
  from->exceptions = Exceptions();
  from->left_for = to;
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(&from->fake_stack, to->left_low, to->left_size);
#endif
#if defined(__SANITIZE_THREAD__)
  from->tsan_fiber = __tsan_get_current_fiber();
  __tsan_switch_to_fiber(to->tsan_fiber, 0);
#endif
  Arrive(from, fcontext::jump_fcontext(std::exchange(to->context, nullptr), from));
}

}  // namespace gyre::internal::simulation
