#include "runtime/debug/goroutine_profile.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "runtime/debug/labels.h"
#include "runtime/debug/source_symbols.h"

namespace gyre::internal {

namespace {

std::string StateText(const GoroutineRecord& goroutine) {
  std::string text =
      goroutine.state == GState::kWaiting ? WaitReasonName(goroutine.reason) : GStateName(goroutine.state);
  constexpr Nanos kMinute = 60'000'000'000;
  if (goroutine.waited >= kMinute) absl::StrAppend(&text, ", ", goroutine.waited / kMinute, " minutes");
  if (goroutine.locked) text += ", locked to thread";
  return text;
}

std::string FrameText(const CodeFrame& frame) {
  if (frame.file.empty()) return frame.function + "\n";
  return absl::StrCat(frame.function, "\n\t", frame.file, ":", frame.line, "\n");
}

}  // namespace

Profile::Labels LabelsOf(const GoroutineRecord& goroutine) {
  Profile::Labels labels;
  if (const auto* own = static_cast<const LabelMap*>(goroutine.labels)) labels.assign(own->begin(), own->end());
  labels.emplace_back("state", GStateName(goroutine.state));
  if (goroutine.state == GState::kWaiting) labels.emplace_back("wait", WaitReasonName(goroutine.reason));
  if (goroutine.name != nullptr) labels.emplace_back("name", goroutine.name);
  return labels;
}

Profile GoroutineProfile(const std::vector<GoroutineRecord>& goroutines) {
  Profile profile({{"goroutine", "count"}}, {"goroutine", "count"}, 1);
  for (const GoroutineRecord& goroutine : goroutines) {
    profile.Add(goroutine.Frames(), {1}, LabelsOf(goroutine), goroutine.first_is_exact);
  }
  return profile;
}

std::string CountedText(const std::string& head, const Profile& profile) {
  std::string text = head + "\n";
  for (const Profile::Sample& sample : profile.Samples()) {
    absl::StrAppend(&text, absl::StrJoin(sample.values, " "), " @");
    for (uintptr_t pc : sample.pcs) absl::StrAppend(&text, " 0x", absl::Hex(pc));
    text += "\n";
    if (!sample.labels.empty()) {
      absl::StrAppend(&text, "# labels: {",
                      absl::StrJoin(sample.labels, ", ",
                                    [](std::string* out, const auto& label) {
                                      absl::StrAppend(out, "\"", label.first, "\":\"", label.second, "\"");
                                    }),
                      "}\n");
    }
    for (uintptr_t pc : sample.pcs) {
      const Symbols& symbols = SymbolsOf(pc);
      if (absl::StartsWith(symbols.frames.front().function, "make_fcontext")) break;
      for (const CodeFrame& frame : symbols.frames) {
        absl::StrAppendFormat(&text, "#\t0x%x\t%s\t%s:%d\n", pc, frame.function, frame.file, frame.line);
      }
    }
    text += "\n";
  }
  return text;
}

std::string StackText(absl::Span<void* const> frames, bool first_is_exact) {
  std::string text;
  for (size_t i = 0; i < frames.size(); ++i) {
    const uintptr_t pc = reinterpret_cast<uintptr_t>(frames[i]) - (i == 0 && first_is_exact ? 0 : 1);
    const Symbols& symbols = SymbolsOf(pc);
    if (absl::StartsWith(symbols.frames.front().function, "make_fcontext")) break;
    for (const CodeFrame& frame : symbols.frames) text += FrameText(frame);
  }
  return text;
}

std::string TraceText(const GoroutineRecord& goroutine) {
  std::string text = absl::StrCat("goroutine ", goroutine.id, " [", StateText(goroutine), "]");
  if (goroutine.name != nullptr) absl::StrAppend(&text, " (", goroutine.name, ")");
  absl::StrAppend(&text, ":\n", StackText(goroutine.Frames(), goroutine.first_is_exact));
  if (goroutine.creator_pc != nullptr) {
    const CodeFrame& maker = SymbolsOf(reinterpret_cast<uintptr_t>(goroutine.creator_pc) - 1).frames.front();
    absl::StrAppend(&text, "created by ", maker.function);
    if (goroutine.creator_id != 0) absl::StrAppend(&text, " in goroutine ", goroutine.creator_id);
    text += "\n";
    if (!maker.file.empty()) absl::StrAppend(&text, "\t", maker.file, ":", maker.line, "\n");
  }
  return text;
}

std::string TraceText(const std::vector<GoroutineRecord>& goroutines) {
  std::string text;
  for (const GoroutineRecord& goroutine : goroutines)
    absl::StrAppend(&text, text.empty() ? "" : "\n", TraceText(goroutine));
  return text;
}

}  // namespace gyre::internal
