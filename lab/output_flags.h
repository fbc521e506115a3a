// The flags that say where results go; several subcommands take them.
#ifndef GYRE_LAB_OUTPUT_FLAGS_H_
#define GYRE_LAB_OUTPUT_FLAGS_H_

#include <string>

#include "absl/flags/declare.h"
#include "lab/arguments.h"

// Empty: not wanted; "-": on standard output, and no other text there.
ABSL_DECLARE_FLAG(std::string, json);
ABSL_DECLARE_FLAG(std::string, csv);

namespace gyre::lab {

inline constexpr FlagUse kJsonFlag{"json", "FILE", "-"};
inline constexpr FlagUse kCsvFlag{"csv", "FILE", "-"};

}  // namespace gyre::lab

#endif  // GYRE_LAB_OUTPUT_FLAGS_H_
