// A goroutine, started and not waited for: the program sleeps, so that it has time to run.
#include "absl/strings/str_format.h"
#include "gyre.h"

void SayHello() {
  absl::PrintF("Hello, Goroutine!\n");
}

int main(int argc, char** argv) {
  return gyre::Main(argc, argv, [] {
    gyre::Go(SayHello);
    absl::PrintF("Main function\n");
    gyre::Sleep(absl::Seconds(1));
  });
}
