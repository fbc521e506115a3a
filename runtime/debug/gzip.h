// gzip, as every pprof file is packed.
#ifndef GYRE_RUNTIME_DEBUG_GZIP_H_
#define GYRE_RUNTIME_DEBUG_GZIP_H_

#include <string>

#include "absl/strings/string_view.h"

namespace gyre::internal {

std::string Gzip(absl::string_view data);

}  // namespace gyre::internal

#endif  // GYRE_RUNTIME_DEBUG_GZIP_H_
