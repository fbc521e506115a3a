// Service-time distributions, by the names that the literature on scheduling uses, and Poisson arrivals.
//
//   ServiceTimes times = *ServiceTimes::Make("rocksdb", 0, 0);
//   Random random(seed);
//   double nanoseconds = times.Sample(random);
#ifndef GYRE_LAB_DISTRIBUTION_H_
#define GYRE_LAB_DISTRIBUTION_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lab/random.h"

namespace gyre::lab {

class ServiceTimes {
 public:
  // One of Names(). `mean` (nanoseconds) and `sigma` are for those that are given by their mean: fixed, exponential and
  // lognormal (sigma: the standard deviation of the logarithm); the others ignore them.
  static absl::StatusOr<ServiceTimes> Make(absl::string_view name, double mean, double sigma);

  // In a fixed order.
  static std::vector<std::string> Names();

  // In nanoseconds.
  double Sample(Random& random) const;

  // By formula, not by sampling.
  double Mean() const;

 private:
  enum class Kind { kMixture, kFixed, kExponential, kLognormal };
  struct Part {
    double probability;
    double nanoseconds;
  };
  Kind kind_ = Kind::kFixed;
  double mean_ = 0;
  double sigma_ = 0;
  std::vector<Part> parts_;  // kMixture; the probabilities add up to 1
};

// The times at which requests arrive, ascending: a Poisson process, whose intervals are exponential and independent.
class PoissonArrivals {
 public:
  PoissonArrivals(double per_second, Random random) : mean_interval_(1e9 / per_second), random_(random) {}

  // The next arrival, in nanoseconds since the beginning.
  double Next() { return now_ += random_.Exponential(mean_interval_); }

 private:
  double mean_interval_;
  Random random_;
  double now_ = 0;
};

}  // namespace gyre::lab

#endif  // GYRE_LAB_DISTRIBUTION_H_
