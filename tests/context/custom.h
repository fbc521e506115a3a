// Contexts that are not the package's own, for tests.
#ifndef GYRE_TESTS_CONTEXT_CUSTOM_H_
#define GYRE_TESTS_CONTEXT_CUSTOM_H_

#include <functional>
#include <map>
#include <optional>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "context/context.h"
#include "context/interface.h"
#include "sync/mutex.h"

namespace gyre::testing {

// Passes everything on (Go: struct { context.Context }).
class Wrapped final : public context::ContextWrapper {
 public:
  using ContextWrapper::ContextWrapper;
};

// Passes all on but has a Done and an Err of its own.
class OwnDone : public context::ContextWrapper {
 public:
  explicit OwnDone(context::Context parent) : ContextWrapper(std::move(parent)) {}

  RecvChan<Unit> Done() const override { return done_; }
  Error Err() const override {
    MutexLock hold(&mu_);
    return err_;
  }

  virtual void End(Error err) {
    {
      MutexLock hold(&mu_);
      err_ = std::move(err);
    }
    done_.Close();
  }

 private:
  const Chan<Unit> done_ = MakeChan<Unit>();
  mutable Mutex mu_;
  Error err_;
};

// Offers AfterFunc as well.
class OwnDoneWithAfterFunc final : public OwnDone, public context::AfterFuncer {
 public:
  using OwnDone::OwnDone;

  std::function<bool()> AfterFunc(absl::AnyInvocable<void()> f) const override {
    MutexLock hold(&mu_);
    const int id = next_++;
    functions_.emplace(id, std::move(f));
    return [this, id] {
      absl::AnyInvocable<void()> dropped;
      MutexLock relock(&mu_);
      auto found = functions_.find(id);
      if (found == functions_.end()) return false;
      dropped = std::move(found->second);
      functions_.erase(found);
      return true;
    };
  }

  void End(Error err) override {
    OwnDone::End(std::move(err));
    std::map<int, absl::AnyInvocable<void()>> functions;
    {
      MutexLock hold(&mu_);
      functions.swap(functions_);
    }
    for (auto& [id, f] : functions) f();
  }

  size_t registered() const {
    MutexLock hold(&mu_);
    return functions_.size();
  }

 private:
  mutable Mutex mu_;
  mutable int next_ = 0;
  mutable std::map<int, absl::AnyInvocable<void()>> functions_;
};

// A context made of `T`, and the T itself.
template <typename T>
std::pair<context::Context, T*> MakeCustom(const context::Context& parent) {
  T* custom = new T(parent);
  return {context::Context(custom), custom};
}

}  // namespace gyre::testing

#endif  // GYRE_TESTS_CONTEXT_CUSTOM_H_
