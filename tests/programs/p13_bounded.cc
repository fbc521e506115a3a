// 200 tasks of 1 ms, 4 at a time: by a channel, a semaphore and a condition.
#include "tests/programs/program.h"

namespace gyre::programs {
namespace {

constexpr int kTasks = 200, kLimit = 4;

template <typename Acquire, typename Release>
void Limited(const char* how, Acquire acquire, Release release) {
  std::atomic<int> running{0}, most{0}, done{0};
  const Nanos start = NowNanos();
  WaitGroup wg;
  for (int i = 0; i < kTasks; ++i) {
    wg.Go([&] {
      acquire();
      const int now = ++running;
      for (int seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {
      }
      Sleep(absl::Milliseconds(1));
      --running;
      ++done;
      release();
    });
  }
  wg.Wait();
  absl::PrintF("%s: at most %d, done %d, after %d us\n", how, most.load(), done.load(), (NowNanos() - start) / 1000);
}

void Run(const Numbers&) {
  Chan<Unit> slots = MakeChan<Unit>(kLimit);
  Limited(
      "channel", [&] { slots.Send({}); }, [&] { slots.Recv(); });
  Semaphore semaphore(kLimit);
  Limited(
      "semaphore", [&] { semaphore.Acquire(1); }, [&] { semaphore.Release(1); });
  Mutex mu;
  Cond freed(&mu);
  int used = 0;
  Limited(
      "cond",
      [&] {
        MutexLock hold(&mu);
        while (used == kLimit) freed.Wait();
        ++used;
      },
      [&] {
        MutexLock hold(&mu);
        --used;
        freed.Signal();
      });
  ExpectAlone();
}

const AddProgram added("P13", &Run);

}  // namespace
}  // namespace gyre::programs
