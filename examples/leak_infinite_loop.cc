// A leak: a goroutine that computes without end. The program ends all the same when its main goroutine does, after it
// has given the loop a moment to come to an end. cure_context.cc is the cure.
#include <cstdint>

#include "absl/strings/str_format.h"
#include "gyre.h"

int main(int argc, char** argv) {
  return gyre::Main(argc, argv, [] {
    gyre::Go([] {
      volatile bool forever = true;  // volatile: C++ lets a compiler assume that other loops come to an end
      while (forever) {
      }
    });
    absl::PrintF("left behind: %d\n", gyre::NumGoroutine() - 1);
  });
}
