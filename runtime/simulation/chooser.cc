#include "runtime/simulation/chooser.h"

#include <algorithm>
#include <utility>

#include "runtime/dump.h"

namespace gyre::internal::simulation {

namespace {
constexpr int kFrames = 24;
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
  ids_.clear();
  ids_.push_back(NumberOf(current));
  for (Task* t : runnable_) ids_.push_back(NumberOf(*t));
  const uint32_t choice =
      Choose({static_cast<uint32_t>(ids_.size()), ids_.data(), /*current_first=*/true}, ids_.front());
  if (choice == 0) return false;
  settled_ = runnable_[choice - 1];
  return true;
}

void Chooser::Enqueue(Task* t, EnqueueReason why) {
  NumberOf(*t);
  runnable_.push_back(t);
  if (why == EnqueueReason::kYielded) yielded_ = t;
}

Task* Chooser::Pick() {
  if (runnable_.empty()) return nullptr;
  Task* yielded = std::exchange(yielded_, nullptr);
  Task* picked = std::exchange(settled_, nullptr);
  if (picked == nullptr) {
    ids_.clear();
    for (Task* t : runnable_) {
      // The last, if it is there.
      if (t != yielded) ids_.push_back(NumberOf(*t));
    }
    const uint32_t count = static_cast<uint32_t>(ids_.size());
    picked = runnable_[count < 2 ? 0 : Choose({count, ids_.data(), /*current_first=*/false}, 0)];
  }
  runnable_.erase(std::find(runnable_.begin(), runnable_.end(), picked));
  return picked;
}

uint32_t Chooser::Draw(uint32_t n) { return n < 2 ? 0 : Choose({n, nullptr, false}, 0); }

}  // namespace gyre::internal::simulation
