#include "context/errgroup.h"

#include "absl/strings/str_cat.h"
#include "runtime/panic.h"

namespace gyre {

ErrGroup::ErrGroup(const context::Context& parent) {
  auto [ctx, cancel] = context::WithCancelCause(parent);
  ctx_ = std::move(ctx);
  cancel_ = std::move(cancel);
}

void ErrGroup::SetLimit(int n) {
  if (slots_ && slots_.Len() != 0) {
    Panic(absl::StrCat("errgroup: modify limit while ", slots_.Len(), " goroutines in the group are still active"));
  }
  slots_ = n < 0 ? Chan<Unit>() : MakeChan<Unit>(n);
}

Error ErrGroup::Wait() {
  wait_group_.Wait();
  cancel_(err_);
  return err_;
}

void ErrGroup::Fail(const Error& err) {
  first_.Do([&] {
    err_ = err;
    cancel_(err);
  });
}

void ErrGroup::Finish() {
  if (slots_) slots_.Recv();
  wait_group_.Done();
}

}  // namespace gyre
