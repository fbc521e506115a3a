// Code addresses as functions with source files and lines, inlined callers included: what a profile shows.
//
//   for (const CodeFrame& frame : SymbolsOf(pc).frames) ... frame.function, frame.file, frame.line
//
// Lines come from DWARF by elfutils' libdw, loaded at the first call; where that is not installed, or a module has no
// debug information, there are names only. Answers are kept for the life of the process. Any thread, but no signal
// handler.
#ifndef GYRE_RUNTIME_DEBUG_SOURCE_SYMBOLS_H_
#define GYRE_RUNTIME_DEBUG_SOURCE_SYMBOLS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/types/span.h"

namespace gyre::internal {

struct CodeFrame {
  std::string function;    // demangled; "0x..." where nothing is known
  std::string file;        // empty if not known
  int64_t line = 0;        // 0 if not known
  int64_t start_line = 0;  // of the function
};

// What is loaded at some addresses: the program, or a shared library.
struct Module {
  uintptr_t start = 0;
  uintptr_t end = 0;
  std::string file;
  std::string build_id;  // hexadecimal
};

struct Symbols {
  std::vector<CodeFrame> frames;   // innermost inlined function first; never empty
  const Module* module = nullptr;  // null: the address is in none
};

// `pc`: of an instruction. For a return address, pass the address minus 1: the call is before it. The reference is good
// for ever.
const Symbols& SymbolsOf(uintptr_t pc);

// The chain of frame pointers begins with the first frame that a function has made. A leaf, a function at its very
// beginning or end, and other people's libraries have none, and who called them is missing from the chain: these are
// the return addresses of such calls, innermost first, for code that was interrupted at `pc` with `stack` on top of its
// stack. By the unwind tables.
std::vector<void*> FramelessCallers(uintptr_t pc, absl::Span<const uintptr_t> stack);

// "the lines are missing: ..." or empty.
std::string WhyNoLines();

}  // namespace gyre::internal

#endif  // GYRE_RUNTIME_DEBUG_SOURCE_SYMBOLS_H_
