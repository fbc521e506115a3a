// The contexts that this package makes. Internal to context/.
#ifndef GYRE_CONTEXT_NODE_H_
#define GYRE_CONTEXT_NODE_H_

#include <any>
#include <concepts>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <typeinfo>
#include <utility>

#include "absl/time/time.h"
#include "context/interface.h"

namespace gyre::internal {

class CancelState;

// One link of a chain of contexts. Lookups and cancellation go along the chain in loops, so that its length costs no
// stack.
class ContextNode : public context::ContextInterface {
 public:
  explicit ContextNode(context::Context parent) : parent_(std::move(parent)) {}
  constexpr explicit ContextNode(Immortal immortal) : ContextInterface(immortal) {}

  const std::any* Value(const context::Key& key) const final;
  std::string String() const final;

  static const ContextNode* From(const context::ContextInterface& impl) { return impl.AsNode(); }
  const context::ContextInterface* parent() const { return parent_ ? &parent_.impl() : nullptr; }

  // What this link itself has for the key: null for nothing; an empty std::any ends the search.
  virtual const std::any* OwnValue(const context::Key&) const { return nullptr; }
  // What this link adds to the name of its parent.
  virtual std::string Suffix() const = 0;
  // The link that decides about Done, Err and Deadline: itself, or one above that is no ContextNode, perhaps.
  virtual const context::ContextInterface* Decider() const { return this; }
  // If it can be cancelled.
  virtual CancelState* cancel_state() const { return nullptr; }

 private:
  const ContextNode* AsNode() const final { return this; }
  const context::ContextInterface* TakeParent() final { return parent_.Release(); }
  context::Context parent_;
};

// The type of T, or what it says about itself: for names.
std::string TypeText(const std::type_info& type);

template <typename T>
std::string Describe(const T& value) {
  if constexpr (std::is_same_v<T, std::nullptr_t>) {
    return "<nil>";
  } else if constexpr (requires {
                         { value.String() } -> std::convertible_to<std::string>;
                       }) {
    return value.String();
  } else if constexpr (std::is_convertible_v<const T&, std::string>) {
    return value;
  } else {
    return TypeText(typeid(T));
  }
}

// A link that leaves everything but values to what is above.
class ValueNodeBase : public ContextNode {
 public:
  explicit ValueNodeBase(context::Context parent);
  std::optional<absl::Time> Deadline() const final { return decider_->Deadline(); }
  RecvChan<Unit> Done() const final { return decider_->Done(); }
  Error Err() const final { return decider_->Err(); }
  const context::ContextInterface* Decider() const final { return decider_; }

 private:
  const context::ContextInterface* const decider_;  // above, and kept by the chain
};

template <typename K, typename V>
class ValueNode final : public ValueNodeBase {
 public:
  template <typename KeyArg, typename ValueArg>
  ValueNode(context::Context parent, KeyArg&& key, ValueArg&& value)
      : ValueNodeBase(std::move(parent)), key_(std::forward<KeyArg>(key)) {
    if constexpr (!std::is_same_v<V, std::nullptr_t>) value_.template emplace<V>(std::forward<ValueArg>(value));
  }

  const std::any* OwnValue(const context::Key& key) const override {
    return context::Key::Of(key_) == key ? &value_ : nullptr;
  }

  std::string Suffix() const override {
    std::string value = "<nil>";
    if constexpr (!std::is_same_v<V, std::nullptr_t>) value = Describe(*std::any_cast<V>(&value_));
    return ".WithValue(" + Describe(key_) + ", " + value + ")";
  }

 private:
  const K key_;
  std::any value_;  // empty for nil
};

}  // namespace gyre::internal

#endif  // GYRE_CONTEXT_NODE_H_
