// A schedule as text: the decisions of an exploration that were not alternative 0 (strategy.h).
#ifndef GYRE_PLUGINS_DECISIONS_H_
#define GYRE_PLUGINS_DECISIONS_H_

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace gyre {

// The alternative that was taken, by the number of the decision.
using Decisions = std::map<uint64_t, uint32_t>;

// "17:1/40:2"; "-" if there are none.
std::string DecisionsToString(const Decisions& decisions);

// Reads that; an error says what is wrong and shows the form.
absl::StatusOr<Decisions> DecisionsFromString(absl::string_view text);

}  // namespace gyre

#endif  // GYRE_PLUGINS_DECISIONS_H_
