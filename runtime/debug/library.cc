#include "runtime/debug/library.h"

#include <dlfcn.h>

#include "absl/strings/str_cat.h"

namespace gyre::internal {

Library::Library(const char* file, const char* package) : file_(file) {
  handle_ = dlopen(file, RTLD_NOW | RTLD_LOCAL);
  if (handle_ == nullptr) {
    status_ = absl::UnavailableError(
        absl::StrCat("cannot load ", file, ": ", dlerror(), " (Debian's package ", package, ")"));
  }
}

void* Library::Find(const char* name) {
  if (!status_.ok()) return nullptr;
  void* found = dlsym(handle_, name);
  if (found == nullptr) status_ = absl::UnavailableError(absl::StrCat(file_, " has no function ", name));
  return found;
}

}  // namespace gyre::internal
