// What a context is, for those who implement one. Users include context/context.h.
//
//   class Tagged : public gyre::context::ContextWrapper {       // Go: struct { context.Context; tag string }
//    public:
//     Tagged(gyre::context::Context parent, std::string tag) : ContextWrapper(std::move(parent)), tag(std::move(tag))
//     {} std::string tag;
//   };
//   gyre::context::Context ctx = gyre::context::Make<Tagged>(parent, "blue");
//
// A Context is a handle: copies are the same context, and the last one destroys it. All the methods of an
// implementation may be called by any number of goroutines and foreign threads at a time.
#ifndef GYRE_CONTEXT_INTERFACE_H_
#define GYRE_CONTEXT_INTERFACE_H_

#include <any>
#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <type_traits>
#include <typeinfo>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "channels/chan.h"
#include "context/error.h"

namespace gyre::internal {

class ContextNode;

// Text that is a key or a value is kept as a std::string: what a char pointer leads to may change or go away.
template <typename T>
using Kept = std::conditional_t<std::is_same_v<std::decay_t<T>, const char*> || std::is_same_v<std::decay_t<T>, char*>,
                                std::string, std::decay_t<T>>;

}  // namespace gyre::internal

namespace gyre::context {

class Context;

// A key by reference, whatever its type. Two keys are equal if they have the same type and compare equal.
class Key {
 public:
  template <std::equality_comparable K>
  static Key Of(const K& key) {
    return Key(&key, typeid(K), [](const void* a, const void* b) -> bool {
      return *static_cast<const K*>(a) == *static_cast<const K*>(b);
    });
  }

  // Null if it has another type.
  template <typename K>
  const K* As() const {
    return *type_ == typeid(K) ? static_cast<const K*>(key_) : nullptr;
  }

  friend bool operator==(const Key& a, const Key& b) { return *a.type_ == *b.type_ && a.equal_(a.key_, b.key_); }

 private:
  Key(const void* key, const std::type_info& type, bool (*equal)(const void*, const void*))
      : key_(key), type_(&type), equal_(equal) {}

  const void* key_;
  const std::type_info* type_;
  bool (*equal_)(const void*, const void*);
};

class ContextInterface {
 public:
  ContextInterface(const ContextInterface&) = delete;
  ContextInterface& operator=(const ContextInterface&) = delete;
  virtual ~ContextInterface() = default;

  // When it will be cancelled, if that is known. The same at each call.
  virtual std::optional<absl::Time> Deadline() const = 0;

  // Closed when the work should stop; nil if that never happens. The same channel at each call.
  virtual RecvChan<Unit> Done() const = 0;

  // Null before Done is closed; why it was, afterwards, and the same at each call.
  virtual Error Err() const = 0;

  // Null if there is none for the key. It lives as long as the context.
  virtual const std::any* Value(const Key& key) const = 0;

  // For people. By default the name of the type.
  virtual std::string String() const;

 protected:
  ContextInterface() = default;
  struct Immortal {};
  constexpr explicit ContextInterface(Immortal) : refs_(kImmortal) {}

 private:
  friend class Context;
  friend class internal::ContextNode;
  friend class ContextWrapper;

  // If this package made it.
  virtual const internal::ContextNode* AsNode() const { return nullptr; }
  // It is about to be destroyed and gives its reference to its parent, if it has one, to the caller: a long chain of
  // contexts is thus taken down without recursion.
  virtual const ContextInterface* TakeParent() { return nullptr; }

  static constexpr int64_t kImmortal = -1;
  mutable std::atomic<int64_t> refs_{0};
};

class Context {
 public:
  // Nil: only good for being assigned to, and compared. Using it is a panic.
  constexpr Context() = default;
  constexpr Context(std::nullptr_t) {}
  // Shares in it. It must have been made by new; Make does it all.
  explicit Context(const ContextInterface* impl) : impl_(impl) { Ref(); }

  Context(const Context& other) : impl_(other.impl_) { Ref(); }
  Context(Context&& other) noexcept : impl_(std::exchange(other.impl_, nullptr)) {}
  Context& operator=(Context other) noexcept {
    std::swap(impl_, other.impl_);
    return *this;
  }
  ~Context() {
    if (impl_ != nullptr) Unref(impl_);
  }

  std::optional<absl::Time> Deadline() const { return impl().Deadline(); }
  RecvChan<Unit> Done() const { return impl().Done(); }
  Error Err() const { return impl().Err(); }
  std::string String() const { return impl().String(); }

  // The value of the nearest context that has one for an equal key of the same type; empty if there is none. It lives
  // as long as this context.
  template <typename K>
  const std::any& Value(const K& key) const {
    const internal::Kept<K>& kept = key;
    const std::any* value = impl().Value(Key::Of(kept));
    return value != nullptr ? *value : NoValue();
  }

  // The same, if it is a T; null otherwise.
  template <typename T, typename K>
  const T* ValueAs(const K& key) const {
    return std::any_cast<T>(&Value(key));
  }

  explicit operator bool() const { return impl_ != nullptr; }
  friend bool operator==(const Context& a, const Context& b) { return a.impl_ == b.impl_; }

  // Panics if it is nil.
  const ContextInterface& impl() const {
    if (impl_ == nullptr) [[unlikely]]
      PanicNil();
    return *impl_;
  }

 private:
  friend class internal::ContextNode;
  friend class ContextWrapper;

  void Ref() const {
    if (impl_ == nullptr || impl_->refs_.load(std::memory_order_relaxed) == ContextInterface::kImmortal) return;
    impl_->refs_.fetch_add(1, std::memory_order_relaxed);
  }
  static void Unref(const ContextInterface* impl);
  const ContextInterface* Release() { return std::exchange(impl_, nullptr); }
  static const std::any& NoValue();
  [[noreturn]] static void PanicNil();

  const ContextInterface* impl_ = nullptr;
};

// A context of one's own type: Make<Tagged>(arguments of its constructor).
template <std::derived_from<ContextInterface> T, typename... Args>
Context Make(Args&&... args) {
  return Context(new T(std::forward<Args>(args)...));
}

// Leaves everything to another context: a base for those who change one thing.
class ContextWrapper : public ContextInterface {
 public:
  explicit ContextWrapper(Context parent) : parent_(std::move(parent)) {}
  std::optional<absl::Time> Deadline() const override { return parent_.Deadline(); }
  RecvChan<Unit> Done() const override { return parent_.Done(); }
  Error Err() const override { return parent_.Err(); }
  const std::any* Value(const Key& key) const override { return parent_.impl().Value(key); }

 protected:
  const Context& parent() const { return parent_; }

 private:
  const ContextInterface* TakeParent() override { return parent_.Release(); }
  Context parent_;
};

// A context with a Done of its own may derive from this too. Contexts that are made from it then need no goroutine that
// waits for its Done.
class AfterFuncer {
 public:
  virtual ~AfterFuncer() = default;

  // Calls f, from anywhere but inside this call, once the context is done. The result takes that back, and says whether
  // it did.
  virtual std::function<bool()> AfterFunc(absl::AnyInvocable<void()> f) const = 0;
};

}  // namespace gyre::context

#endif  // GYRE_CONTEXT_INTERFACE_H_
