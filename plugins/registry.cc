#include "plugins/registry.h"

#include <dlfcn.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <mutex>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "plugins/config.h"
#include "plugins/spec.h"

namespace gyre {

namespace {

constexpr char kBuiltIn[] = "built in";

struct Entry {
  internal::Registration registration;
  std::string origin;
};

// A shared object that is in the process because LoadPluginLibrary brought it there. Its handle is never given back, so
// that no later one has the same value.
struct Library {
  void* handle;
  absl::Status outcome;  // a refused one can stay: not every shared object can be unloaded
};

struct Table {
  // Never held while a shared object is loaded: its static initialisers register under the loader's own lock, and a
  // program that calls dlopen itself would take the two locks in the other order.
  std::mutex lock;
  // Grows only, and an entry keeps its address and content: once found, it is read without the lock.
  std::deque<Entry> entries;

  std::mutex load_lock;            // taken before `lock`
  std::vector<Library> libraries;  // guarded by load_lock
};

// Never destroyed: registrations come before main, and threads may outlive it.
Table& TheTable() {
  static Table* table = new Table;
  return *table;
}

// Registrations that arrive while this thread loads a shared object wait here until all of them are known to be good.
thread_local std::vector<internal::Registration>* collecting = nullptr;

// Requires table.lock.
const Entry* Find(const Table& table, PluginKind kind, absl::string_view name) {
  for (const Entry& e : table.entries) {
    if (e.registration.kind == kind && name == e.registration.name) return &e;
  }
  return nullptr;
}

// Why `r` may not be added; empty if it may. Requires table.lock.
std::string Objection(const Table& table, const internal::Registration& r) {
  const std::string who = absl::StrCat(PluginKindName(r.kind), " \"", r.name, "\"");
  constexpr absl::string_view kNames = "names are made of letters, digits, '_' and '-'";
  if (!internal::IsPluginName(r.name)) return absl::StrCat(who, " cannot be called so; ", kNames);
  if (const Entry* other = Find(table, r.kind, r.name)) {
    return absl::StrCat("the name of ", who, " is taken by one that ",
                        other->origin == kBuiltIn ? "is built in" : absl::StrCat("comes from ", other->origin));
  }
  std::set<std::string> options;
  for (const OptionSpec& option : r.options) {
    const auto& keys = ConfigKeys();
    if (!internal::IsPluginName(option.name)) {
      return absl::StrCat(who, " cannot have an option \"", option.name, "\"; ", kNames);
    }
    if (std::find(keys.begin(), keys.end(), option.name) != keys.end()) {
      return absl::StrCat(who, " names an option \"", option.name, "\", which is a key of the configuration");
    }
    if (!options.insert(option.name).second) {
      return absl::StrCat(who, " declares the option \"", option.name, "\" twice");
    }
  }
  if (auto defaults = PluginOptions::Parse(who, r.options, {}); !defaults.ok()) {
    return absl::StrCat("a default that its own option refuses: ", defaults.status().message());
  }
  return "";
}

// Requires table.lock.
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
    return absl::InvalidArgumentError(
        absl::StrCat(who, " wraps another ", PluginKindName(kind), ": write ", spec->name,
                     "(name), with one of the names: ", absl::StrJoin(Names(table, kind), ", ")));
  }
  if (!wraps && spec->has_inner) {
    return absl::InvalidArgumentError(absl::StrCat(who, " does not wrap another: write it without parentheses"));
  }
  absl::StatusOr<PluginOptions> options = PluginOptions::Parse(who, r.options, spec->options);
  if (!options.ok()) return options.status();
  return Resolved{&r, *std::move(spec), *std::move(options)};
}

// Why the loader refused the file, in our words where the message is about something that a plug-in's author can
// change.
std::string WhyNotLoaded(const std::string& file, absl::string_view message) {
  // It begins with the file's name, which our own sentence has already.
  absl::ConsumePrefix(&message, absl::StrCat(file, ": "));
  constexpr absl::string_view kFunction = "RegisterPluginV";
  if (const size_t at = message.find(kFunction); at != absl::string_view::npos) {
    absl::string_view version = message.substr(at + kFunction.size());
    version = version.substr(0, version.find_first_not_of("0123456789"));
    if (version != absl::StrCat(GYRE_PLUGIN_INTERFACE_VERSION)) {
      return absl::StrCat("was built against version ", version, " of the plug-in interface; this program has version ",
                          GYRE_PLUGIN_INTERFACE_VERSION);
    }
  }
  if (absl::StrContains(message, "undefined symbol") && absl::StrContains(message, "gyre")) {
    return absl::StrCat(
        "cannot be loaded: ", message,
        "; the program must be of the same version of gyre, and be linked with -rdynamic as //:gyre has it");
  }
  if (absl::StrContains(message, "ELF header") || absl::StrContains(message, "file too short")) {
    return absl::StrCat("is not a shared object (", message, ")");
  }
  return absl::StrCat("cannot be loaded: ", message);
}

// Opens `file`, whose static initialisers' registrations go to `registrations`. Null: dlerror says why.
void* Open(const std::string& file, std::vector<internal::Registration>* registrations) {
  collecting = registrations;
  void* handle = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  collecting = nullptr;
  return handle;
}

// Adds all of them, or none. Requires table.lock to be free.
absl::Status Adopt(Table& table, std::vector<internal::Registration>* registrations, const std::string& origin) {
  std::lock_guard hold(table.lock);
  const auto before = static_cast<std::ptrdiff_t>(table.entries.size());
  for (internal::Registration& r : *registrations) {
    if (const std::string objection = Objection(table, r); !objection.empty()) {
      table.entries.erase(table.entries.begin() + before, table.entries.end());
      return absl::InvalidArgumentError(objection);
    }
    table.entries.push_back({std::move(r), origin});
  }
  return absl::OkStatus();
}

}  // namespace

absl::string_view PluginKindName(PluginKind kind) {
  switch (kind) {
    case PluginKind::kScheduler:
      return "scheduler";
    case PluginKind::kStack:
      return "stack";
    case PluginKind::kPreemption:
      return "preemption";
    case PluginKind::kStrategy:
      return "strategy";
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
  return Configured<SchedulerPolicy>{found->registration->scheduler_wrapper(*std::move(inner)),
                                     std::move(found->options)};
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

absl::StatusOr<Configured<ExplorationStrategy>> MakeStrategy(absl::string_view spec) {
  absl::StatusOr<Resolved> found = Resolve(PluginKind::kStrategy, spec);
  if (!found.ok()) return found.status();
  return Configured<ExplorationStrategy>{found->registration->strategy(), std::move(found->options)};
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
  if (collecting != nullptr) {
    collecting->push_back(std::move(registration));
    return true;
  }
  std::vector<Registration> one;
  one.push_back(std::move(registration));
  if (absl::Status status = Adopt(TheTable(), &one, kBuiltIn); !status.ok()) {
    std::fprintf(stderr, "gyre: %s\n", std::string(status.message()).c_str());
    std::abort();
  }
  return true;
}

absl::Status LoadPluginLibrary(const std::string& path) {
  auto refusal = [&path](absl::string_view why) {
    return absl::InvalidArgumentError(absl::StrCat("plug-in ", path, ": ", why));
  };
  if (collecting != nullptr) return refusal("cannot be loaded while another plug-in is being loaded");
  // Through a name with a slash, so that the loader takes this very file and does not search for one.
  const std::string file = absl::StrContains(path, '/') ? path : absl::StrCat("./", path);
  if (access(file.c_str(), R_OK) != 0) return refusal(absl::StrCat("cannot be read: ", std::strerror(errno)));

  Table& table = TheTable();
  std::lock_guard hold(table.load_lock);
  if (void* resident = dlopen(file.c_str(), RTLD_NOW | RTLD_NOLOAD); resident != nullptr) {
    dlclose(resident);  // whoever brought it holds it
    for (const Library& library : table.libraries) {
      if (library.handle == resident) return library.outcome;
    }
    return refusal("is part of the program already; what it registers is there without loading it");
  }

  std::vector<internal::Registration> registrations;
  void* handle = Open(file, &registrations);
  if (handle == nullptr) return refusal(WhyNotLoaded(file, dlerror()));
  absl::Status outcome = absl::OkStatus();
  if (registrations.empty()) {
    outcome = refusal("is no gyre plug-in: it registers nothing (GYRE_REGISTER_SCHEDULER and its like do)");
  } else if (absl::Status adopted = Adopt(table, &registrations, path); !adopted.ok()) {
    outcome = refusal(adopted.message());
  }
  if (!outcome.ok()) {
    registrations.clear();  // their code is in the object that goes
    dlclose(handle);
    handle = dlopen(file.c_str(), RTLD_NOW | RTLD_NOLOAD);
  }
  if (handle != nullptr) table.libraries.push_back({handle, outcome});
  return outcome;
}

}  // namespace gyre
