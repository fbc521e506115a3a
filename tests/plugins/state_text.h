// What a started policy says about itself, as one line of text.
#ifndef GYRE_TESTS_PLUGINS_STATE_TEXT_H_
#define GYRE_TESTS_PLUGINS_STATE_TEXT_H_

#include <string>

#include "absl/strings/str_cat.h"
#include "plugins/registry.h"

namespace gyre {

class StateText final : public StateWriter {
 public:
  void Number(absl::string_view name, int64_t value) override { absl::StrAppend(&text_, name, "=", value, " "); }
  void ProcNumber(ProcId proc, absl::string_view name, int64_t value) override {
    absl::StrAppend(&text_, "P", proc, ".", name, "=", value, " ");
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

// Makes the policy of `spec`, starts it, and returns its state, or the error's message.
inline std::string StartedState(absl::string_view spec) {
  auto made = MakeScheduler(spec);
  if (!made.ok()) return std::string(made.status().message());
  if (absl::Status status = made->plugin->Start(Topology{1}, made->options); !status.ok()) {
    return std::string(status.message());
  }
  StateText state;
  made->plugin->DumpState(state);
  return state.text();
}

}  // namespace gyre

#endif  // GYRE_TESTS_PLUGINS_STATE_TEXT_H_
