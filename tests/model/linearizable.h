// Checks histories of concurrent operations: is there an order of them, each taking effect at one instant between its
// call and its return, in which a sequential model gives the same results? (Wing and Gong's search, with the memory of
// Lowe's "Testing for linearizability": a set of operations and a model's state are tried once.)
//
// Two operations may also take effect together, in one step, for what is a meeting: an unbuffered channel's send and
// receive.
#ifndef GYRE_TESTS_MODEL_LINEARIZABLE_H_
#define GYRE_TESTS_MODEL_LINEARIZABLE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace gyre::testing {

// One operation. `Op` says what was asked for, `Result` what came of it.
template <typename Op, typename Result>
struct Call {
  int goroutine = 0;
  Op op{};
  Result result{};
  uint64_t called = 0;  // instants of one clock
  uint64_t returned = 0;
};

// The clock of a history: no two readings are equal.
class HistoryClock {
 public:
  uint64_t Tick() { return now_.fetch_add(1, std::memory_order_seq_cst); }

 private:
  std::atomic<uint64_t> now_{0};
};

// Model:
//   bool Apply(const Call&)                  // takes the step if it is legal
//   bool ApplyTogether(const Call&, const Call&)
//   std::string Fingerprint() const          // equal for equal states
template <typename Model, typename C>
class LinearizabilityCheck {
 public:
  // At most 64 calls, all of which have returned.
  explicit LinearizabilityCheck(const std::vector<C>& history) : history_(history) {}

  bool Holds(const Model& initial) { return Search(initial, 0); }

 private:
  // A call may be next if no other that is not yet ordered had returned before it began.
  bool MayBeNext(size_t i, uint64_t done) const {
    for (size_t j = 0; j < history_.size(); ++j) {
      if ((done >> j & 1) == 0 && history_[j].returned < history_[i].called) return false;
    }
    return true;
  }

  bool Search(const Model& state, uint64_t done) {
    const uint64_t all = history_.size() == 64 ? ~uint64_t{0} : (uint64_t{1} << history_.size()) - 1;
    if (done == all) return true;
    if (!tried_.emplace(done, state.Fingerprint()).second) return false;
    std::vector<size_t> next;
    for (size_t i = 0; i < history_.size(); ++i) {
      if ((done >> i & 1) == 0 && MayBeNext(i, done)) next.push_back(i);
    }
    for (size_t i : next) {
      Model after = state;
      if (after.Apply(history_[i]) && Search(after, done | uint64_t{1} << i)) return true;
    }
    for (size_t i : next) {
      for (size_t j : next) {
        if (i == j) continue;
        Model after = state;
        if (after.ApplyTogether(history_[i], history_[j]) &&
            Search(after, done | uint64_t{1} << i | uint64_t{1} << j)) {
          return true;
        }
      }
    }
    return false;
  }

  const std::vector<C>& history_;
  std::set<std::pair<uint64_t, std::string>> tried_;
};

}  // namespace gyre::testing

#endif  // GYRE_TESTS_MODEL_LINEARIZABLE_H_
