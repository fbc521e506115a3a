#include "runtime/live_cores.h"

#include <algorithm>
#include <vector>

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
}  // namespace

void AddLiveCore(Core* core) {
  List& list = TheList();
  RawLockHolder hold(list.lock);
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
