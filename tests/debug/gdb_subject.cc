// For gdb_test: goroutines in all states of interest, and then a trap.
#include <signal.h>

#include <atomic>

#include "gyre.h"

std::atomic<bool> gdb_subject_computes{false};
volatile uint64_t gdb_subject_sink;

[[gnu::noinline]] void WaitsForAChannel(gyre::Chan<int> chan) {
  chan.Recv();
  asm volatile("" ::: "memory");
}

[[gnu::noinline]] void WaitsInSelect(gyre::Chan<int> a, gyre::Chan<int> b) {
  gyre::Select(a.OnRecv([](int) {}), b.OnRecv([](int) {}));
  asm volatile("" ::: "memory");
}

[[gnu::noinline]] void Computes() {
  for (uint64_t x = 1;; x = x * 6364136223846793005 + 1) {
    gdb_subject_sink = x;
    gdb_subject_computes = true;
  }
}

[[gnu::noinline]] void Traps() {
  raise(SIGTRAP);
  asm volatile("" ::: "memory");
}

int main(int argc, char** argv) {
  return gyre::Main(argc, argv, [] {
    gyre::Chan<int> a = gyre::MakeChan<int>(), b = gyre::MakeChan<int>();
    gyre::Go({.name = "waiter"}, [=] { WaitsForAChannel(a); });
    gyre::Go([=] { WaitsInSelect(a, b); });
    gyre::Go([] { Computes(); });
    while (!gdb_subject_computes) gyre::Sleep(absl::Milliseconds(1));
    Traps();
  });
}
