// A time-out: an answer that takes two seconds, and a caller who waits for one.
#include "absl/strings/str_format.h"
#include "gyre.h"

int main(int argc, char** argv) {
  return gyre::Main(argc, argv, [] {
    gyre::Chan<int> ch = gyre::MakeChan<int>();
    gyre::Go([ch] {
      gyre::Sleep(absl::Seconds(2));
      ch.Send(42);
    });
    gyre::Select(ch.OnRecv([](int value) { absl::PrintF("Received: %d\n", value); }),
                 gyre::After(absl::Seconds(1)).OnRecv([] { absl::PrintF("Timeout\n"); }));
  });
}
