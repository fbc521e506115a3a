// sync.Once: three goroutines ask for it, one does it. The Go program does not wait for them; this one does.
#include "absl/strings/str_format.h"
#include "gyre.h"

int main(int argc, char** argv) {
  return gyre::Main(argc, argv, [] {
    gyre::Once once;
    gyre::WaitGroup wg;
    for (int i = 0; i < 3; ++i) {
      wg.Go([&once] { once.Do([] { absl::PrintF("This will only run once\n"); }); });
    }
    wg.Wait();
  });
}
