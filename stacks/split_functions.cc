// Compiled with -fsplit-stack.
#include "stacks/split_probe.h"

namespace gyre::stacks {

extern "C" void gyre_call_with_room(void (*f)(void*), void* argument) {
  gyre_call_here(f, argument);
  asm volatile("");  // not by a jump: there must be a frame of ours
}

extern "C" [[gnu::noinline]] int gyre_split_probe(int n) {
  volatile char frame[300];
  frame[0] = static_cast<char>(n);
  return frame[0];
}

}  // namespace gyre::stacks
