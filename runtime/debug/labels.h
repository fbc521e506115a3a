// Sets of goroutine labels (pprof.h). A set is made once for each content and lives as long as the process, so a
// profiler's signal handler may note its address and nobody need count its users.
#ifndef GYRE_RUNTIME_DEBUG_LABELS_H_
#define GYRE_RUNTIME_DEBUG_LABELS_H_

#include <map>
#include <string>

namespace gyre::internal {

using LabelMap = std::map<std::string, std::string>;

// The set with this content; null for none. Beyond kMostLabelSets different ones, a set that says so.
inline constexpr size_t kMostLabelSets = 1 << 16;
const LabelMap* LabelSet(const LabelMap& labels);

}  // namespace gyre::internal

#endif  // GYRE_RUNTIME_DEBUG_LABELS_H_
