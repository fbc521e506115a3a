// A select whose cases are known only when the program runs (Go's reflect.Select).
//
//   std::vector<gyre::SelectCase> cases;
//   for (auto& worker : workers) cases.push_back(worker.results.OnRecv([&](Result r, bool ok) { ... }));
//   cases.push_back(gyre::Default([] { ... }));            // at most one; without it, SelectDynamic waits
//   int which = gyre::SelectDynamic(absl::MakeSpan(cases));
//
// Cases are kept and used again. An empty SelectCase is never ready, like that of a nil channel: `cases[which] = {}`
// takes one out. A send case whose turn came is empty afterwards, for its value is gone: assign a new one. Everything
// else is as in channels/select.h; this one costs allocations.
#ifndef GYRE_CHANNELS_DYNAMIC_SELECT_H_
#define GYRE_CHANNELS_DYNAMIC_SELECT_H_

#include <memory>
#include <utility>

#include "absl/types/span.h"
#include "channels/select.h"

namespace gyre {
namespace internal {

class ErasedCase {
 public:
  explicit ErasedCase(bool is_default) : is_default(is_default) {}
  virtual ~ErasedCase() = default;
  virtual void Describe(SelectEntry& entry) = 0;
  virtual void Handle(bool received) = 0;
  virtual void Chosen() = 0;  // before Handle

  const bool is_default;
};

template <typename Case>
class ErasedCaseOf final : public ErasedCase {
 public:
  explicit ErasedCaseOf(Case&& c) : ErasedCase(Case::kIsDefault), case_(std::move(c)) {
    if constexpr (!Case::kIsDefault) case_.Keep();
  }
  void Describe(SelectEntry& entry) override {
    if constexpr (!Case::kIsDefault) case_.Describe(entry);
  }
  void Handle(bool received) override { case_.Handle(received); }
  void Chosen() override {
    if constexpr (requires(Case& c) { c.Spend(); }) case_.Spend();
  }

 private:
  Case case_;
};

}  // namespace internal

class SelectCase {
 public:
  static constexpr int kMaxCases = 65536;

  SelectCase() = default;
  template <typename T, typename F>
  SelectCase(RecvCase<T, F>&& c) : erased_(std::make_shared<internal::ErasedCaseOf<RecvCase<T, F>>>(std::move(c))) {}
  template <typename T, typename F>
  SelectCase(SendCase<T, F>&& c) : erased_(std::make_shared<internal::ErasedCaseOf<SendCase<T, F>>>(std::move(c))) {}
  template <typename F>
  SelectCase(DefaultCase<F>&& c) : erased_(std::make_shared<internal::ErasedCaseOf<DefaultCase<F>>>(std::move(c))) {}

  SelectCase(SelectCase&&) = default;
  SelectCase& operator=(SelectCase&&) = default;
  SelectCase(const SelectCase&) = delete;
  SelectCase& operator=(const SelectCase&) = delete;

 private:
  friend int SelectDynamic(absl::Span<SelectCase> cases);
  // Shared with the handler that runs: it may assign to its own case.
  std::shared_ptr<internal::ErasedCase> erased_;
};

// Returns the index of the chosen case. Panics with more than SelectCase::kMaxCases cases or two defaults. No cases:
// waits for ever. The handlers may change the cases, and what holds them.
int SelectDynamic(absl::Span<SelectCase> cases);

}  // namespace gyre

#endif  // GYRE_CHANNELS_DYNAMIC_SELECT_H_
