// The order in which a thief visits the others: a random permutation that costs two random numbers and no memory.
//
// Stepping through 0 .. n-1 modulo n by a stride that has no factor in common with n visits each number once; a random
// stride and a random start make the order.
#ifndef GYRE_SCHEDULERS_STEAL_ORDER_H_
#define GYRE_SCHEDULERS_STEAL_ORDER_H_

#include <cstdint>
#include <numeric>
#include <vector>

#include "plugins/proc_context.h"

namespace gyre::schedulers {

class StealOrder {
 public:
  // Of the numbers 0 .. n-1.
  void Reset(uint32_t n) {
    n_ = n;
    strides_.clear();
    for (uint32_t i = 1; i <= n; ++i) {
      if (std::gcd(i, n) == 1) strides_.push_back(i);
    }
  }

  // Calls `visit(i)` for every i but `except`, each once, until it returns true. Returns whether it did.
  template <typename Visit>
  bool ForEachOther(ProcContext& random, uint32_t except, Visit visit) const {
    uint32_t at = random.Below(n_);
    const uint32_t stride = strides_[random.Below(static_cast<uint32_t>(strides_.size()))];
    for (uint32_t i = 0; i < n_; ++i) {
      if (at != except && visit(at)) return true;
      at += stride;
      if (at >= n_) at -= n_;
    }
    return false;
  }

 private:
  uint32_t n_ = 0;
  std::vector<uint32_t> strides_;
};

}  // namespace gyre::schedulers

#endif  // GYRE_SCHEDULERS_STEAL_ORDER_H_
