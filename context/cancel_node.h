// A context that can be cancelled. Internal to context/.
#ifndef GYRE_CONTEXT_CANCEL_NODE_H_
#define GYRE_CONTEXT_CANCEL_NODE_H_

#include <any>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/time/time.h"
#include "context/cancel_state.h"
#include "context/node.h"

namespace gyre::internal {

// The key under which a context finds the state of the nearest one that can be cancelled, also through implementations
// that are not ours but pass Value on.
struct CancelKey {
  friend bool operator==(CancelKey, CancelKey) { return true; }
};

class CancelNode final : public ContextNode {
 public:
  // `deadline`: its own or the parent's.
  CancelNode(context::Context parent, std::shared_ptr<CancelState> state, std::optional<absl::Time> deadline,
             bool own_deadline)
      : ContextNode(std::move(parent)),
        state_(std::move(state)),
        self_(state_.get()),
        deadline_(deadline),
        own_deadline_(own_deadline) {}

  std::optional<absl::Time> Deadline() const override { return deadline_; }
  RecvChan<Unit> Done() const override { return state_->Done(); }
  Error Err() const override { return state_->Err(); }
  const std::any* OwnValue(const context::Key& key) const override {
    return key.As<CancelKey>() != nullptr ? &self_ : nullptr;
  }
  CancelState* cancel_state() const override { return state_.get(); }
  std::string Suffix() const override;

 private:
  const std::shared_ptr<CancelState> state_;
  const std::any self_;  // what CancelKey finds: state_, as a plain pointer
  const std::optional<absl::Time> deadline_;
  const bool own_deadline_;
};

}  // namespace gyre::internal

#endif  // GYRE_CONTEXT_CANCEL_NODE_H_
