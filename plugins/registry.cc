#include "plugins/registry.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <mutex>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "plugins/config.h"
#include "plugins/spec.h"

namespace gyre {

namespace {

struct Entry {
  internal::Registration registration;
  std::string origin;
};

// Registrations that arrive while a shared object is being loaded wait here until it has proved to be ours.
struct Loading {
  std::string path;
  std::vector<internal::Registration> registrations;
  uint32_t other_version = 0;  // of a registration made for another interface
};

struct Table {
  std::recursive_mutex lock;  // a shared object's static initialisers register from inside its load
  std::vector<Entry> entries;
  Loading* loading = nullptr;
  std::vector<std::string> loaded;
};

// Never destroyed: registrations come before main, and threads may outlive it.
Table& TheTable() {
  static Table* table = new Table;
  return *table;
}

const Entry* Find(const Table& table, PluginKind kind, absl::string_view name) {
  for (const Entry& e : table.entries) {
    if (e.registration.kind == kind && name == e.registration.name) return &e;
  }
  return nullptr;
}

// Why `r` may not be added; empty if it may.
std::string Objection(const Table& table, const internal::Registration& r) {
  if (const Entry* other = Find(table, r.kind, r.name)) {
    return absl::StrCat("the name of ", PluginKindName(r.kind), " \"", r.name, "\" is taken by one that is ", other->origin);
  }
  for (const OptionSpec& option : r.options) {
    const auto& keys = ConfigKeys();
    if (std::find(keys.begin(), keys.end(), option.name) != keys.end()) {
      return absl::StrCat(PluginKindName(r.kind), " \"", r.name, "\" names an option \"", option.name,
                          "\", which is a key of the configuration");
    }
  }
  return "";
}

std::vector<std::string> Names(const Table& table, PluginKind kind) {
  std::vector<std::string> names;
  for (const Entry& e : table.entries) {
    if (e.registration.kind == kind) names.push_back(e.registration.name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

// The registration that a spec names, and the options that it gives.
struct Resolved {
  const internal::Registration* registration;
  internal::PluginSpec spec;
  PluginOptions options;
};

absl::StatusOr<Resolved> Resolve(PluginKind kind, absl::string_view text) {
  Table& table = TheTable();
  std::lock_guard hold(table.lock);
  absl::StatusOr<internal::PluginSpec> spec = internal::ParseSpec(text);
  if (!spec.ok()) return absl::InvalidArgumentError(absl::StrCat(PluginKindName(kind), " ", spec.status().message()));
  const Entry* entry = Find(table, kind, spec->name);
  if (entry == nullptr) {
    const std::vector<std::string> names = Names(table, kind);
    return absl::InvalidArgumentError(absl::StrCat("unknown ", PluginKindName(kind), " \"", spec->name, "\"",
                                                   internal::DidYouMean(spec->name, names),
                                                   "; there are: ", absl::StrJoin(names, ", ")));
  }
  const internal::Registration& r = entry->registration;
  const std::string who = absl::StrCat(PluginKindName(kind), " ", spec->name);
  const bool wraps = static_cast<bool>(r.scheduler_wrapper);
  if (wraps && !spec->has_inner) {
    return absl::InvalidArgumentError(absl::StrCat(who, " wraps another: write ", spec->name, "(gmp)"));
  }
  if (!wraps && spec->has_inner) {
    return absl::InvalidArgumentError(absl::StrCat(who, " does not wrap another: write it without parentheses"));
  }
  absl::StatusOr<PluginOptions> options = PluginOptions::Parse(who, r.options, spec->options);
  if (!options.ok()) return options.status();
  return Resolved{&r, *std::move(spec), *std::move(options)};
}

// The loader's message, made plainer where it is about the function that registers.
std::string WhyNotLoaded(absl::string_view message) {
  constexpr absl::string_view kFunction = "RegisterPluginV";
  const size_t at = message.find(kFunction);
  if (at == absl::string_view::npos) return absl::StrCat("cannot be loaded: ", message);
  absl::string_view version = message.substr(at + kFunction.size());
  version = version.substr(0, version.find_first_not_of("0123456789"));
  if (version == absl::StrCat(GYRE_PLUGIN_INTERFACE_VERSION)) {
    return "cannot be loaded: the program does not export the registry (link it with -rdynamic, as //:gyre does)";
  }
  return absl::StrCat("was built against version ", version, " of the plug-in interface; this program has version ",
                      GYRE_PLUGIN_INTERFACE_VERSION);
}

}  // namespace

absl::string_view PluginKindName(PluginKind kind) {
  switch (kind) {
    case PluginKind::kScheduler: return "scheduler";
    case PluginKind::kStack: return "stack";
    case PluginKind::kPreemption: return "preemption";
  }
  return "plug-in";
}

absl::StatusOr<Configured<SchedulerPolicy>> MakeScheduler(absl::string_view spec) {
  absl::StatusOr<Resolved> found = Resolve(PluginKind::kScheduler, spec);
  if (!found.ok()) return found.status();
  if (!found->spec.has_inner) {
    return Configured<SchedulerPolicy>{found->registration->scheduler(), std::move(found->options)};
  }
  absl::StatusOr<Configured<SchedulerPolicy>> inner = MakeScheduler(found->spec.inner);
  if (!inner.ok()) return inner.status();
  return Configured<SchedulerPolicy>{found->registration->scheduler_wrapper(*std::move(inner)), std::move(found->options)};
}

absl::StatusOr<Configured<StackAllocator>> MakeStackAllocator(absl::string_view spec) {
  absl::StatusOr<Resolved> found = Resolve(PluginKind::kStack, spec);
  if (!found.ok()) return found.status();
  return Configured<StackAllocator>{found->registration->stack(), std::move(found->options)};
}

absl::StatusOr<Configured<PreemptionStrategy>> MakePreemption(absl::string_view spec) {
  absl::StatusOr<Resolved> found = Resolve(PluginKind::kPreemption, spec);
  if (!found.ok()) return found.status();
  return Configured<PreemptionStrategy>{found->registration->preemption(), std::move(found->options)};
}

std::vector<PluginInfo> ListPlugins(PluginKind kind) {
  Table& table = TheTable();
  std::lock_guard hold(table.lock);
  std::vector<PluginInfo> list;
  for (const Entry& e : table.entries) {
    const internal::Registration& r = e.registration;
    if (r.kind != kind) continue;
    list.push_back({r.name, r.help, r.options, static_cast<bool>(r.scheduler_wrapper), e.origin});
  }
  std::sort(list.begin(), list.end(), [](const PluginInfo& a, const PluginInfo& b) { return a.name < b.name; });
  return list;
}

bool internal::GYRE_INTERNAL_REGISTER_PLUGIN(Registration registration) {
  Table& table = TheTable();
  std::lock_guard hold(table.lock);
  if (table.loading != nullptr) {
    table.loading->registrations.push_back(std::move(registration));
    return true;
  }
  if (const std::string objection = Objection(table, registration); !objection.empty()) {
    std::cerr << "gyre: " << objection << std::endl;
    std::abort();
  }
  table.entries.push_back({std::move(registration), "built in"});
  return true;
}

absl::Status LoadPluginLibrary(const std::string& path) {
  Table& table = TheTable();
  std::lock_guard hold(table.lock);
  if (std::find(table.loaded.begin(), table.loaded.end(), path) != table.loaded.end()) return absl::OkStatus();
  Loading loading;
  loading.path = path;
  table.loading = &loading;
  // Through a name with a slash, so that the loader takes this very file and does not search for one.
  void* handle = dlopen((path.find('/') == std::string::npos ? "./" + path : path).c_str(), RTLD_NOW | RTLD_LOCAL);
  table.loading = nullptr;
  auto refuse = [&](absl::string_view why) {
    loading.registrations.clear();  // their functions are in the object that goes
    if (handle != nullptr) dlclose(handle);
    return absl::InvalidArgumentError(absl::StrCat("plug-in ", path, ": ", why));
  };
  if (handle == nullptr) return refuse(WhyNotLoaded(dlerror()));
  if (loading.registrations.empty()) return refuse("is no gyre plug-in: it registers nothing (GYRE_REGISTER_SCHEDULER and its like do)");
  for (size_t i = 0; i < loading.registrations.size(); ++i) {
    if (const std::string objection = Objection(table, loading.registrations[i]); !objection.empty()) return refuse(objection);
  }
  for (internal::Registration& r : loading.registrations) table.entries.push_back({std::move(r), path});
  table.loaded.push_back(path);
  return absl::OkStatus();
}

}  // namespace gyre
