#include "tests/lab/json_checker.h"

#include <regex>

#include "absl/strings/str_cat.h"

namespace gyre::lab {

std::string WhyNotJson(const std::string& text) {
  // Lexically: a string, a number, a word or a bracket, after blanks.
  static const std::regex kToken(
      R"([ \t\r\n]*(("([^"\\\x00-\x1f]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*")|(-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?)|)"
      R"(true|false|null|[\[\]{},:]))");
  static const std::regex kBlank(R"([ \t\r\n]*)");
  enum Expect { kValue, kValueOrEnd, kName, kNameOrEnd, kColon, kCommaOrEnd, kNothing };
  Expect expect = kValue;
  std::string open;  // brackets
  auto at = text.cbegin();
  std::smatch match;
  const auto wrong = [&] {
    return absl::StrCat("at byte ", at - text.cbegin(), " in state ", static_cast<int>(expect));
  };
  const auto value_ended = [&] { expect = open.empty() ? kNothing : kCommaOrEnd; };
  while (std::regex_search(at, text.cend(), match, kToken, std::regex_constants::match_continuous)) {
    const std::string token = match[1];
    const char c = token[0];
    if (c == '{' || c == '[') {
      if (expect != kValue && expect != kValueOrEnd) return wrong();
      open += c;
      expect = c == '{' ? kNameOrEnd : kValueOrEnd;
    } else if (c == '}' || c == ']') {
      const bool may_end = expect == kCommaOrEnd || expect == (c == '}' ? kNameOrEnd : kValueOrEnd);
      if (!may_end || open.empty() || open.back() != (c == '}' ? '{' : '[')) return wrong();
      open.pop_back();
      value_ended();
    } else if (c == ',') {
      if (expect != kCommaOrEnd) return wrong();
      expect = open.back() == '{' ? kName : kValue;
    } else if (c == ':') {
      if (expect != kColon) return wrong();
      expect = kValue;
    } else if (c == '"' && (expect == kName || expect == kNameOrEnd)) {
      expect = kColon;
    } else {
      if (expect != kValue && expect != kValueOrEnd) return wrong();
      value_ended();
    }
    at = match[0].second;
  }
  const bool only_blanks_left = std::regex_match(at, text.cend(), kBlank);
  return expect == kNothing && only_blanks_left ? "" : wrong();
}

}  // namespace gyre::lab
