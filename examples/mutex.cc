// sync.Mutex: five goroutines count, one at a time. The Go program neither waits nor prints; this one does both.
#include "absl/strings/str_format.h"
#include "gyre.h"

int main(int argc, char** argv) {
  return gyre::Main(argc, argv, [] {
    gyre::Mutex mu;
    int count = 0;
    gyre::WaitGroup wg;
    for (int i = 0; i < 5; ++i) {
      wg.Go([&] {
        gyre::MutexLock lock(&mu);
        ++count;
      });
    }
    wg.Wait();
    absl::PrintF("count: %d\n", count);
  });
}
