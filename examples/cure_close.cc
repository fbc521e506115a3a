// The cure for a receiver that waits for ever: the sender closes the channel, and the receiver's range ends. The Go
// program does not wait for its goroutine; this one does, so that the value is seen to arrive.
#include "absl/strings/str_format.h"
#include "gyre.h"

int main(int argc, char** argv) {
  return gyre::Main(argc, argv, [] {
    gyre::Chan<int> ch = gyre::MakeChan<int>();
    gyre::WaitGroup wg;
    wg.Go([ch] {
      for (int value : ch) absl::PrintF("%d\n", value);
    });
    ch.Send(1);
    ch.Close();
    wg.Wait();
  });
}
