// Traces made by hand, event by event: for what no runtime would write.
//
//   TraceWriter w;
//   w.Batch(0, 1000).Event(EventType::kProcStart, {7}).Event(EventType::kGoCreate, {1, 0, 0});
//   CheckTraceBytes(w.bytes());
#ifndef GYRE_TESTS_TRACE_TRACE_WRITER_H_
#define GYRE_TESTS_TRACE_TRACE_WRITER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/trace/events.h"

namespace gyre::trace {

class TraceWriter {
 public:
  TraceWriter() : bytes_(kHeader, kHeaderBytes) { Raw(EventType::kFrequency, {1'000'000'000}); }

  TraceWriter& Batch(int64_t processor, uint64_t ticks) {
    return Raw(EventType::kBatch, {static_cast<uint64_t>(processor), ticks});
  }

  // One tick after the last. `numbers`: what comes after the time.
  TraceWriter& Event(EventType type, std::vector<uint64_t> numbers = {}, uint64_t ticks = 1) {
    numbers.insert(numbers.begin(), ticks);
    return Raw(type, numbers);
  }

  TraceWriter& String(uint64_t id, const std::string& text) {
    bytes_.push_back(static_cast<char>(EventType::kString));
    Number(&bytes_, id);
    return Text(text);
  }

  TraceWriter& Text(const std::string& text) {
    Number(&bytes_, text.size());
    bytes_ += text;
    return *this;
  }

  // All numbers as they stand.
  TraceWriter& Raw(EventType type, const std::vector<uint64_t>& numbers) {
    std::string body;
    for (uint64_t number : numbers) Number(&body, number);
    const int arguments = static_cast<int>(numbers.size()) - 1;
    bytes_.push_back(static_cast<char>(EventHead(type, arguments)));
    if (arguments >= 3) Number(&bytes_, body.size());
    bytes_ += body;
    return *this;
  }

  const std::string& bytes() const { return bytes_; }

 private:
  static void Number(std::string* to, uint64_t value) {
    uint8_t bytes[kMaxNumberBytes];
    to->append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(PutNumber(bytes, value) - bytes));
  }

  std::string bytes_;
};

}  // namespace gyre::trace

#endif  // GYRE_TESTS_TRACE_TRACE_WRITER_H_
