#include "runtime/sanitizers.h"

#include <pthread.h>

namespace gyre::internal::sanitizers {

void AdoptThreadStack(G* g) {
  pthread_attr_t attributes;
  pthread_getattr_np(pthread_self(), &attributes);
  void* low = nullptr;
  size_t size = 0;
  pthread_attr_getstack(&attributes, &low, &size);
  pthread_attr_destroy(&attributes);
  g->stack.low = static_cast<char*>(low);
  g->stack.top = static_cast<char*>(low) + size;
#if defined(__SANITIZE_THREAD__)
  g->sanitizer_fiber = __tsan_get_current_fiber();
#endif
}

}  // namespace gyre::internal::sanitizers
