// sync.WaitGroup: wait until three goroutines have ended. WaitGroup::Go is Go 1.25's wg.Go, which adds and is done by
// itself.
#include "absl/strings/str_format.h"
#include "gyre.h"

int main(int argc, char** argv) {
  return gyre::Main(argc, argv, [] {
    gyre::WaitGroup wg;
    for (int i = 0; i < 3; ++i) {
      wg.Go([i] { absl::PrintF("Goroutine %d\n", i); });
    }
    wg.Wait();
    absl::PrintF("All Goroutines finished\n");
  });
}
