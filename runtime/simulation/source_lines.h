// Return addresses as function names with source lines.
#ifndef GYRE_RUNTIME_SIMULATION_SOURCE_LINES_H_
#define GYRE_RUNTIME_SIMULATION_SOURCE_LINES_H_

#include <string>
#include <vector>

namespace gyre::internal::simulation {

// "Transfer (bank.cc:31)" for each, inlined callers included, leaving out gyre's own layers at both ends. Lines need
// the program addr2line (binutils); without it there are names only.
std::vector<std::string> SourceLines(const std::vector<void*>& return_addresses);

}  // namespace gyre::internal::simulation

#endif  // GYRE_RUNTIME_SIMULATION_SOURCE_LINES_H_
