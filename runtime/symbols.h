// Where code addresses are in the source: for traces and dumps.
//
// addr2line (binutils) is asked, once for all addresses that are new to the process; where it is missing, or knows no
// better, there are function names only. Any thread; it takes memory, files and a child process, so not from a signal
// handler of a process that is to go on.
#ifndef GYRE_RUNTIME_SYMBOLS_H_
#define GYRE_RUNTIME_SYMBOLS_H_

#include <cstddef>
#include <map>
#include <string>
#include <vector>

namespace gyre::internal {

struct CodeFrame {
  std::string function;  // "main::{lambda()#1}::operator()() const"
  std::string file;      // relative to the workspace where it is ours; empty: unknown
  int line = 0;          // 0: unknown
};

// What is asked for a function's own address in place of a return address.
inline void* EntryAddress(const void* function) {
  return const_cast<char*>(static_cast<const char*>(function)) + 1;
}

// False: no lines are looked up from now on, wherever they are asked for. For tests that make traces by the hundred.
void LookUpLines(bool on);

// The frames of return addresses that the caller has collected.
class SymbolTable {
 public:
  // `lines` false: function names are enough, and cost no child process.
  explicit SymbolTable(const std::vector<void*>& return_addresses, bool lines = true);

  // Innermost first: a call that was inlined has a frame of its own.
  const std::vector<CodeFrame>& Frames(void* return_address) const;

  // A goroutine's stack as its author knows it: without the runtime's frames at both ends. Never empty.
  std::vector<CodeFrame> UsersFrames(void* const* return_addresses, size_t count) const;

  // What a goroutine runs, from the address of RunClosure<F>: F by its name.
  CodeFrame EntryFrame(void* run_closure) const;

 private:
  std::map<void*, std::vector<CodeFrame>> frames_;
};

}  // namespace gyre::internal

#endif  // GYRE_RUNTIME_SYMBOLS_H_
