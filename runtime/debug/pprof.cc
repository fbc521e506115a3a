#include "runtime/debug/pprof.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "runtime/auxiliary_threads.h"
#include "runtime/contention_profile.h"
#include "runtime/core.h"
#include "runtime/debug/cpu_profile.h"
#include "runtime/debug/goroutine_profile.h"
#include "runtime/debug/leak_records.h"
#include "runtime/debug/profile.h"
#include "runtime/debug/snapshot.h"
#include "runtime/debug/source_symbols.h"
#include "runtime/live_cores.h"

namespace gyre {

namespace internal {
namespace {

// Frames of the runtime's own below the call that a user wrote: all but the last one of gyre::internal's are left out,
// as Go leaves out those of package runtime.
absl::Span<void* const> FromTheCall(absl::Span<void* const> frames) {
  const auto is_internal = [](void* return_address) {
    const Symbols& symbols = SymbolsOf(reinterpret_cast<uintptr_t>(return_address) - 1);
    // All that is inlined there, too: the function that a user wrote may have our code in it.
    return symbols.frames.back().function.find("gyre::internal::") == 0;
  };
  size_t first = 0;
  while (first + 1 < frames.size() && is_internal(frames[first]) && is_internal(frames[first + 1])) ++first;
  return frames.subspan(first);
}

Profile OfContention(ContentionProfile& from) {
  Profile profile({{"contentions", "count"}, {"delay", "nanoseconds"}}, {"contentions", "count"}, 1);
  for (const ContentionProfile::Entry& entry : from.Entries()) {
    profile.Add(FromTheCall({entry.frames, static_cast<size_t>(entry.frame_count)}),
                {static_cast<int64_t>(entry.count + 0.5), static_cast<int64_t>(entry.delay)});
  }
  return profile;
}

std::string ContentionText(const char* name, ContentionProfile& from) {
  // Delays are nanoseconds, and so are Go's cycles then.
  return CountedText(absl::StrCat("--- ", name, ":\ncycles/second=1000000000"), OfContention(from));
}

Profile ThreadCreateProfile() {
  Profile profile({{"threadcreate", "count"}}, {"threadcreate", "count"}, 1);
  ForEachLiveCore([&](Core* core) {
    core->ForEachMachine([&](const Machine& m) {
      if (m.tid.load(std::memory_order_relaxed) != 0) profile.Add({m.maker, static_cast<size_t>(m.maker_frames)}, {1});
    });
  });
  return profile;
}

absl::StatusOr<std::string> LeakText(int debug) {
  const absl::StatusOr<std::vector<LeakRecord>> leaks = FindLeakRecords(/*with_suspects=*/true);
  if (!leaks.ok()) return leaks.status();
  if (debug == 2) {
    std::string text;
    for (const LeakRecord& leak : *leaks) {
      absl::StrAppend(&text, text.empty() ? "" : "\n", "# ", leak.certain ? "leaked" : "suspected", ": ", leak.why,
                      "\n", TraceText(leak.goroutine));
    }
    return text;
  }
  Profile profile({{"goroutineleak", "count"}}, {"goroutineleak", "count"}, 1);
  for (const LeakRecord& leak : *leaks) {
    Profile::Labels labels = LabelsOf(leak.goroutine);
    labels.emplace_back("leak", leak.certain ? "certain" : "suspected");
    labels.emplace_back("reason", leak.why);
    profile.Add(leak.goroutine.Frames(), {1}, labels, leak.goroutine.first_is_exact);
  }
  if (debug == 0) return profile.Encode();
  return CountedText(absl::StrCat("goroutineleak profile: total ", leaks->size()), profile);
}

std::string GoroutineText(int debug) {
  std::string why;
  const std::vector<GoroutineRecord> all = TakeSnapshot(kMostGoroutines, &why);
  if (debug == 0) {
    Profile profile = GoroutineProfile(all);
    if (!why.empty()) profile.AddComment(why);
    return profile.Encode();
  }
  const std::string note = why.empty() ? "" : absl::StrCat("# approximate: ", why, "\n");
  if (debug == 1) {
    return CountedText(absl::StrCat(note, "goroutine profile: total ", all.size()), GoroutineProfile(all));
  }
  return note + TraceText(all);
}

}  // namespace
}  // namespace internal

namespace pprof {

absl::Status StartCpuProfile(int hz) {
  return internal::StartCpuProfile(hz);
}
std::string StopCpuProfile() {
  std::string file;
  internal::OnThreadStack([&] { file = internal::StopCpuProfile(); });
  return file;
}

const std::vector<Kind>& Profiles() {
  static const auto* kinds = new std::vector<Kind>{
      {"block", "where goroutines waited for channels and locks (SetBlockProfileRate, --block_profile_rate)"},
      {"goroutine", "all goroutines with their stacks; debug=2 for a trace of each"},
      {"goroutineleak",
       "goroutines that nothing can wake any more, for certain or suspected; debug=2 for a trace of each"},
      {"mutex", "whose unlocks others waited for (SetMutexProfileFraction, --mutex_profile_fraction)"},
      {"threadcreate", "what had kernel threads made"},
  };
  return *kinds;
}

static absl::StatusOr<std::string> LookupHere(absl::string_view name, int debug) {
  if (name == "goroutine") return internal::GoroutineText(debug);
  if (name == "goroutineleak") return internal::LeakText(debug);
  if (name == "block" || name == "mutex") {
    internal::ContentionProfile& profile = name == "block" ? internal::BlockProfile() : internal::MutexProfile();
    if (debug == 0) return internal::OfContention(profile).Encode();
    return internal::ContentionText(name == "block" ? "contention" : "mutex", profile);
  }
  if (name == "threadcreate") {
    internal::NoPreempt off;
    const internal::Profile profile = internal::ThreadCreateProfile();
    if (debug == 0) return profile.Encode();
    size_t total = 0;
    for (const auto& sample : profile.Samples()) total += static_cast<size_t>(sample.values[0]);
    return internal::CountedText(absl::StrCat("threadcreate profile: total ", total), profile);
  }
  std::vector<std::string> names;
  for (const Kind& kind : Profiles()) names.emplace_back(kind.name);
  return absl::NotFoundError(
      absl::StrCat("there is no profile \"", name, "\"; there are: profile, ", absl::StrJoin(names, ", ")));
}

absl::StatusOr<std::string> Lookup(absl::string_view name, int debug) {
  absl::StatusOr<std::string> profile = absl::UnknownError("");
  internal::OnThreadStack([&] { profile = LookupHere(name, debug); });
  return profile;
}

void SetBlockProfileRate(int64_t rate) {
  internal::block_profile_rate.store(rate > 0 ? rate : 0, std::memory_order_relaxed);
}

int SetMutexProfileFraction(int rate) {
  if (rate < 0) return internal::mutex_profile_fraction.load(std::memory_order_relaxed);
  return internal::mutex_profile_fraction.exchange(rate, std::memory_order_relaxed);
}

}  // namespace pprof

}  // namespace gyre
