// The machine that a result was measured on, and when and with what.
#ifndef GYRE_LAB_MACHINE_H_
#define GYRE_LAB_MACHINE_H_

#include <cstdint>
#include <string>

namespace gyre::lab {

struct Machine {
  std::string cpu;  // "AMD EPYC 9654 96-Core Processor"
  int cores = 0;    // that this process may use
  int64_t memory_bytes = 0;
  std::string kernel;    // "Linux 6.1.0-18-amd64"
  std::string compiler;  // "gcc 12.2.0"
  std::string build;     // "optimised, with assertions", and the sanitizer if there is one

  static Machine ThisOne();
  std::string ToString() const;  // in one line
};

// "2024-05-01T12:34:56Z"
std::string DateNow();

// The most memory that this process has had resident so far, in bytes; 0 if the kernel does not say.
uint64_t PeakMemoryBytes();

}  // namespace gyre::lab

#endif  // GYRE_LAB_MACHINE_H_
