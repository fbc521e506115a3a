// Panics and fatal errors, in Go's sense.
//
// A panic is an exception: it unwinds the goroutine (its destructors are Go's deferred calls), can be caught as a
// gyre::PanicError, and ends the process with exit code 2, "panic: <text>" and every goroutine's trace if nothing
// catches it. An exception of any other type that leaves a goroutine ends the process the same way.
// A fatal error cannot be caught: "fatal error: <text>", the traces, exit code 2, no destructor runs.
#ifndef GYRE_RUNTIME_PANIC_H_
#define GYRE_RUNTIME_PANIC_H_

#include <exception>
#include <string>

namespace gyre {

class PanicError : public std::exception {
 public:
  static constexpr int kMaxFrames = 32;

  explicit PanicError(std::string text);
  const char* what() const noexcept override { return text_.c_str(); }

  // Where it was made, innermost first: return addresses.
  void* const* frames() const { return frames_; }
  int frame_count() const { return frame_count_; }

 private:
  std::string text_;
  void* frames_[kMaxFrames];
  int frame_count_;
};

// Misuse that Go reports as a run-time error: of channels, mostly.
class RuntimeError : public PanicError {
 public:
  using PanicError::PanicError;
};

[[noreturn]] void Panic(std::string text);
[[noreturn]] void PanicRuntimeError(std::string text);

// From any thread.
[[noreturn]] void Fatal(const std::string& text);

}  // namespace gyre

#endif  // GYRE_RUNTIME_PANIC_H_
