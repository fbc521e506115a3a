#include "runtime/runtime.h"

#include <stdexcept>
#include <string>

#include "runtime/core.h"
#include "runtime/panic.h"

namespace gyre {

namespace {

template <typename T>
T ValueOrThrow(absl::StatusOr<T> value) {
  if (!value.ok()) throw std::invalid_argument(std::string(value.status().message()));
  return *std::move(value);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Runtime>> Runtime::Create(const Config& config) {
  auto core = internal::Core::Create(config);
  if (!core.ok()) return core.status();
  return std::unique_ptr<Runtime>(new Runtime(*std::move(core)));
}

Runtime::Runtime(const Config& config) : Runtime(ValueOrThrow(internal::Core::Create(config))) {}
Runtime::Runtime() : Runtime(ValueOrThrow(Config::FromEnvironment())) {}
Runtime::~Runtime() = default;

bool Runtime::Run(absl::FunctionRef<void()> main) {
  if (internal::This().m != nullptr) Panic("gyre::Runtime::Run: called from a goroutine; use Runtime::Go");
  if (std::exchange(ran_, true)) Panic("gyre::Runtime::Run: called twice on one Runtime; make another");
  return core_->RunMain(main);
}

RuntimeStats Runtime::Stats() const { return core_->Stats(); }
int64_t Runtime::NumGoroutine() const { return core_->LiveGoroutines(); }
int Runtime::procs() const { return core_->proc_count(); }
const Config& Runtime::config() const { return core_->config(); }

RuntimeStats CurrentStats() {
  internal::Machine* m = internal::This().m;
  return m != nullptr ? m->core->Stats() : RuntimeStats{};
}

}  // namespace gyre
