// The goroutines of the process as a profile and as text.
#ifndef GYRE_RUNTIME_DEBUG_GOROUTINE_PROFILE_H_
#define GYRE_RUNTIME_DEBUG_GOROUTINE_PROFILE_H_

#include <string>
#include <vector>

#include "runtime/debug/profile.h"
#include "runtime/debug/snapshot.h"

namespace gyre::internal {

inline constexpr size_t kMostGoroutines = 1 << 20;  // that a profile looks at

// Labels: state, the reason of a wait, and the goroutine's own.
Profile GoroutineProfile(const std::vector<GoroutineRecord>& goroutines);

Profile::Labels LabelsOf(const GoroutineRecord& goroutine);

// Go's debug=1: "goroutine profile: total N", then for each stack how many have it, and its functions. Of any profile;
// `values` of a stack are printed in the order of its sample types.
std::string CountedText(const std::string& head, const Profile& profile);

// Go's debug=2: each goroutine with its state and stack, files and lines.
std::string TraceText(const std::vector<GoroutineRecord>& goroutines);
std::string TraceText(const GoroutineRecord& goroutine);

// "main::Worker(int)\n\tworker.cc:31\n" for each function of a stack.
std::string StackText(absl::Span<void* const> frames, bool first_is_exact);

}  // namespace gyre::internal

#endif  // GYRE_RUNTIME_DEBUG_GOROUTINE_PROFILE_H_
