// Where a debug server listens.
#ifndef GYRE_RUNTIME_DEBUG_HTTP_ADDRESS_H_
#define GYRE_RUNTIME_DEBUG_HTTP_ADDRESS_H_

#include <netinet/in.h>

#include <string>

#include "absl/status/statusor.h"

namespace gyre::internal {

struct HttpAddress {
  bool is_ipv6 = false;
  sockaddr_in ipv4{};
  sockaddr_in6 ipv6{};

  // See HttpServer::Start.
  static absl::StatusOr<HttpAddress> Parse(const std::string& text, bool beyond_loopback);

  const sockaddr* sockaddress() const {
    return is_ipv6 ? reinterpret_cast<const sockaddr*>(&ipv6) : reinterpret_cast<const sockaddr*>(&ipv4);
  }
  bool IsLoopback() const;
  std::string ToString(int port) const;
};

// Whether the value of a Host header may come from somebody who meant this machine. A page of some website, whose name
// resolves to 127.0.0.1 all of a sudden, may make a browser ask a loopback server for it; its Host is then that name.
bool IsPlainHost(const std::string& host);

}  // namespace gyre::internal

#endif  // GYRE_RUNTIME_DEBUG_HTTP_ADDRESS_H_
