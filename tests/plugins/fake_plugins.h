// The smallest plug-ins there can be, for the tests of what finds, makes and loads plug-ins.
#ifndef GYRE_TESTS_PLUGINS_FAKE_PLUGINS_H_
#define GYRE_TESTS_PLUGINS_FAKE_PLUGINS_H_

#include <utility>

#include "plugins/registry.h"
#include "plugins/task_list.h"

namespace gyre {

// A list; DumpState tells the option "limit" that it was started with.
class FakeScheduler : public SchedulerPolicy {
 public:
  absl::Status Start(const Topology&, const PluginOptions& options) override {
    limit_ = options.Int("limit");
    return absl::OkStatus();
  }
  WakeHint Enqueue(ProcContext&, Task* t, EnqueueReason) override {
    tasks_.PushBack(t);
    return {WakeHint::kAnyIdle};
  }
  Dispatch PickNext(ProcContext&, PickMode) override { return {tasks_.PopFront()}; }
  void DumpState(StateWriter& writer) const override { writer.Number("limit", limit_); }

  static OptionSpec Limit() { return IntOption("limit", 8, 1, 100, "a number to be seen again"); }

 private:
  int64_t limit_ = 0;
  TaskList tasks_;
};

// Passes everything on, and counts the picks; DumpState tells its own option "depth" and the inner one's state.
class FakeWrapper : public SchedulerPolicy {
 public:
  explicit FakeWrapper(Configured<SchedulerPolicy> inner) : inner_(std::move(inner)) {}
  absl::Status Start(const Topology& topology, const PluginOptions& options) override {
    depth_ = options.Int("depth");
    return inner_.plugin->Start(topology, inner_.options);
  }
  WakeHint Enqueue(ProcContext& from, Task* t, EnqueueReason why) override {
    return inner_.plugin->Enqueue(from, t, why);
  }
  Dispatch PickNext(ProcContext& p, PickMode mode) override { return inner_.plugin->PickNext(p, mode); }
  void DumpState(StateWriter& writer) const override {
    writer.Number("depth", depth_);
    inner_.plugin->DumpState(writer);
  }

  static OptionSpec Depth() { return IntOption("depth", 1, 0, 9, "another number to be seen again"); }

 private:
  Configured<SchedulerPolicy> inner_;
  int64_t depth_ = 0;
};

}  // namespace gyre

#endif  // GYRE_TESTS_PLUGINS_FAKE_PLUGINS_H_
