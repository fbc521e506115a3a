#include "runtime/auxiliary_threads.h"

#include <signal.h>

#include <atomic>
#include <memory>
#include <utility>

#include "runtime/blocking.h"
#include "runtime/goroutine.h"
#include "runtime/thread_state.h"

namespace gyre::internal {

namespace {
std::atomic<int> running{0};
}  // namespace

struct AuxiliaryThread::Begin {
  const char* name;
  std::function<void()> body;
};

int AuxiliaryThread::Start(const char* name, std::function<void()> body) {
  Join();
  auto begin = std::make_unique<Begin>(Begin{name, std::move(body)});
  sigset_t blocked, before;
  sigfillset(&blocked);
  sigdelset(&blocked, SIGPROF);
  pthread_sigmask(SIG_BLOCK, &blocked, &before);
  const int error = pthread_create(
      &thread_, nullptr,
      [](void* argument) -> void* {
        std::unique_ptr<Begin> begin(static_cast<Begin*>(argument));
        pthread_setname_np(pthread_self(), begin->name);
        // Sequentially consistent, as what the deadlock detector compares it with.
        running.fetch_add(1, std::memory_order_seq_cst);
        begin->body();
        running.fetch_sub(1, std::memory_order_seq_cst);
        return nullptr;
      },
      begin.get());
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (error != 0) return error;
  begin.release();  // the thread's
  started_ = true;
  return 0;
}

void AuxiliaryThread::Join() {
  if (std::exchange(started_, false)) pthread_join(thread_, nullptr);
}

void OnThreadStack(absl::FunctionRef<void()> f) {
  const G* g = This().g;
  if (g == nullptr || g->kind != GKind::kGoroutine) return f();
  AuxiliaryThread thread;
  // Without a thread to be had the goroutine's own stack may do.
  if (thread.Start("gyre-aside", [&] { f(); }) != 0) return f();
  Blocking([&] { thread.Join(); });
}

int AuxiliaryThreads() {
  return running.load(std::memory_order_seq_cst);
}

}  // namespace gyre::internal
