#include "lab/distribution.h"

#include <algorithm>
#include <cmath>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace gyre::lab {

namespace {

struct Preset {
  const char* name;
  struct {
    double percent;
    double microseconds;
  } parts[5];
};

// From the Persephone artifact's loader table, Skyloft's and ghOSt's published experiments.
constexpr Preset kPresets[] = {
    {"bim1", {{90, 0.5}, {10, 5.5}}},
    {"bim2", {{99.9, 0.5}, {0.1, 500.5}}},
    {"extreme-bimodal", {{99.5, 0.5}, {0.5, 500}}},
    {"disp1", {{50, 1}, {50, 10}}},
    {"high-bimodal", {{50, 1}, {50, 100}}},
    {"rocksdb", {{50, 2}, {50, 1050}}},
    {"tpcc", {{44, 5.7}, {4, 6}, {44, 20}, {4, 88}, {4, 100}}},
    {"ghost", {{99.5, 4}, {0.5, 10000}}},
};

}  // namespace

absl::StatusOr<ServiceTimes> ServiceTimes::Make(absl::string_view name, double mean, double sigma) {
  ServiceTimes times;
  for (const Preset& preset : kPresets) {
    if (name != preset.name) continue;
    times.kind_ = Kind::kMixture;
    for (const auto& part : preset.parts) {
      if (part.percent > 0) times.parts_.push_back({part.percent / 100, part.microseconds * 1000});
    }
    return times;
  }
  if (name == "fixed") {
    times.kind_ = Kind::kFixed;
  } else if (name == "exponential") {
    times.kind_ = Kind::kExponential;
  } else if (name == "lognormal") {
    times.kind_ = Kind::kLognormal;
  } else {
    return absl::InvalidArgumentError(
        absl::StrCat("unknown distribution \"", name, "\"; there are: ", absl::StrJoin(Names(), ", ")));
  }
  // Written so that what is not a number is refused as well.
  if (!(mean > 0) || !std::isfinite(mean)) return absl::InvalidArgumentError("the mean service time must be positive");
  if (!(sigma >= 0) || !(sigma <= 10)) return absl::InvalidArgumentError("sigma must be between 0 and 10");
  times.mean_ = mean;
  times.sigma_ = sigma;
  return times;
}

std::vector<std::string> ServiceTimes::Names() {
  std::vector<std::string> names = {"fixed", "exponential", "lognormal"};
  for (const Preset& preset : kPresets) names.push_back(preset.name);
  return names;
}

double ServiceTimes::Sample(Random& random) const {
  switch (kind_) {
    case Kind::kFixed:
      return mean_;
    case Kind::kExponential:
      return random.Exponential(mean_);
    case Kind::kLognormal:
      // The mean of a lognormal is exp(mu + sigma^2 / 2).
      return mean_ * std::exp(sigma_ * random.Normal() - sigma_ * sigma_ / 2);
    case Kind::kMixture:
      break;
  }
  double left = random.Uniform();
  for (const Part& part : parts_) {
    left -= part.probability;
    if (left < 0) return part.nanoseconds;
  }
  return parts_.back().nanoseconds;  // the probabilities' sum is 1 but for rounding
}

double ServiceTimes::Mean() const {
  if (kind_ != Kind::kMixture) return mean_;
  double sum = 0;
  for (const Part& part : parts_) sum += part.probability * part.nanoseconds;
  return sum;
}

}  // namespace gyre::lab
