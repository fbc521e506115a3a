#include "tests/lab/json_checker.h"

#include <cctype>
#include <cstddef>

#include "absl/strings/str_cat.h"

namespace gyre::lab {

namespace {

size_t SkipDigits(const std::string& text, size_t at) {
  while (at < text.size() && std::isdigit(static_cast<unsigned char>(text[at])) != 0) ++at;
  return at;
}

// Each: one past what begins at `begin`; `begin` itself if that is not what it should be.
size_t EndOfString(const std::string& text, size_t begin) {
  for (size_t at = begin + 1; at < text.size(); ++at) {
    if (text[at] == '"') return at + 1;
    if (static_cast<unsigned char>(text[at]) < 0x20) break;
    if (text[at] != '\\') continue;
    ++at;
    if (at < text.size() && text[at] == 'u') {
      for (size_t last = at + 4; at < last; ++at) {
        if (at + 1 >= text.size() || std::isxdigit(static_cast<unsigned char>(text[at + 1])) == 0) return begin;
      }
    } else if (at >= text.size() || std::string("\"\\/bfnrt").find(text[at]) == std::string::npos) {
      break;
    }
  }
  return begin;
}

size_t EndOfNumber(const std::string& text, size_t begin) {
  const size_t digits = begin + (text[begin] == '-' ? 1 : 0);
  size_t at = SkipDigits(text, digits);
  if (at == digits || (text[digits] == '0' && at > digits + 1)) return begin;
  for (const char* part : {".", "eE"}) {
    if (at >= text.size() || std::string(part).find(text[at]) == std::string::npos) continue;
    ++at;
    if (*part == 'e' && at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
    const size_t end = SkipDigits(text, at);
    if (end == at) return begin;
    at = end;
  }
  return at;
}

size_t EndOfScalar(const std::string& text, size_t begin) {
  if (text[begin] == '"') return EndOfString(text, begin);
  for (const std::string word : {"true", "false", "null"}) {
    if (text.compare(begin, word.size(), word) == 0) return begin + word.size();
  }
  return EndOfNumber(text, begin);
}

}  // namespace

std::string WhyNotJson(const std::string& text) {
  enum Expect { kValue, kValueOrEnd, kName, kNameOrEnd, kColon, kCommaOrEnd, kNothing };
  Expect expect = kValue;
  std::string open;  // brackets
  size_t at = 0;
  const auto wrong = [&] { return absl::StrCat("at byte ", at, " in state ", static_cast<int>(expect)); };
  const auto value_ended = [&] { expect = open.empty() ? kNothing : kCommaOrEnd; };
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (c == ' ' || c == '\t' || c == '\r' || c == '\n') continue;
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
    } else {
      const bool name = expect == kName || expect == kNameOrEnd;
      if (!name && expect != kValue && expect != kValueOrEnd) return wrong();
      const size_t end = EndOfScalar(text, at);
      if (end == at || (name && c != '"')) return wrong();
      at = end - 1;
      if (name) {
        expect = kColon;
      } else {
        value_ended();
      }
    }
  }
  return expect == kNothing ? "" : wrong();
}

}  // namespace gyre::lab
