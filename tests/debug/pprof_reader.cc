#include "tests/debug/pprof_reader.h"

#include <gtest/gtest.h>
#include <unistd.h>
#include <zlib.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"

namespace gyre::testing {

namespace {

std::string Unzipped(const std::string& data) {
  z_stream stream{};
  EXPECT_EQ(inflateInit2(&stream, MAX_WBITS + 16), Z_OK);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(data.data()));
  stream.avail_in = static_cast<uInt>(data.size());
  std::string text;
  char buffer[4096];
  int result = Z_OK;
  while (result == Z_OK) {
    stream.next_out = reinterpret_cast<Bytef*>(buffer);
    stream.avail_out = sizeof(buffer);
    result = inflate(&stream, Z_NO_FLUSH);
    text.append(buffer, sizeof(buffer) - stream.avail_out);
  }
  EXPECT_EQ(result, Z_STREAM_END) << "not a gzip file";
  inflateEnd(&stream);
  return text;
}

// A message's fields, in order.
struct Field {
  int number = 0;
  uint64_t value = 0;  // of a varint
  std::string bytes;
};

uint64_t Varint(const std::string& data, size_t* at) {
  uint64_t value = 0;
  for (int shift = 0; *at < data.size(); shift += 7) {
    const auto byte = static_cast<unsigned char>(data[(*at)++]);
    value |= static_cast<uint64_t>(byte & 127) << shift;
    if (byte < 128) break;
  }
  return value;
}

std::vector<Field> Fields(const std::string& data) {
  std::vector<Field> fields;
  for (size_t at = 0; at < data.size();) {
    const uint64_t tag = Varint(data, &at);
    Field field;
    field.number = static_cast<int>(tag >> 3);
    if ((tag & 7) == 0) {
      field.value = Varint(data, &at);
    } else if ((tag & 7) == 2) {
      const uint64_t size = Varint(data, &at);
      if (size > data.size() - at) {
        ADD_FAILURE() << "a piece is longer than what holds it";
        return fields;
      }
      field.bytes = data.substr(at, size);
      at += size;
    } else {
      ADD_FAILURE() << "wire type " << (tag & 7);
      return fields;
    }
    fields.push_back(std::move(field));
  }
  return fields;
}

std::map<int, uint64_t> Values(const std::string& data) {
  std::map<int, uint64_t> values;
  for (const Field& field : Fields(data)) values[field.number] = field.value;
  return values;
}

std::vector<uint64_t> Packed(const std::string& data) {
  std::vector<uint64_t> values;
  for (size_t at = 0; at < data.size();) values.push_back(Varint(data, &at));
  return values;
}

class Reader {
 public:
  explicit Reader(const std::string& data) : fields_(Fields(data)) {
    for (const Field& field : fields_) {
      if (field.number == 6) strings_.push_back(field.bytes);
    }
    EXPECT_FALSE(strings_.empty());
    if (!strings_.empty()) {
      EXPECT_EQ(strings_[0], "");
    }
    for (const Field& field : fields_) {
      if (field.number == 5) ReadFunction(field.bytes);
    }
    for (const Field& field : fields_) {
      if (field.number == 4) ReadLocation(field.bytes);
    }
  }

  Pprof Read() {
    Pprof profile;
    for (const Field& field : fields_) {
      if (field.number == 1) profile.sample_types.push_back(Type(field.bytes));
      if (field.number == 11) profile.period_type = Type(field.bytes);
      if (field.number == 12) profile.period = static_cast<int64_t>(field.value);
    }
    for (const Field& field : fields_) {
      if (field.number == 2) profile.samples.push_back(ReadSample(field.bytes));
    }
    for (const PprofSample& sample : profile.samples) EXPECT_EQ(sample.values.size(), profile.sample_types.size());
    return profile;
  }

 private:
  std::string String(uint64_t number) {
    if (number < strings_.size()) return strings_[number];
    ADD_FAILURE() << "there is no string " << number;
    return "";
  }

  std::string Type(const std::string& data) {
    std::map<int, uint64_t> values = Values(data);
    return String(values[1]) + "/" + String(values[2]);
  }

  void ReadFunction(const std::string& data) {
    std::map<int, uint64_t> values = Values(data);
    EXPECT_NE(values[1], 0u);
    EXPECT_TRUE(functions_.emplace(values[1], PprofFrame{String(values[2]), String(values[4]), 0}).second);
  }

  void ReadLocation(const std::string& data) {
    uint64_t id = 0;
    std::vector<PprofFrame> frames;
    for (const Field& field : Fields(data)) {
      if (field.number == 1) id = field.value;
      if (field.number != 4) continue;
      std::map<int, uint64_t> line = Values(field.bytes);
      EXPECT_EQ(functions_.count(line[1]), 1u) << "there is no function " << line[1];
      frames.push_back(functions_[line[1]]);
      frames.back().line = static_cast<int64_t>(line[2]);
    }
    EXPECT_NE(id, 0u);
    EXPECT_TRUE(locations_.emplace(id, std::move(frames)).second);
  }

  PprofSample ReadSample(const std::string& data) {
    PprofSample sample;
    for (const Field& field : Fields(data)) {
      if (field.number == 1) {
        for (uint64_t id : Packed(field.bytes)) {
          EXPECT_EQ(locations_.count(id), 1u) << "there is no location " << id;
          for (const PprofFrame& frame : locations_[id]) sample.stack.push_back(frame);
        }
      }
      if (field.number == 2) {
        for (uint64_t value : Packed(field.bytes)) sample.values.push_back(static_cast<int64_t>(value));
      }
      if (field.number == 3) {
        std::map<int, uint64_t> label = Values(field.bytes);
        sample.labels[String(label[1])] = String(label[2]);
      }
    }
    return sample;
  }

  const std::vector<Field> fields_;
  std::vector<std::string> strings_;
  std::map<uint64_t, PprofFrame> functions_;
  std::map<uint64_t, std::vector<PprofFrame>> locations_;
};

}  // namespace

bool PprofSample::Has(const std::string& text, PprofFrame* found) const {
  for (const PprofFrame& frame : stack) {
    if (frame.function.find(text) == std::string::npos) continue;
    if (found != nullptr) *found = frame;
    return true;
  }
  return false;
}

int64_t Pprof::Sum(const std::string& text, size_t which) const {
  int64_t sum = 0;
  for (const PprofSample& sample : samples) {
    if (text.empty() || sample.Has(text)) sum += sample.values.at(which);
  }
  return sum;
}

std::string Pprof::ToString() const {
  std::string text;
  for (const PprofSample& sample : samples) {
    for (int64_t value : sample.values) absl::StrAppend(&text, value, " ");
    for (const auto& [key, value] : sample.labels) absl::StrAppend(&text, key, "=", value, " ");
    text += "\n";
    for (const PprofFrame& frame : sample.stack) {
      absl::StrAppend(&text, "    ", frame.function, " ", frame.file, ":", frame.line, "\n");
    }
  }
  return text;
}

Pprof ReadPprof(const std::string& file) {
  return Reader(Unzipped(file)).Read();
}

std::optional<std::string> GoToolPprof(const std::string& arguments, const std::string& file) {
  if (std::system("command -v go >/dev/null 2>&1") != 0) return std::nullopt;
  const std::string path = absl::StrCat(::testing::TempDir(), "/profile_", getpid());
  std::ofstream(path, std::ios::binary) << file;
  // In the sandbox there may be no home folder, which go asks for.
  const std::string command = absl::StrCat("HOME='", ::testing::TempDir(), "' GOFLAGS= GOCACHE='", ::testing::TempDir(),
                                           "/go' go tool pprof ", arguments, " '", path, "' 2>&1");
  FILE* pipe = popen(command.c_str(), "r");
  std::string text;
  char buffer[4096];
  for (size_t n; pipe != nullptr && (n = fread(buffer, 1, sizeof(buffer), pipe)) > 0;) text.append(buffer, n);
  EXPECT_EQ(pclose(pipe), 0) << text;
  std::remove(path.c_str());
  return text;
}

}  // namespace gyre::testing
