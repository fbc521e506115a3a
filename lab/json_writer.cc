#include <charconv>
#include <cmath>
#include <cstddef>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "lab/json.h"

namespace gyre::lab {

namespace {

// The code point that begins at text[*at], which moves past it; U+FFFD for a byte that begins none.
char32_t NextCodePoint(absl::string_view text, size_t* at) {
  constexpr char32_t kReplacement = 0xfffd;
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte((*at)++);
  if (first < 0x80) return first;
  int more;
  char32_t code;
  if (first >= 0xc2 && first <= 0xdf) {
    more = 1;
    code = first & 0x1f;
  } else if (first >= 0xe0 && first <= 0xef) {
    more = 2;
    code = first & 0x0f;
  } else if (first >= 0xf0 && first <= 0xf4) {
    more = 3;
    code = first & 0x07;
  } else {
    return kReplacement;
  }
  size_t i = *at;
  for (int k = 0; k < more; ++k, ++i) {
    if (i >= text.size() || (byte(i) & 0xc0) != 0x80) return kReplacement;
    code = code << 6 | (byte(i) & 0x3f);
  }
  // Longer than it needs to be, half of a surrogate pair, or beyond Unicode.
  constexpr char32_t kLeast[] = {0, 0x80, 0x800, 0x10000};
  if (code < kLeast[more] || (code >= 0xd800 && code <= 0xdfff) || code > 0x10ffff) return kReplacement;
  *at = i;
  return code;
}

}  // namespace

void JsonWriter::Indent() {
  text_.append(1, '\n').append(2 * levels_.size(), ' ');
}

void JsonWriter::BeforeValue() {
  if (after_key_) {
    after_key_ = false;
    return;
  }
  if (levels_.empty()) return;
  if (!levels_.back().empty) text_ += ',';
  levels_.back().empty = false;
  Indent();
}

void JsonWriter::Begin(char open, char close) {
  BeforeValue();
  text_ += open;
  levels_.push_back({close});
}

void JsonWriter::End() {
  const Level level = levels_.back();
  levels_.pop_back();
  if (!level.empty) Indent();
  text_ += level.close;
  if (levels_.empty()) text_ += '\n';
}

JsonWriter& JsonWriter::BeginObject() {
  Begin('{', '}');
  return *this;
}

JsonWriter& JsonWriter::EndObject() {
  End();
  return *this;
}

JsonWriter& JsonWriter::BeginArray() {
  Begin('[', ']');
  return *this;
}

JsonWriter& JsonWriter::EndArray() {
  End();
  return *this;
}

JsonWriter& JsonWriter::Key(absl::string_view key) {
  BeforeValue();
  Quote(key);
  text_ += ": ";
  after_key_ = true;
  return *this;
}

void JsonWriter::Quote(absl::string_view value) {
  text_ += '"';
  for (size_t at = 0; at < value.size();) {
    const char32_t code = NextCodePoint(value, &at);
    if (code == '"' || code == '\\') {
      text_ += '\\';
      text_ += static_cast<char>(code);
    } else if (code == '\n') {
      text_ += "\\n";
    } else if (code >= 0x20 && code < 0x7f) {
      text_ += static_cast<char>(code);
    } else if (code < 0x10000) {
      absl::StrAppendFormat(&text_, "\\u%04x", static_cast<unsigned>(code));
    } else {
      const unsigned pair = static_cast<unsigned>(code) - 0x10000;
      absl::StrAppendFormat(&text_, "\\u%04x\\u%04x", 0xd800 + (pair >> 10), 0xdc00 + (pair & 0x3ff));
    }
  }
  text_ += '"';
}

JsonWriter& JsonWriter::String(absl::string_view value) {
  BeforeValue();
  Quote(value);
  return *this;
}

JsonWriter& JsonWriter::Number(double value) {
  BeforeValue();
  if (!std::isfinite(value)) {
    text_ += "null";
    return *this;
  }
  char digits[32];
  const std::to_chars_result end = std::to_chars(digits, digits + sizeof(digits), value);
  text_.append(digits, end.ptr);
  return *this;
}

JsonWriter& JsonWriter::Integer(int64_t value) {
  BeforeValue();
  absl::StrAppend(&text_, value);
  return *this;
}

JsonWriter& JsonWriter::Unsigned(uint64_t value) {
  BeforeValue();
  absl::StrAppend(&text_, value);
  return *this;
}

JsonWriter& JsonWriter::Bool(bool value) {
  BeforeValue();
  text_ += value ? "true" : "false";
  return *this;
}

}  // namespace gyre::lab
