// A leak: a select with a single case, which never comes, and no way out. cure_timeout.cc is the cure.
#include "absl/strings/str_format.h"
#include "gyre.h"

int main(int argc, char** argv) {
  return gyre::Main(argc, argv, [] {
    gyre::Chan<int> ch = gyre::MakeChan<int>();
    gyre::Go([ch] { gyre::Select(ch.OnRecv([](int value) { absl::PrintF("Received: %d\n", value); })); });
    absl::PrintF("left behind: %d\n", gyre::NumGoroutine() - 1);
  });
}
