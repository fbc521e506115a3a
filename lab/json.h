// JSON, written and read: results are written as JSON, and a comparison reads those of the runs that it started.
//
//   JsonWriter json;
//   json.BeginObject();
//   json.Key("time_ns").Number(1.5);
//   json.Key("runs").BeginArray();
//   ...
//   json.EndArray();
//   json.EndObject();
//   Use(json.text());
//
// Whatever bytes a string holds, what is written is valid JSON in ASCII: what is not UTF-8 becomes U+FFFD, a number
// that is not finite becomes null.
#ifndef GYRE_LAB_JSON_H_
#define GYRE_LAB_JSON_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace gyre::lab {

class JsonWriter {
 public:
  JsonWriter& BeginObject();
  JsonWriter& EndObject();
  JsonWriter& BeginArray();
  JsonWriter& EndArray();
  JsonWriter& Key(absl::string_view key);
  JsonWriter& String(absl::string_view value);
  JsonWriter& Number(double value);  // the shortest form that reads back as the same number
  JsonWriter& Integer(int64_t value);
  JsonWriter& Unsigned(uint64_t value);
  JsonWriter& Bool(bool value);

  // Complete, with a newline at its end, once everything that was begun has been ended.
  const std::string& text() const { return text_; }

 private:
  struct Level {
    char close;
    bool empty = true;
  };
  void BeforeValue();
  void Begin(char open, char close);
  void End();
  void Indent();
  void Quote(absl::string_view value);

  std::string text_;
  std::vector<Level> levels_;
  bool after_key_ = false;
};

// A value that was read. Members keep their order.
class JsonValue {
 public:
  enum class Type : uint8_t { kNull, kBool, kNumber, kString, kArray, kObject };

  // The whole text is one value; an error says where it is not. Nesting deeper than 64 is an error, too.
  static absl::StatusOr<JsonValue> Parse(absl::string_view text);

  Type type() const { return type_; }
  bool boolean() const { return boolean_; }
  double number() const { return number_; }
  // The text of a string, in UTF-8; or a number as it was written, for integers beyond 2^53 do not fit into number().
  const std::string& text() const { return text_; }
  const std::vector<JsonValue>& items() const { return items_; }
  const std::vector<std::pair<std::string, JsonValue>>& members() const { return members_; }
  // The member of that name; a null value if there is none, or this is no object.
  const JsonValue& operator[](absl::string_view name) const;

 private:
  friend class JsonParser;
  Type type_ = Type::kNull;
  bool boolean_ = false;
  double number_ = 0;
  std::string text_;
  std::vector<JsonValue> items_;
  std::vector<std::pair<std::string, JsonValue>> members_;
};

}  // namespace gyre::lab

#endif  // GYRE_LAB_JSON_H_
