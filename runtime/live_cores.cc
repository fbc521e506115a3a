#include "runtime/live_cores.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "runtime/goroutine.h"
#include "runtime/raw_lock.h"

namespace gyre::internal {

namespace {
struct List {
  RawLock lock;
  std::vector<Core*> cores ABSL_GUARDED_BY(lock);
};
// Never destroyed: threads may outlive main.
List& TheList() {
  static List* list = new List;
  return *list;
}

constexpr size_t kWaitReasons = static_cast<size_t>(WaitReason::kOthers) + 1;
constexpr std::array<const char*, kWaitReasons> WaitReasonNames() {
  std::array<const char*, kWaitReasons> names{};
  for (size_t i = 0; i < kWaitReasons; ++i) names[i] = WaitReasonName(static_cast<WaitReason>(i));
  return names;
}
constexpr auto kWaitReasonNames = WaitReasonNames();
const void* gdb_cores = nullptr;  // the list's vector, once there is one

}  // namespace

// What tools/gyre-gdb.py finds its way by: the debug information that gyre is built with has no types. In the script's
// order.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Winvalid-offsetof"  // G has a base; GCC knows the offsets all the same
extern "C" [[gnu::used]] const uint64_t gyre_gdb_layout[] = {
    1,  // the table's version
    sizeof(G),
    offsetof(G, context),
    offsetof(G, saved) + offsetof(SavedRegisters, ip),
    offsetof(G, saved) + offsetof(SavedRegisters, fp),
    offsetof(G, state),
    offsetof(G, wait_reason),
    offsetof(G, in_place),
    offsetof(G, core),
    offsetof(G, stack) + offsetof(Stack, low),
    offsetof(G, stack) + offsetof(Stack, top),
    offsetof(G, id),
    offsetof(G, name),
    offsetof(G, creator_id),
    offsetof(G, creator_pc),
    offsetof(G, wait_object),
    reinterpret_cast<uint64_t>(&gdb_cores),
    reinterpret_cast<uint64_t>(kWaitReasonNames.data()),
    kWaitReasons,
    kStackColours,
    kStackColourStep,
};
#pragma GCC diagnostic pop

void AddLiveCore(Core* core) {
  List& list = TheList();
  RawLockHolder hold(list.lock);
  gdb_cores = &list.cores;
  list.cores.push_back(core);
}

void RemoveLiveCore(Core* core) {
  List& list = TheList();
  RawLockHolder hold(list.lock);
  list.cores.erase(std::remove(list.cores.begin(), list.cores.end(), core), list.cores.end());
}

Core* SomeLiveCore() {
  List& list = TheList();
  RawLockHolder hold(list.lock);
  return list.cores.empty() ? nullptr : list.cores.front();
}

void ForEachLiveCore(absl::FunctionRef<void(Core*)> visit) {
  List& list = TheList();
  RawLockHolder hold(list.lock);
  for (Core* core : list.cores) visit(core);
}

}  // namespace gyre::internal
