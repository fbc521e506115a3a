#include "lab/table.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace gyre::lab {

void TextTable::AddRow(std::vector<std::string> cells) {
  cells.resize(columns_.size());
  rows_.push_back(std::move(cells));
}

std::string TextTable::Text(absl::string_view indent) const {
  std::vector<size_t> widths;
  for (const TableColumn& column : columns_) widths.push_back(column.heading.size());
  for (const std::vector<std::string>& row : rows_) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  const auto add_line = [&](auto&& cell) {
    std::string line(indent);
    for (size_t i = 0; i < columns_.size(); ++i) {
      const std::string& content = cell(i);
      const std::string padding(widths[i] - content.size(), ' ');
      if (i > 0) line += "  ";
      absl::StrAppend(&line, columns_[i].align == Align::kRight ? padding + content : content + padding);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    absl::StrAppend(&text, line, "\n");
  };
  add_line([&](size_t i) -> const std::string& { return columns_[i].heading; });
  for (const std::vector<std::string>& row : rows_) add_line([&](size_t i) -> const std::string& { return row[i]; });
  return text;
}

std::string Wrap(absl::string_view text, absl::string_view indent, size_t width) {
  std::string lines, line;
  for (absl::string_view word : absl::StrSplit(text, ' ', absl::SkipEmpty())) {
    if (!line.empty() && indent.size() + line.size() + 1 + word.size() > width) {
      absl::StrAppend(&lines, indent, line, "\n");
      line.clear();
    }
    absl::StrAppend(&line, line.empty() ? "" : " ", word);
  }
  if (!line.empty()) absl::StrAppend(&lines, indent, line, "\n");
  return lines;
}

}  // namespace gyre::lab
