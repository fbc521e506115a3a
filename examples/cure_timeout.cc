// The cure for a select that waits for ever: a case that comes in any event, after a second. The Go program does not
// wait for its goroutine; this one does, so that the time-out is seen.
#include "absl/strings/str_format.h"
#include "gyre.h"

int main(int argc, char** argv) {
  return gyre::Main(argc, argv, [] {
    gyre::Chan<int> ch = gyre::MakeChan<int>();
    gyre::WaitGroup wg;
    wg.Go([ch] {
      gyre::Select(ch.OnRecv([] { absl::PrintF("Received data\n"); }),
                   gyre::After(absl::Seconds(1)).OnRecv([] { absl::PrintF("Timeout\n"); }));
    });
    wg.Wait();
  });
}
