#include "runtime/debug/profile.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "runtime/debug/gzip.h"
#include "runtime/debug/source_symbols.h"

namespace gyre::internal {

namespace {

// The wire format: varints, and length-delimited pieces.
class Message {
 public:
  void Number(int field, uint64_t value) {
    if (value == 0) return;  // proto3's default is left out
    Varint(static_cast<uint64_t>(field) << 3);
    Varint(value);
  }
  void Bytes(int field, absl::string_view bytes) {
    Varint(static_cast<uint64_t>(field) << 3 | 2);
    Varint(bytes.size());
    data_.append(bytes.data(), bytes.size());
  }
  void Packed(int field, const std::vector<uint64_t>& values) {
    Message packed;
    for (uint64_t value : values) packed.Varint(value);
    Bytes(field, packed.data_);
  }
  const std::string& data() const { return data_; }

 private:
  void Varint(uint64_t value) {
    for (; value >= 128; value >>= 7) data_.push_back(static_cast<char>(value | 128));
    data_.push_back(static_cast<char>(value));
  }
  std::string data_;
};

// Gives numbers to things, from `first`, in their order of appearance.
template <typename Key>
class Numbers {
 public:
  explicit Numbers(uint64_t first) : first_(first) {}
  // The number; *is_new: it is a new one.
  uint64_t Of(const Key& key, bool* is_new = nullptr) {
    auto [place, inserted] = numbers_.try_emplace(key, first_ + numbers_.size());
    if (is_new != nullptr) *is_new = inserted;
    if (inserted) order_.push_back(&place->first);
    return place->second;
  }
  const std::vector<const Key*>& in_order() const { return order_; }

 private:
  uint64_t first_;
  std::map<Key, uint64_t> numbers_;
  std::vector<const Key*> order_;
};

// What a goroutine's first frame was called from.
bool IsBottom(const Symbols& symbols) {
  return absl::StartsWith(symbols.frames.front().function, "make_fcontext");
}

class Encoder {
 public:
  Encoder() { strings_.Of(""); }

  Message& out() { return out_; }
  uint64_t String(const std::string& text) { return strings_.Of(text); }

  void Type(int field, const Profile::ValueType& type) {
    Message message;
    message.Number(1, String(type.type));
    message.Number(2, String(type.unit));
    out_.Bytes(field, message.data());
  }

  void Sample(const Profile::Sample& sample) {
    std::vector<uint64_t> locations;
    for (uintptr_t pc : sample.pcs) {
      const Symbols& symbols = SymbolsOf(pc);
      if (IsBottom(symbols)) break;
      locations.push_back(Location(pc, symbols));
    }
    Message message;
    message.Packed(1, locations);
    message.Packed(2, std::vector<uint64_t>(sample.values.begin(), sample.values.end()));
    for (const auto& [key, value] : sample.labels) {
      Message label;
      label.Number(1, String(key));
      label.Number(2, String(value));
      message.Bytes(3, label.data());
    }
    out_.Bytes(2, message.data());
  }

  void Strings() {
    for (const std::string* text : strings_.in_order()) out_.Bytes(6, *text);
  }

 private:
  uint64_t Location(uintptr_t pc, const Symbols& symbols) {
    bool is_new;
    const uint64_t id = locations_.Of(pc, &is_new);
    if (!is_new) return id;
    Message message;
    message.Number(1, id);
    if (symbols.module != nullptr) message.Number(2, Mapping(*symbols.module));
    message.Number(3, pc);
    for (const CodeFrame& frame : symbols.frames) {
      Message line;
      line.Number(1, Function(frame));
      line.Number(2, static_cast<uint64_t>(frame.line));
      message.Bytes(4, line.data());
    }
    out_.Bytes(4, message.data());
    return id;
  }

  uint64_t Mapping(const Module& module) {
    bool is_new;
    const uint64_t id = mappings_.Of(&module, &is_new);
    if (!is_new) return id;
    Message message;
    message.Number(1, id);
    message.Number(2, module.start);
    message.Number(3, module.end);
    message.Number(5, String(module.file));
    message.Number(6, String(module.build_id));
    for (int known : {7, 8, 9, 10}) message.Number(known, 1);  // functions, files, lines, inlined frames: all are here
    out_.Bytes(3, message.data());
    return id;
  }

  uint64_t Function(const CodeFrame& frame) {
    bool is_new;
    const uint64_t id = functions_.Of(std::make_tuple(frame.function, frame.file, frame.start_line), &is_new);
    if (!is_new) return id;
    Message message;
    message.Number(1, id);
    message.Number(2, String(frame.function));
    message.Number(3, String(frame.function));
    message.Number(4, String(frame.file));
    message.Number(5, static_cast<uint64_t>(frame.start_line));
    out_.Bytes(5, message.data());
    return id;
  }

  Message out_;
  Numbers<std::string> strings_{0};
  Numbers<uintptr_t> locations_{1};
  Numbers<const Module*> mappings_{1};
  Numbers<std::tuple<std::string, std::string, int64_t>> functions_{1};
};

}  // namespace

void Profile::Add(absl::Span<void* const> pcs, const std::vector<int64_t>& values, const Labels& labels,
                  bool first_is_exact) {
  std::pair<std::vector<uintptr_t>, Labels> key;
  key.first.reserve(pcs.size());
  for (void* pc : pcs) key.first.push_back(reinterpret_cast<uintptr_t>(pc) - 1);
  if (first_is_exact && !key.first.empty()) ++key.first[0];
  key.second = labels;
  std::sort(key.second.begin(), key.second.end());
  std::vector<int64_t>& sums = samples_[std::move(key)];
  sums.resize(sample_types_.size());
  for (size_t i = 0; i < values.size() && i < sums.size(); ++i) sums[i] += values[i];
}

std::vector<Profile::Sample> Profile::Samples() const {
  std::vector<Sample> samples;
  samples.reserve(samples_.size());
  for (const auto& [key, values] : samples_) samples.push_back({key.first, key.second, values});
  std::stable_sort(samples.begin(), samples.end(),
                   [](const Sample& a, const Sample& b) { return a.values.back() > b.values.back(); });
  return samples;
}

std::string Profile::Encode() const {
  Encoder encoder;
  for (const ValueType& type : sample_types_) encoder.Type(1, type);
  for (const Sample& sample : Samples()) encoder.Sample(sample);
  encoder.Type(11, period_type_);
  Message& out = encoder.out();
  out.Number(9, static_cast<uint64_t>(time_nanos_));
  out.Number(10, static_cast<uint64_t>(duration_nanos_));
  out.Number(12, static_cast<uint64_t>(period_));
  std::vector<uint64_t> comments;
  for (const std::string& comment : comments_) comments.push_back(encoder.String(comment));
  if (const std::string missing = WhyNoLines(); !missing.empty()) comments.push_back(encoder.String(missing));
  if (!comments.empty()) out.Packed(13, comments);
  encoder.Strings();
  return Gzip(out.data());
}

}  // namespace gyre::internal
