// The registry: every plug-in that is linked in, or was loaded from a shared object, by kind and name.
//
// A plug-in registers itself with one line at the end of its file (its Bazel target needs alwayslink = True):
//
//   GYRE_REGISTER_SCHEDULER("gmp", GmpPolicy, "Go's per-P run queues with work stealing",
//                           gyre::ChoiceOption("steal", {"half", "one"}, "half", "how much a thief takes"));
//
// A wrapper holds another policy, which its constructor receives:
//
//   GYRE_REGISTER_SCHEDULER_WRAPPER("chaos", ChaosPolicy, "reorders what the inner policy decides");
//
// and a user writes --scheduler='chaos(gmp:steal=one):rate=0.1'. The grammar of a plug-in's spec:
//   spec    = name [ "(" spec ")" ] [ ":" option { "," option } ]
//   option  = name "=" value
//
// All functions here may be called from any thread.
#ifndef GYRE_PLUGINS_REGISTRY_H_
#define GYRE_PLUGINS_REGISTRY_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "plugins/options.h"
#include "plugins/preemption.h"
#include "plugins/scheduler.h"
#include "plugins/stack.h"
#include "plugins/strategy.h"

namespace gyre {

// Counts the incompatible changes of anything under plugins/. It is part of the name of the function that registers, so
// that a shared object built against another number finds no such function and is refused before any of its code has
// run.
#ifndef GYRE_PLUGIN_INTERFACE_VERSION
#define GYRE_PLUGIN_INTERFACE_VERSION 2
#endif
#define GYRE_INTERNAL_CAT2(a, b) a##b
#define GYRE_INTERNAL_CAT(a, b) GYRE_INTERNAL_CAT2(a, b)
#define GYRE_INTERNAL_REGISTER_PLUGIN GYRE_INTERNAL_CAT(RegisterPluginV, GYRE_PLUGIN_INTERFACE_VERSION)

enum class PluginKind : uint8_t { kScheduler, kStack, kPreemption, kStrategy };
absl::string_view PluginKindName(PluginKind kind);  // "scheduler", "stack", "preemption", "strategy"

struct PluginInfo {
  std::string name;
  std::string help;
  std::vector<OptionSpec> options;
  bool is_wrapper = false;
  std::string origin;  // "built in", or the shared object's path
};

// A plug-in with the options that it is to be started with.
template <typename Interface>
struct Configured {
  std::unique_ptr<Interface> plugin;
  PluginOptions options;
};

// Makes a fresh object from a spec such as "gmp:steal=half". An unknown name or option, a bad value and a malformed
// spec are InvalidArgument errors that list what is valid. A wrapper's inner plug-in is made with it, and started by it.
absl::StatusOr<Configured<SchedulerPolicy>> MakeScheduler(absl::string_view spec);
absl::StatusOr<Configured<StackAllocator>> MakeStackAllocator(absl::string_view spec);
absl::StatusOr<Configured<PreemptionStrategy>> MakePreemption(absl::string_view spec);
absl::StatusOr<Configured<ExplorationStrategy>> MakeStrategy(absl::string_view spec);

// Sorted by name.
std::vector<PluginInfo> ListPlugins(PluginKind kind);

// Loads a shared object and registers what it holds: all of it, or in the case of an error nothing. Loading one twice
// is harmless. What was loaded stays until the program ends. Errors, InvalidArgument all: no such file, not a shared
// object, no gyre plug-in inside, built against another interface version, a name that is taken.
absl::Status LoadPluginLibrary(const std::string& path);

namespace internal {

// What a registration hands over.
struct Registration {
  PluginKind kind;
  std::string name;
  std::string help;
  std::vector<OptionSpec> options;
  // Exactly one is set.
  std::function<std::unique_ptr<SchedulerPolicy>()> scheduler;
  std::function<std::unique_ptr<SchedulerPolicy>(Configured<SchedulerPolicy>)> scheduler_wrapper;
  std::function<std::unique_ptr<StackAllocator>()> stack;
  std::function<std::unique_ptr<PreemptionStrategy>()> preemption;
  std::function<std::unique_ptr<ExplorationStrategy>()> strategy;
};

// Returns true. What cannot be registered aborts the program (a built-in plug-in) or makes the load fail (a shared
// object): a name that is taken or that no spec can spell, an option named like a configuration key, declared twice, or
// with a default that it does not allow itself.
bool GYRE_INTERNAL_REGISTER_PLUGIN(Registration registration);

}  // namespace internal
}  // namespace gyre

#define GYRE_INTERNAL_REGISTER(kind_, name_, help_, field_, maker_, ...)                    \
  [[maybe_unused]] static const bool GYRE_INTERNAL_CAT(gyre_registered_, __LINE__) = [] {   \
    ::gyre::internal::Registration r{};                                                     \
    r.kind = ::gyre::PluginKind::kind_;                                                     \
    r.name = name_;                                                                         \
    r.help = help_;                                                                         \
    r.options = std::vector<::gyre::OptionSpec>{__VA_ARGS__};                               \
    r.field_ = maker_;                                                                      \
    return ::gyre::internal::GYRE_INTERNAL_REGISTER_PLUGIN(std::move(r));                   \
  }()

#define GYRE_REGISTER_SCHEDULER(name, Class, help, ...)                                                           \
  GYRE_INTERNAL_REGISTER(kScheduler, name, help, scheduler, [] { return std::make_unique<Class>(); }, __VA_ARGS__)
#define GYRE_REGISTER_SCHEDULER_WRAPPER(name, Class, help, ...)                                                   \
  GYRE_INTERNAL_REGISTER(kScheduler, name, help, scheduler_wrapper,                                               \
                         ([](::gyre::Configured<::gyre::SchedulerPolicy> inner) {                                 \
                           return std::make_unique<Class>(std::move(inner));                                      \
                         }),                                                                                      \
                         __VA_ARGS__)
#define GYRE_REGISTER_STACK(name, Class, help, ...)                                                               \
  GYRE_INTERNAL_REGISTER(kStack, name, help, stack, [] { return std::make_unique<Class>(); }, __VA_ARGS__)
#define GYRE_REGISTER_PREEMPTION(name, Class, help, ...)                                                          \
  GYRE_INTERNAL_REGISTER(kPreemption, name, help, preemption, [] { return std::make_unique<Class>(); }, __VA_ARGS__)
#define GYRE_REGISTER_STRATEGY(name, Class, help, ...)                                                            \
  GYRE_INTERNAL_REGISTER(kStrategy, name, help, strategy, [] { return std::make_unique<Class>(); }, __VA_ARGS__)

#endif  // GYRE_PLUGINS_REGISTRY_H_
