// A shared library that is loaded when it is first needed: a program that nobody looks into does not pay for libdw or
// libmicrohttpd (which brings GnuTLS with it), at its start or in its memory, and runs where they are not installed.
#ifndef GYRE_RUNTIME_DEBUG_LIBRARY_H_
#define GYRE_RUNTIME_DEBUG_LIBRARY_H_

#include <string>

#include "absl/status/status.h"

namespace gyre::internal {

class Library {
 public:
  // `file`: "libdw.so.1". `package`: Debian's, for the message. Never unloaded.
  Library(const char* file, const char* package);

  // *function becomes the library's function of that name. Does nothing after an error.
  template <typename F>
  Library& Bind(const char* name, F** function) {
    if (void* found = Find(name)) *function = reinterpret_cast<F*>(found);
    return *this;
  }

  // What went wrong so far: the library is not there, or lacks a function.
  const absl::Status& status() const { return status_; }

 private:
  void* Find(const char* name);

  std::string file_;
  void* handle_ = nullptr;
  absl::Status status_;
};

}  // namespace gyre::internal

#endif  // GYRE_RUNTIME_DEBUG_LIBRARY_H_
