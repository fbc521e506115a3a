#include "runtime/sanitizers.h"

#include <pthread.h>

namespace gyre::internal::sanitizers {

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
