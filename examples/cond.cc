// sync.Cond: wait until somebody says that a condition may hold now. The Go program does not wait for its goroutine;
// this one does, so that the condition is seen to be met.
#include "absl/strings/str_format.h"
#include "gyre.h"

int main(int argc, char** argv) {
  return gyre::Main(argc, argv, [] {
    gyre::Mutex mu;
    gyre::Cond cond(&mu);
    bool ready = false;
    gyre::WaitGroup wg;
    wg.Go([&] {
      gyre::MutexLock lock(&mu);
      while (!ready) cond.Wait();
      absl::PrintF("Condition met\n");
    });
    {
      gyre::MutexLock lock(&mu);
      ready = true;
      cond.Signal();
    }
    wg.Wait();
  });
}
