// What the compiler and the linker make of -fsplit-stack, found out by looking at functions' first instructions.
#ifndef GYRE_STACKS_SPLIT_PROBE_H_
#define GYRE_STACKS_SPLIT_PROBE_H_

#include <string>

namespace gyre::stacks {

enum class Prologue {
  kOrdinary,  // it does not ask for room
  kAsks,      // it compares its stack pointer with the limit
  kAlways,    // the linker made it ask for room for library code
};
Prologue PrologueOf(const void* function);

// Empty if segmented stacks work in this program; otherwise a sentence that says why not.
std::string WhyNotSplit();

// Calls f(argument) on a segment with room for library code, where the limit word says that the thread runs on one.
extern "C" void gyre_call_with_room(void (*f)(void*), void* argument);
// The same here and now. It is what tells the linker that the function above needs room.
extern "C" void gyre_call_here(void (*f)(void*), void* argument);
// Asks for room, and for no more than its frame takes.
extern "C" int gyre_split_probe(int n);

}  // namespace gyre::stacks

#endif  // GYRE_STACKS_SPLIT_PROBE_H_
