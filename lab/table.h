// Text tables for a terminal: columns as wide as they need to be, two spaces between, numbers to the right.
//
//   TextTable table({{"scheduler", Align::kLeft}, {"time ms", Align::kRight}});
//   table.AddRow({"gmp", "312"});
//   std::cout << table.Text("  ");
#ifndef GYRE_LAB_TABLE_H_
#define GYRE_LAB_TABLE_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace gyre::lab {

enum class Align { kLeft, kRight };

struct TableColumn {
  std::string heading;
  Align align = Align::kLeft;
};

class TextTable {
 public:
  explicit TextTable(std::vector<TableColumn> columns) : columns_(std::move(columns)) {}

  // As many cells as there are columns; missing ones are empty.
  void AddRow(std::vector<std::string> cells);

  // With the headings, each line behind `indent`; no line has spaces at its end.
  std::string Text(absl::string_view indent) const;

 private:
  std::vector<TableColumn> columns_;
  std::vector<std::vector<std::string>> rows_;
};

// Broken between words so that no line is longer than `width` (but for a word that is), each behind `indent`.
std::string Wrap(absl::string_view text, absl::string_view indent, size_t width);

}  // namespace gyre::lab

#endif  // GYRE_LAB_TABLE_H_
