// Addresses as the kernel wants them, from text: "127.0.0.1:80", "[::1]:80", "example.org:http", ":0", "/run/a.socket".
#ifndef GYRE_RUNTIME_NET_ADDRESS_H_
#define GYRE_RUNTIME_NET_ADDRESS_H_

#include <sys/socket.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace gyre::net::internal {

struct Address {
  sockaddr_storage storage = {};
  socklen_t size = sizeof(sockaddr_storage);

  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  int family() const { return storage.ss_family; }
  // "127.0.0.1:80", "[::1]:80", a path, "@name" for an abstract one; empty if it has no name.
  std::string ToString() const;
};

// `network`: "tcp", "tcp4", "tcp6", "unix". A host's name is looked up, with gyre::Blocking around. An empty host is
// all of the machine's own addresses, to listen, and the loopback ones, to connect. At least one address. The errors'
// texts are Go's, where Go has one.
absl::StatusOr<std::vector<Address>> Resolve(absl::string_view network, absl::string_view address, bool to_listen);

}  // namespace gyre::net::internal

#endif  // GYRE_RUNTIME_NET_ADDRESS_H_
