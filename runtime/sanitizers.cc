#include "runtime/sanitizers.h"

#include <pthread.h>

#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#else
#define RUNNING_ON_VALGRIND 0
#define VALGRIND_STACK_REGISTER(low, high) 0
#define VALGRIND_STACK_DEREGISTER(id)
#endif

namespace gyre::internal::sanitizers {

const bool on_valgrind = [] { return RUNNING_ON_VALGRIND != 0; }();

// The number that Valgrind gives the stack is kept where TSan has its handle: nobody runs a program under both.
void RegisterWithValgrind(G* g) {
  g->sanitizer_fiber = reinterpret_cast<void*>(static_cast<uintptr_t>(VALGRIND_STACK_REGISTER(g->stack.low, g->stack.top)));
}

void DeregisterFromValgrind(G* g) {
  VALGRIND_STACK_DEREGISTER(static_cast<unsigned>(reinterpret_cast<uintptr_t>(g->sanitizer_fiber)));
}

void AdoptThreadStack(G* g) {
  // Asked for once: for a process's first thread glibc reads all of /proc/self/maps to answer.
  static constinit thread_local void* low = nullptr;
  static constinit thread_local size_t size = 0;
  if (low == nullptr) {
    pthread_attr_t attributes;
    pthread_getattr_np(pthread_self(), &attributes);
    pthread_attr_getstack(&attributes, &low, &size);
    pthread_attr_destroy(&attributes);
  }
  g->stack.low = static_cast<char*>(low);
  g->stack.top = static_cast<char*>(low) + size;
#if defined(__SANITIZE_THREAD__)
  g->sanitizer_fiber = __tsan_get_current_fiber();
#endif
}

}  // namespace gyre::internal::sanitizers
