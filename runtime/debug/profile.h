// A profile as `go tool pprof` reads it: profile.proto, written by hand, gzipped and with functions and lines inside,
// so that no reader needs the program. The fields' numbers are those of github.com/google/pprof/proto/profile.proto.
//
//   Profile profile({{"goroutine", "count"}}, {"goroutine", "count"}, 1);
//   profile.Add(frames, {1}, {{"state", "waiting"}});
//   std::string file = profile.Encode();
//
// One thread at a time. Samples with equal stacks and labels become one.
#ifndef GYRE_RUNTIME_DEBUG_PROFILE_H_
#define GYRE_RUNTIME_DEBUG_PROFILE_H_

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/types/span.h"

namespace gyre::internal {

class Profile {
 public:
  struct ValueType {
    std::string type, unit;
  };
  using Labels = std::vector<std::pair<std::string, std::string>>;

  Profile(std::vector<ValueType> sample_types, ValueType period_type, int64_t period)
      : sample_types_(std::move(sample_types)), period_type_(std::move(period_type)), period_(period) {}

  // `pcs`: innermost first. Return addresses, but for the first where it is the address of an instruction
  // (`first_is_exact`). `values`: one for each sample type.
  void Add(absl::Span<void* const> pcs, const std::vector<int64_t>& values, const Labels& labels = {},
           bool first_is_exact = false);

  void SetTime(int64_t start_nanos, int64_t duration_nanos) {
    time_nanos_ = start_nanos;
    duration_nanos_ = duration_nanos;
  }
  void AddComment(std::string comment) { comments_.push_back(std::move(comment)); }

  bool empty() const { return samples_.empty(); }

  // Visits what was added, summed: "debug=1" texts are made so.
  struct Sample {
    std::vector<uintptr_t> pcs;  // of instructions
    Labels labels;
    std::vector<int64_t> values;
  };
  std::vector<Sample> Samples() const;

  // Symbolises, and packs with gzip. Frames that only carry goroutines (the bottom of every stack) are left out.
  std::string Encode() const;

 private:
  std::vector<ValueType> sample_types_;
  ValueType period_type_;
  int64_t period_;
  int64_t time_nanos_ = 0;
  int64_t duration_nanos_ = 0;
  std::vector<std::string> comments_;
  std::map<std::pair<std::vector<uintptr_t>, Labels>, std::vector<int64_t>> samples_;
};

}  // namespace gyre::internal

#endif  // GYRE_RUNTIME_DEBUG_PROFILE_H_
