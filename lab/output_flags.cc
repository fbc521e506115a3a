// The flags that say where results go; several subcommands take them.
#include <string>

#include "absl/flags/flag.h"
#include "lab/output_flags.h"

ABSL_FLAG(std::string, json, "", "writes the result as JSON, into FILE or in place of the text on standard output");
ABSL_FLAG(std::string, csv, "", "writes the table as comma-separated values, into FILE or in place of the text");
