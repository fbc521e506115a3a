#include "runtime/simulation/chooser.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/dump.h"
#include "runtime/simulation/source_lines.h"

namespace gyre::internal::simulation {

namespace {
constexpr int kFrames = 24;
constexpr uint64_t kPatience = 1000;
}  // namespace

uint64_t Chooser::NumberOf(const Task& t) {
  if (first_id_ == 0) first_id_ = t.id;  // the main goroutine is the first that is enqueued
  return t.id - first_id_ + 1;
}

uint32_t Chooser::Choose(const Alternatives& alternatives, uint64_t from) {
  const uint32_t choice = strategy_->Choose(alternatives);
  const uint64_t number = number_++;
  if (choice != 0) {
    Decision decision;
    decision.number = number;
    decision.choice = choice;
    decision.from = from;
    decision.to = alternatives.ids != nullptr ? alternatives.ids[choice] : 0;
    decision.preemption = alternatives.current_first;
    if (decision.preemption) {
      void* frames[kFrames];
      // Without this function, its caller and the runtime's hook.
      const int count = CaptureFrames(frames, kFrames, 1);
      decision.where.assign(frames, frames + count);
    }
    record_.push_back(std::move(decision));
  }
  return choice;
}

bool Chooser::WantsPreemption(const Task& current) {
  if (runnable_.empty()) return false;
  if (++streak_ > kPatience) {
    // It probably waits for one of them, looping: a schedule that never lets them run is none that a machine would
    // have.
    impatient_ = true;
    streak_ = 0;
    return true;
  }
  ids_.clear();
  ids_.push_back(NumberOf(current));
  for (Task* t : runnable_) ids_.push_back(NumberOf(*t));
  const uint32_t choice =
      Choose({static_cast<uint32_t>(ids_.size()), ids_.data(), /*current_first=*/true}, ids_.front());
  if (choice == 0) return false;
  settled_ = runnable_[choice - 1];
  streak_ = 0;
  return true;
}

void Chooser::Enqueue(Task* t, EnqueueReason why) {
  NumberOf(*t);
  runnable_.push_back(t);
  if (why == EnqueueReason::kYielded || std::exchange(impatient_, false)) yielded_ = t;
}

Task* Chooser::Pick() {
  if (runnable_.empty()) return nullptr;
  streak_ = 0;
  Task* yielded = std::exchange(yielded_, nullptr);
  Task* picked = std::exchange(settled_, nullptr);
  if (picked == nullptr) {
    ids_.clear();
    candidates_.clear();
    for (Task* t : runnable_) {
      if (t == yielded && runnable_.size() > 1) continue;
      candidates_.push_back(t);
      ids_.push_back(NumberOf(*t));
    }
    const uint32_t count = static_cast<uint32_t>(ids_.size());
    picked = candidates_[count < 2 ? 0 : Choose({count, ids_.data(), /*current_first=*/false}, 0)];
  }
  runnable_.erase(std::find(runnable_.begin(), runnable_.end(), picked));
  return picked;
}

uint32_t Chooser::Draw(uint32_t n) {
  return n < 2 ? 0 : Choose({n, nullptr, false}, 0);
}

Decisions Chooser::Schedule() const {
  Decisions schedule;
  for (const Decision& decision : record_) schedule[decision.number] = decision.choice;
  return schedule;
}

int Chooser::preemptions() const {
  return static_cast<int>(
      std::count_if(record_.begin(), record_.end(), [](const Decision& d) { return d.preemption; }));
}

std::string Chooser::Interleaving() const {
  std::string text;
  for (const Decision& decision : record_) {
    absl::StrAppend(&text, "decision ", decision.number, ": ");
    if (decision.to == 0) {
      absl::StrAppend(&text, "the lot falls on number ", decision.choice, "\n");
    } else if (!decision.preemption) {
      absl::StrAppend(&text, "goroutine ", decision.to, " goes on\n");
    } else {
      absl::StrAppend(&text, "goroutine ", decision.from, " is stopped, goroutine ", decision.to, " goes on\n");
      for (const std::string& line : SourceLines(decision.where)) {
        absl::StrAppend(&text, "    ", line, "\n");
      }
    }
  }
  return text;
}

}  // namespace gyre::internal::simulation
