// Calls that block the kernel thread: system calls, and libraries that wait in the kernel.
//
//   ssize_t n = gyre::Blocking([&] { return read(fd, buffer, size); });
//
// The goroutine keeps its thread for the call; if the call lasts, its processor goes to another thread (Go's entersyscall,
// exitsyscall and the monitor's retake). A short call costs two atomic operations.
#ifndef GYRE_RUNTIME_BLOCKING_H_
#define GYRE_RUNTIME_BLOCKING_H_

#include <utility>

namespace gyre {

namespace internal {
bool EnterBlocking();  // whether ExitBlocking is owed
void ExitBlocking();
}  // namespace internal

// Runs f() as described and returns what it returns. f must not wait for a goroutine (no channel, lock or sleep of gyre's): it
// has no processor to give away. On a foreign thread it is a plain call.
template <typename F>
decltype(auto) Blocking(F&& f) {
  struct Call {
    const bool owed = internal::EnterBlocking();
    ~Call() {
      if (owed) internal::ExitBlocking();
    }
  } call;
  return std::forward<F>(f)();
}

// The calling goroutine stays on its kernel thread, and no other runs there, until as many UnlockOSThread calls; one too many
// does nothing. A goroutine that ends while it is locked takes the thread with it. A panic on a foreign thread.
void LockOSThread();
void UnlockOSThread();

// How many kernel threads the calling goroutine's runtime may have, --max_threads at first; returns what it was. One more is a
// fatal error ("thread exhaustion"), at once if there are more already. 0 on a foreign thread.
int SetMaxThreads(int count);

}  // namespace gyre

#endif  // GYRE_RUNTIME_BLOCKING_H_
