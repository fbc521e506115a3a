#include <charconv>
#include <cstddef>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "lab/json.h"

namespace gyre::lab {

namespace {

void AppendUtf8(std::string* out, char32_t code) {
  const auto put = [out](char32_t byte) { *out += static_cast<char>(byte); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xc0 | code >> 6);
    put(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    put(0xe0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3f));
    put(0x80 | (code & 0x3f));
  } else {
    put(0xf0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3f));
    put(0x80 | (code >> 6 & 0x3f));
    put(0x80 | (code & 0x3f));
  }
}

}  // namespace

// Recursive descent over RFC 8259's grammar. Each function leaves `at_` behind what it has read, or sets `wrong_`.
class JsonParser {
 public:
  explicit JsonParser(absl::string_view text) : text_(text) {}

  absl::StatusOr<JsonValue> Whole() {
    JsonValue value = Value(0);
    SkipSpace();
    if (wrong_ == nullptr && at_ != text_.size()) wrong_ = "something follows the value";
    if (wrong_ != nullptr) return absl::InvalidArgumentError(absl::StrCat("not JSON, at byte ", at_, ": ", wrong_));
    return value;
  }

 private:
  static constexpr int kMaxDepth = 64;

  bool Fail(const char* what) {
    if (wrong_ == nullptr) wrong_ = what;
    return false;
  }
  void SkipSpace() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t' || text_[at_] == '\r'))
      ++at_;
  }
  // Whether `c` comes next, which is then read.
  bool Take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool TakeWord(absl::string_view word) {
    if (text_.substr(at_, word.size()) != word) return Fail("no such word");
    at_ += word.size();
    return true;
  }
  bool TakeDigits() {
    const size_t begin = at_;
    while (at_ < text_.size() && absl::ascii_isdigit(text_[at_])) ++at_;
    return at_ > begin || Fail("a digit is missing");
  }

  JsonValue Value(int depth) {
    JsonValue value;
    SkipSpace();
    if (depth > kMaxDepth) {
      Fail("nested too deeply");
    } else if (Take('{')) {
      value.type_ = JsonValue::Type::kObject;
      Object(&value, depth);
    } else if (Take('[')) {
      value.type_ = JsonValue::Type::kArray;
      Array(&value, depth);
    } else if (Take('"')) {
      value.type_ = JsonValue::Type::kString;
      String(&value.text_);
    } else if (at_ < text_.size() && text_[at_] == 't') {
      value.type_ = JsonValue::Type::kBool;
      value.boolean_ = TakeWord("true");
    } else if (at_ < text_.size() && text_[at_] == 'f') {
      value.type_ = JsonValue::Type::kBool;
      TakeWord("false");
    } else if (at_ < text_.size() && text_[at_] == 'n') {
      TakeWord("null");
    } else {
      Number(&value);
    }
    return value;
  }

  void Object(JsonValue* object, int depth) {
    SkipSpace();
    if (Take('}')) return;
    do {
      SkipSpace();
      std::string name;
      if (!Take('"')) {
        Fail("a member's name is missing");
        return;
      }
      if (!String(&name)) return;
      SkipSpace();
      if (!Take(':')) {
        Fail("a colon is missing");
        return;
      }
      object->members_.emplace_back(std::move(name), Value(depth + 1));
      SkipSpace();
    } while (wrong_ == nullptr && Take(','));
    if (wrong_ == nullptr && !Take('}')) Fail("a comma or } is missing");
  }

  void Array(JsonValue* array, int depth) {
    SkipSpace();
    if (Take(']')) return;
    do {
      array->items_.push_back(Value(depth + 1));
      SkipSpace();
    } while (wrong_ == nullptr && Take(','));
    if (wrong_ == nullptr && !Take(']')) Fail("a comma or ] is missing");
  }

  bool Hex4(char32_t* code) {
    if (text_.size() - at_ < 4) return Fail("a \\u escape is cut off");
    unsigned value = 0;
    const char* begin = text_.data() + at_;
    if (std::from_chars(begin, begin + 4, value, 16).ptr != begin + 4) return Fail("a \\u escape is not hexadecimal");
    at_ += 4;
    *code = value;
    return true;
  }

  bool String(std::string* out) {
    for (;;) {
      if (at_ >= text_.size()) return Fail("a string does not end");
      const char c = text_[at_++];
      if (c == '"') return true;
      if (static_cast<unsigned char>(c) < 0x20) return Fail("a control character in a string");
      if (c != '\\') {
        *out += c;
        continue;
      }
      if (at_ >= text_.size()) return Fail("a string does not end");
      const char escape = text_[at_++];
      static constexpr absl::string_view kEscapes = "\"\\/bfnrt", kMeanings = "\"\\/\b\f\n\r\t";
      if (const size_t which = kEscapes.find(escape); which != absl::string_view::npos) {
        *out += kMeanings[which];
        continue;
      }
      if (escape != 'u') return Fail("an escape that JSON does not have");
      char32_t code, low;
      if (!Hex4(&code)) return false;
      if (code >= 0xd800 && code <= 0xdbff) {
        if (!Take('\\') || !Take('u') || !Hex4(&low) || low < 0xdc00 || low > 0xdfff)
          return Fail("half of a surrogate pair");
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
      } else if (code >= 0xdc00 && code <= 0xdfff) {
        return Fail("half of a surrogate pair");
      }
      AppendUtf8(out, code);
    }
  }

  void Number(JsonValue* value) {
    const size_t begin = at_;
    Take('-');
    if (!Take('0') && !TakeDigits()) return;
    if (Take('.') && !TakeDigits()) return;
    if (Take('e') || Take('E')) {
      if (!Take('+')) Take('-');
      if (!TakeDigits()) return;
    }
    value->type_ = JsonValue::Type::kNumber;
    value->text_ = std::string(text_.substr(begin, at_ - begin));
    if (!absl::SimpleAtod(value->text_, &value->number_)) Fail("a number that cannot be represented");
  }

  const absl::string_view text_;
  size_t at_ = 0;
  const char* wrong_ = nullptr;
};

absl::StatusOr<JsonValue> JsonValue::Parse(absl::string_view text) {
  return JsonParser(text).Whole();
}

const JsonValue& JsonValue::operator[](absl::string_view name) const {
  static const JsonValue kNull;
  for (const auto& [key, value] : members_) {
    if (key == name) return value;
  }
  return kNull;
}

}  // namespace gyre::lab
