// Comma-separated values as RFC 4180 has them: a field with a comma, a quote or a line break is quoted; lines end with
// \r\n.
#ifndef GYRE_LAB_CSV_H_
#define GYRE_LAB_CSV_H_

#include <string>
#include <vector>

namespace gyre::lab {

// One line.
std::string CsvLine(const std::vector<std::string>& fields);

}  // namespace gyre::lab

#endif  // GYRE_LAB_CSV_H_
