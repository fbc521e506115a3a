// A leak: a goroutine receives from a channel that nobody sends to and nobody closes. cure_close.cc is the cure.
#include "absl/strings/str_format.h"
#include "gyre.h"

int main(int argc, char** argv) {
  return gyre::Main(argc, argv, [] {
    gyre::Chan<int> ch = gyre::MakeChan<int>();
    gyre::Go([ch] {
      ch.Recv();  // for ever
    });
    absl::PrintF("left behind: %d\n", gyre::NumGoroutine() - 1);
  });
}
