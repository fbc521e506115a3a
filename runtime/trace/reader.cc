#include "runtime/trace/reader.h"

#include <limits>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace gyre::trace {

namespace {

constexpr uint64_t kLongestString = 1'000'000;
constexpr uint64_t kMostFrames = 1000;
constexpr int64_t kMostProcessors = 1'000'000;  // above are the numbers that Go's viewer gives to what is no processor

class Reader {
 public:
  explicit Reader(absl::string_view bytes) : bytes_(bytes) {}

  absl::StatusOr<Trace> Read() {
    if (absl::Status status = ReadHeader(); !status.ok()) return status;
    while (at_ < bytes_.size()) {
      if (absl::Status status = ReadEvent(); !status.ok()) return status;
    }
    if (trace_.ticks_per_second == 0) return Bad("the trace does not say how long a tick is (no Frequency event)");
    return std::move(trace_);
  }

 private:
  absl::Status Bad(absl::string_view what) const {
    return absl::InvalidArgumentError(absl::StrCat("not a whole trace: at byte ", start_, ": ", what));
  }

  absl::Status ReadHeader() {
    for (const char* version : {"go 1.11 trace\0\0\0", "go 1.19 trace\0\0\0"}) {
      if (bytes_.substr(0, kHeaderBytes) == absl::string_view(version, kHeaderBytes)) {
        at_ = kHeaderBytes;
        return absl::OkStatus();
      }
    }
    return absl::InvalidArgumentError(
        "not a trace: it does not begin with \"go 1.19 trace\" (or 1.11) and zeros, 16 bytes in all");
  }

  bool Number(size_t end, uint64_t* value) {
    uint64_t result = 0;
    for (int shift = 0; at_ < end && shift < 64; shift += 7) {
      const auto byte = static_cast<uint8_t>(bytes_[at_++]);
      if (shift == 63 && byte > 1) return false;
      result |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if ((byte & 0x80) == 0) {
        *value = result;
        return true;
      }
    }
    return false;
  }

  bool Text(uint64_t longest, absl::string_view* text) {
    uint64_t length;
    if (!Number(bytes_.size(), &length) || length > longest || length > bytes_.size() - at_) return false;
    *text = bytes_.substr(at_, length);
    at_ += length;
    return true;
  }

  absl::Status ReadEvent() {
    start_ = at_;
    const auto head = static_cast<uint8_t>(bytes_[at_++]);
    const int number = head & 0x3f;
    const int given = head >> 6;
    if (number == 0 || number >= kEventTypes) return Bad(absl::StrCat("there is no event of type ", number));
    const auto type = static_cast<EventType>(number);
    if (type == EventType::kString) return ReadString();

    numbers_.clear();
    if (given < 3) {
      for (int i = 0; i <= given; ++i) {
        uint64_t value;
        if (!Number(bytes_.size(), &value)) return Bad("a number is cut off, or longer than 64 bits");
        numbers_.push_back(value);
      }
    } else {
      uint64_t length;
      if (!Number(bytes_.size(), &length)) return Bad("a length is cut off, or longer than 64 bits");
      if (length > bytes_.size() - at_) return Bad("an event is longer than the file");
      const size_t end = at_ + length;
      while (at_ < end) {
        uint64_t value;
        if (!Number(end, &value)) return Bad("a number does not end within its event");
        numbers_.push_back(value);
      }
    }
    if (type == EventType::kStack) return ReadStack();
    const EventInfo& info = InfoOf(type);
    const size_t expected = static_cast<size_t>(info.arguments + (info.has_time ? 1 : 0) + (info.has_stack ? 1 : 0));
    if (numbers_.size() != expected) {
      return Bad(absl::StrCat(info.name, " has ", numbers_.size(), " numbers and should have ", expected));
    }
    switch (type) {
      case EventType::kBatch:
        return ReadBatch();
      case EventType::kFrequency:
        if (numbers_[0] == 0 || numbers_[0] > std::numeric_limits<int64_t>::max()) return Bad("a second has no ticks");
        trace_.ticks_per_second = numbers_[0];
        return absl::OkStatus();
      case EventType::kTimerGoroutine:
        return absl::OkStatus();
      default:
        return ReadTimed(type, info);
    }
  }

  absl::Status ReadString() {
    uint64_t id;
    absl::string_view text;
    if (!Number(bytes_.size(), &id) || id == 0) return Bad("a string has no number");
    if (!Text(kLongestString, &text)) return Bad("a string is cut off, or too long");
    if (text.empty()) return Bad("a string is empty");
    if (!trace_.strings.emplace(id, text).second) return Bad(absl::StrCat("string ", id, " is there twice"));
    return absl::OkStatus();
  }

  absl::Status ReadStack() {
    if (numbers_.size() < 2) return Bad("a stack has no size");
    const uint64_t count = numbers_[1];
    if (count > kMostFrames || numbers_.size() != 2 + 4 * count) return Bad("a stack's size is not that of its frames");
    if (numbers_[0] == 0 || count == 0) return absl::OkStatus();  // as good as none
    std::vector<Frame> frames;
    frames.reserve(count);
    for (size_t i = 2; i < numbers_.size(); i += 4) {
      frames.push_back({numbers_[i], numbers_[i + 1], numbers_[i + 2], numbers_[i + 3]});
    }
    trace_.stacks[numbers_[0]] = std::move(frames);
    return absl::OkStatus();
  }

  absl::Status ReadBatch() {
    const auto processor = static_cast<int64_t>(numbers_[0]);
    if (processor < kNoProcessor || processor >= kMostProcessors) return Bad("a batch is of no possible processor");
    processor_ = static_cast<int32_t>(processor);
    in_batch_ = true;
    ticks_ = numbers_[1];
    return absl::OkStatus();
  }

  absl::Status ReadTimed(EventType type, const EventInfo& info) {
    if (!in_batch_) return Bad("an event comes before the first batch");
    Event event;
    event.type = type;
    event.processor = processor_;
    event.offset = start_;
    if (__builtin_add_overflow(ticks_, numbers_[0], &ticks_)) return Bad("a time is beyond 64 bits");
    event.ticks = ticks_;
    for (int i = 0; i < info.arguments; ++i) event.arguments[i] = numbers_[static_cast<size_t>(i) + 1];
    if (info.has_stack) event.stack = numbers_.back();
    uint64_t& current = current_[processor_];
    event.goroutine = current;
    switch (type) {
      case EventType::kGoStart:
      case EventType::kGoStartLocal:
      case EventType::kGoStartLabel:
        event.goroutine = current = event.arguments[0];
        break;
      case EventType::kGoSysExit:
      case EventType::kGoSysExitLocal:
      case EventType::kGoWaiting:
      case EventType::kGoInSyscall:
        event.goroutine = event.arguments[0];
        break;
      case EventType::kGoEnd:
      case EventType::kGoStop:
      case EventType::kGoSched:
      case EventType::kGoPreempt:
      case EventType::kGoSleep:
      case EventType::kGoBlock:
      case EventType::kGoBlockSend:
      case EventType::kGoBlockRecv:
      case EventType::kGoBlockSelect:
      case EventType::kGoBlockSync:
      case EventType::kGoBlockCond:
      case EventType::kGoBlockNet:
      case EventType::kGoBlockGC:
      case EventType::kGoSysBlock:
        current = 0;
        break;
      case EventType::kUserLog: {
        absl::string_view text;
        if (!Text(kLongestString, &text)) return Bad("a log's text is cut off, or too long");
        event.text = static_cast<uint32_t>(trace_.messages.size());
        trace_.messages.emplace_back(text);
        break;
      }
      default:
        break;
    }
    trace_.events.push_back(event);
    return absl::OkStatus();
  }

  const absl::string_view bytes_;
  size_t at_ = 0;
  size_t start_ = 0;  // of the event that is read
  std::vector<uint64_t> numbers_;
  bool in_batch_ = false;
  int32_t processor_ = -1;
  uint64_t ticks_ = 0;
  std::unordered_map<int32_t, uint64_t> current_;  // the goroutine that runs on each processor
  Trace trace_;
};

const std::string& Empty() {
  static const auto* empty = new std::string;
  return *empty;
}

}  // namespace

const std::string& Trace::String(uint64_t id) const {
  const auto found = strings.find(id);
  return found == strings.end() ? Empty() : found->second;
}

const std::string& Trace::Function(uint64_t stack) const {
  const auto found = stacks.find(stack);
  return found == stacks.end() ? Empty() : String(found->second.front().function);
}

absl::StatusOr<Trace> ReadTrace(absl::string_view bytes) {
  return Reader(bytes).Read();
}

}  // namespace gyre::trace
