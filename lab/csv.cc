#include "lab/csv.h"

#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"

namespace gyre::lab {

std::string CsvLine(const std::vector<std::string>& fields) {
  return absl::StrJoin(fields, ",",
                       [](std::string* out, const std::string& field) {
                         if (field.find_first_of(",\"\r\n") == std::string::npos) {
                           out->append(field);
                         } else {
                           out->append("\"").append(absl::StrReplaceAll(field, {{"\"", "\"\""}})).append("\"");
                         }
                       }) +
         "\r\n";
}

}  // namespace gyre::lab
