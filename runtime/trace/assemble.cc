// The parts of a trace that are known only when the recording has ended: who was there when it began, and the tables of
// stacks and strings with their symbols.
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "runtime/core.h"
#include "runtime/symbols.h"
#include "runtime/trace/recorder.h"

namespace gyre::internal {

using trace::EventType;

namespace {

void Append(std::string* text, uint64_t number) {
  uint8_t bytes[trace::kMaxNumberBytes];
  const uint8_t* end = trace::PutNumber(bytes, number);
  text->append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(end - bytes));
}

// An event whose numbers, the time included, are `numbers`.
void AppendEvent(std::string* text, EventType type, const std::vector<uint64_t>& numbers) {
  std::string body;
  for (uint64_t number : numbers) Append(&body, number);
  const int arguments = static_cast<int>(numbers.size()) - 1;
  text->push_back(static_cast<char>(trace::EventHead(type, arguments)));
  if (arguments >= 3) Append(text, body.size());
  text->append(body);
}

void AppendString(std::string* text, uint64_t id, const std::string& string) {
  text->push_back(static_cast<char>(EventType::kString));
  Append(text, id);
  Append(text, string.size());
  text->append(string);
}

// Functions and files under their string ids, and places in the code under made-up program counters: a reader takes the
// same counter for the same place, and an inlined call shares its counter with the function around it.
class Places {
 public:
  Places(std::string* text, uint64_t first_string) : text_(text), next_string_(first_string) {}

  // {counter, function, file, line}
  void AppendFrame(std::vector<uint64_t>* numbers, const std::string& function, const std::string& file, int line) {
    const uint64_t function_id = IdOf(function);
    const uint64_t file_id = IdOf(file);
    uint64_t& counter = counters_[{function_id, file_id, line}];
    if (counter == 0) counter = counters_.size();
    numbers->insert(numbers->end(), {counter, function_id, file_id, static_cast<uint64_t>(line)});
  }

 private:
  uint64_t IdOf(const std::string& string) {
    const std::string& text = string.empty() ? unknown_ : string;
    uint64_t& id = strings_[text];
    if (id == 0) AppendString(text_, id = next_string_++, text);
    return id;
  }

  std::string* const text_;
  const std::string unknown_ = "?";
  uint64_t next_string_;
  std::map<std::string, uint64_t> strings_;
  std::map<std::tuple<uint64_t, uint64_t, int>, uint64_t> counters_;
};

}  // namespace

std::string TraceRecorder::Beginning() {
  constexpr uint64_t kNanoseconds = 1'000'000'000;
  std::string text(trace::kHeader, trace::kHeaderBytes);
  text.push_back(static_cast<char>(trace::EventHead(EventType::kFrequency, 0)));
  Append(&text, kNanoseconds);
  return text;
}

void TraceRecorder::AppendIntroductions(std::string* text) {
  AppendEvent(text, EventType::kBatch, {static_cast<uint64_t>(trace::kNoProcessor), begin_});
  RawLockHolder hold(introductions_lock_);
  for (const Introduction* one = introductions_; one != nullptr; one = one->next) {
    AppendEvent(text, EventType::kGoCreate, {0, one->id, one->entry, 0});
    if (one->found == Found::kWaiting) AppendEvent(text, EventType::kGoWaiting, {0, one->id});
    if (one->found == Found::kInCall) AppendEvent(text, EventType::kGoInSyscall, {0, one->id});
  }
  // For readers this ends the introduction.
  AppendEvent(text, EventType::kGomaxprocs, {0, static_cast<uint64_t>(core_->proc_count()), 0});
}

void TraceRecorder::AppendTables(std::string* text) {
  // Readers take strings only after a batch has begun.
  AppendEvent(text, EventType::kBatch, {static_cast<uint64_t>(trace::kNoProcessor), begin_});
  std::map<uint64_t, std::string> names;
  strings_->ForEach([&](uint32_t number, uint32_t, const void* data, size_t bytes) {
    names[number] = std::string(static_cast<const char*>(data), bytes);
  });
  for (const auto& [id, string] : names) AppendString(text, id, string);

  std::vector<void*> addresses;
  stacks_->ForEach([&](uint32_t, uint32_t kind, const void* data, size_t bytes) {
    const auto* words = static_cast<void* const*>(data);
    if (kind == kReturnAddresses) addresses.insert(addresses.end(), words, words + bytes / sizeof(void*));
    if (kind == kEntry) addresses.push_back(EntryAddress(words[0]));
  });
  const SymbolTable symbols(addresses);

  Places places(text, names.size() + 1);
  stacks_->ForEach([&](uint32_t number, uint32_t kind, const void* data, size_t bytes) {
    const auto* words = static_cast<void* const*>(data);
    std::vector<uint64_t> frames;
    if (kind == kReturnAddresses) {
      for (const CodeFrame& frame : symbols.UsersFrames(words, bytes / sizeof(void*))) {
        places.AppendFrame(&frames, frame.function, frame.file, frame.line);
      }
    } else if (kind == kEntry) {
      const CodeFrame frame = symbols.EntryFrame(words[0]);
      places.AppendFrame(&frames, frame.function, frame.file, frame.line);
    } else {
      places.AppendFrame(&frames, names[reinterpret_cast<uintptr_t>(words[0])], "", 0);
    }
    std::vector<uint64_t> numbers = {number, frames.size() / 4};
    numbers.insert(numbers.end(), frames.begin(), frames.end());
    AppendEvent(text, EventType::kStack, numbers);
  });
}

std::string TraceRecorder::Assemble() {
  std::string text;
  if (file_ < 0) text = Beginning();
  AppendIntroductions(&text);
  {
    RawLockHolder hold(sink_lock_);
    for (const ChunkHead* chunk = chunks_; chunk != nullptr; chunk = chunk->next) {
      text.append(reinterpret_cast<const char*>(chunk + 1), chunk->bytes);
    }
  }
  AppendTables(&text);
  return text;
}

}  // namespace gyre::internal
