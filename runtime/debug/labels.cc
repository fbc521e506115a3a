#include "runtime/debug/labels.h"

#include <memory>
#include <mutex>

#include "runtime/debug/pprof.h"
#include "runtime/goroutine.h"
#include "runtime/no_preempt.h"
#include "runtime/park.h"

namespace gyre {

namespace internal {

const LabelMap* LabelSet(const LabelMap& labels) {
  if (labels.empty()) return nullptr;
  // Never destroyed: threads may outlive main. Keys are sets too, so the value is its own key's address.
  static auto* mutex = new std::mutex;
  static auto* sets = new std::map<LabelMap, std::unique_ptr<LabelMap>>;
  static const auto* too_many = new LabelMap{{"labels", "too many different sets"}};
  NoPreempt off;
  std::lock_guard<std::mutex> hold(*mutex);
  auto place = sets->find(labels);
  if (place != sets->end()) return place->second.get();
  if (sets->size() >= kMostLabelSets) return too_many;
  return sets->emplace(labels, std::make_unique<LabelMap>(labels)).first->second.get();
}

}  // namespace internal

namespace pprof {

namespace {

internal::LabelMap Current() {
  const auto* set = static_cast<const internal::LabelMap*>(internal::Self()->labels.load(std::memory_order_relaxed));
  return set != nullptr ? *set : internal::LabelMap();
}

}  // namespace

void SetLabels(const LabelList& labels) {
  internal::LabelMap map;
  for (const auto& [key, value] : labels) map[key] = value;
  internal::Self()->labels.store(internal::LabelSet(map), std::memory_order_relaxed);
}

std::string Label(const std::string& key) {
  const internal::LabelMap labels = Current();
  const auto place = labels.find(key);
  return place != labels.end() ? place->second : "";
}

WithLabels::WithLabels(const LabelList& labels) : before_(internal::Self()->labels.load(std::memory_order_relaxed)) {
  internal::LabelMap map = Current();
  for (const auto& [key, value] : labels) map[key] = value;
  internal::Self()->labels.store(internal::LabelSet(map), std::memory_order_relaxed);
}

WithLabels::~WithLabels() {
  internal::Self()->labels.store(before_, std::memory_order_relaxed);
}

}  // namespace pprof

}  // namespace gyre
