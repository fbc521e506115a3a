#include "stacks/split_probe.h"

#include <cstring>

#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#else
#define RUNNING_ON_VALGRIND 0
#endif

namespace gyre::stacks {

Prologue PrologueOf(const void* function) {
#if defined(__x86_64__)
  const auto* code = static_cast<const unsigned char*>(function);
  const auto starts = [&code](std::initializer_list<unsigned char> bytes) {
    return std::memcmp(code, bytes.begin(), bytes.size()) == 0;
  };
  if (starts({0xf3, 0x0f, 0x1e, 0xfa})) code += 4;                           // endbr64
  if (starts({0x64, 0x48, 0x3b, 0x24, 0x25, 0x70})) return Prologue::kAsks;  // cmp %fs:0x70,%rsp
  if (starts({0xf9, 0x0f, 0x1f, 0x84, 0x00})) return Prologue::kAlways;      // stc; nop
  // lea -frame(%rsp),%r11 or %r10; cmp %fs:0x70,%r11 or %r10
  if (starts({0x4c, 0x8d, 0x9c, 0x24}) || starts({0x4c, 0x8d, 0x94, 0x24})) code += 8;
  if (starts({0x4c, 0x8d, 0x5c, 0x24}) || starts({0x4c, 0x8d, 0x54, 0x24})) code += 5;
  if (starts({0x64, 0x4c, 0x3b, 0x1c, 0x25, 0x70}) || starts({0x64, 0x4c, 0x3b, 0x14, 0x25, 0x70}))
    return Prologue::kAsks;
#else
  (void)function;
#endif
  return Prologue::kOrdinary;
}

std::string WhyNotSplit() {
#if !defined(__x86_64__)
  return "it is written for x86-64";
#elif defined(__SANITIZE_ADDRESS__)
  return "AddressSanitizer knows one piece of memory for each stack, and would take frames on other segments for stray "
         "accesses; contiguous and fixed work with it";
#elif defined(__SANITIZE_THREAD__)
  return "ThreadSanitizer was not made for code compiled with -fsplit-stack; contiguous and fixed work with it";
#else
  if (RUNNING_ON_VALGRIND != 0) {
    return "Valgrind takes the change from one segment to another for a stack overflow; contiguous and fixed work with "
           "it";
  }
  if (PrologueOf(reinterpret_cast<const void*>(&gyre_split_probe)) == Prologue::kOrdinary) {
    return "this program was built by a compiler that does not know -fsplit-stack; GCC does";
  }
  if (PrologueOf(reinterpret_cast<const void*>(&gyre_call_with_room)) != Prologue::kAlways) {
    return "this program was linked by a linker that leaves calls from code compiled with -fsplit-stack to other code "
           "as they "
           "are; link it with -fuse-ld=gold";
  }
  return "";
#endif
}

extern "C" void gyre_call_here(void (*f)(void*), void* argument) {
  f(argument);
}

}  // namespace gyre::stacks
