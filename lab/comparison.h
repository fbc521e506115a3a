// The results of a comparison, and the three ways in which they are shown. What is measured is in compare.cc.
#ifndef GYRE_LAB_COMPARISON_H_
#define GYRE_LAB_COMPARISON_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "lab/machine.h"
#include "lab/numbers.h"
#include "lab/result.h"

namespace gyre::lab {

// A workload under a configuration, and its runs.
struct ComparisonRow {
  RunResult identity;  // workload, parameters and configuration; with the first round's seed
  std::vector<RunResult> runs;

  int Count(Outcome outcome) const;
  // Over the runs that ended well. count 0: none has this figure.
  Summary Of(absl::string_view figure) const;
};

struct Comparison {
  std::string date;
  Machine machine;
  std::vector<std::string> arguments;  // that the lab was called with
  int rounds = 0;
  std::vector<ComparisonRow> rows;  // those of one workload beside each other
};

// For people: ASCII, a table for each workload, and what the columns mean.
std::string ComparisonText(const Comparison& comparison);

// Everything, each run with the command that repeats it.
std::string ComparisonJson(const Comparison& comparison);

// A line for each row: its configuration and the medians, at full precision.
std::string ComparisonCsv(const Comparison& comparison);

}  // namespace gyre::lab

#endif  // GYRE_LAB_COMPARISON_H_
