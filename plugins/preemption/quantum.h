// What the strategies that interrupt have in common: the options `quantum` and `force`, and the refusal of a quantum that would
// go to preemption itself.
#ifndef GYRE_PLUGINS_PREEMPTION_QUANTUM_H_
#define GYRE_PLUGINS_PREEMPTION_QUANTUM_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "plugins/options.h"
#include "plugins/preemption.h"

namespace gyre {

inline OptionSpec QuantumOption() {
  return DurationOption("quantum", "10ms", 50'000, 10'000'000'000, "how long a goroutine may run while others wait");
}

inline OptionSpec ForceOption() {
  return BoolOption("force", false, "takes a quantum of which preemption itself eats more than a tenth");
}

// Measures only where the answer may matter: nothing costs a tenth of a millisecond.
inline absl::Status CheckQuantum(const char* name, PreemptionHost& host, PreemptionMeans means,
                                 const PluginOptions& options) {
  constexpr Nanos kCoarse = 1'000'000;
  const Nanos quantum = options.Duration("quantum");
  if (quantum >= kCoarse || options.Bool("force")) return absl::OkStatus();
  const Nanos cost = host.CostOf(means);
  if (cost * 10 <= quantum) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrFormat(
      "preemption %s: one preemption takes %.1f us on this machine, %.0f %% of a quantum of %d us; the quantum may be %d us or "
      "more, or force=on",
      name, static_cast<double>(cost) / 1e3, 100.0 * static_cast<double>(cost) / static_cast<double>(quantum),
      quantum / 1000, (cost * 10 + 999) / 1000));
}

}  // namespace gyre

#endif  // GYRE_PLUGINS_PREEMPTION_QUANTUM_H_
