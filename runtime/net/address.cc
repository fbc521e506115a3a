#include "runtime/net/address.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <cstddef>
#include <cstring>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "runtime/blocking.h"

namespace gyre::net::internal {

namespace {

struct HostPort {
  std::string host, port;
};

absl::StatusOr<HostPort> Split(absl::string_view address) {
  const auto wrong = [&](absl::string_view what) {
    return absl::InvalidArgumentError(
        absl::StrCat("address ", address, ": ", what, " (as in 127.0.0.1:80 or [::1]:80)"));
  };
  const size_t colon = address.rfind(':');
  if (colon == absl::string_view::npos) return wrong("missing port in address");
  absl::string_view host = address.substr(0, colon);
  if (!host.empty() && host.front() == '[') {
    if (host.size() < 2 || host.back() != ']') return wrong("missing ']' in address");
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != absl::string_view::npos) {
    return wrong("too many colons in address");
  }
  if (address.find('\0') != absl::string_view::npos) return wrong("a zero byte in address");
  return HostPort{std::string(host), std::string(address.substr(colon + 1))};
}

absl::StatusOr<Address> UnixAddress(absl::string_view path) {
  Address address;
  auto* un = reinterpret_cast<sockaddr_un*>(&address.storage);
  if (path.empty()) return absl::InvalidArgumentError("a unix address is a path, or @ and a name");
  // A path ends with a zero byte; an abstract name begins with one instead of its @.
  if (path.size() >= sizeof(un->sun_path)) {
    return absl::InvalidArgumentError(
        absl::StrCat("unix address ", path, " is too long: at most ", sizeof(un->sun_path) - 1, " bytes"));
  }
  un->sun_family = AF_UNIX;
  std::memcpy(un->sun_path, path.data(), path.size());
  const bool is_abstract = path.front() == '@';
  if (is_abstract) un->sun_path[0] = '\0';
  address.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + (is_abstract ? 0 : 1));
  return address;
}

Address Ip4(in_addr ip, uint16_t port) {
  Address address;
  auto* in = reinterpret_cast<sockaddr_in*>(&address.storage);
  *in = {};
  in->sin_family = AF_INET;
  in->sin_port = htons(port);
  in->sin_addr = ip;
  address.size = sizeof(*in);
  return address;
}

Address Ip6(const in6_addr& ip, uint16_t port) {
  Address address;
  auto* in = reinterpret_cast<sockaddr_in6*>(&address.storage);
  *in = {};
  in->sin6_family = AF_INET6;
  in->sin6_port = htons(port);
  in->sin6_addr = ip;
  address.size = sizeof(*in);
  return address;
}

// Without asking anybody, where the host is empty or a number.
std::vector<Address> Literal(const std::string& host, uint16_t port, int family, bool to_listen) {
  std::vector<Address> found;
  in_addr ip4;
  in6_addr ip6;
  if (host.empty()) {
    // One socket for both, to listen: ::.
    if (family != AF_INET) found.push_back(Ip6(to_listen ? in6addr_any : in6addr_loopback, port));
    if (family != AF_INET6) {
      found.push_back(Ip4({htonl(to_listen ? INADDR_ANY : INADDR_LOOPBACK)}, port));
      if (!to_listen) std::swap(found.front(), found.back());
    }
  } else if (family != AF_INET6 && inet_pton(AF_INET, host.c_str(), &ip4) == 1) {
    found.push_back(Ip4(ip4, port));
  } else if (family != AF_INET && inet_pton(AF_INET6, host.c_str(), &ip6) == 1) {
    found.push_back(Ip6(ip6, port));
  }
  return found;
}

}  // namespace

std::string Address::ToString() const {
  char text[INET6_ADDRSTRLEN];
  switch (family()) {
    case AF_INET: {
      const auto* in = reinterpret_cast<const sockaddr_in*>(&storage);
      inet_ntop(AF_INET, &in->sin_addr, text, sizeof(text));
      return absl::StrCat(text, ":", ntohs(in->sin_port));
    }
    case AF_INET6: {
      const auto* in = reinterpret_cast<const sockaddr_in6*>(&storage);
      inet_ntop(AF_INET6, &in->sin6_addr, text, sizeof(text));
      return absl::StrCat("[", text, "]:", ntohs(in->sin6_port));
    }
    case AF_UNIX: {
      const auto* un = reinterpret_cast<const sockaddr_un*>(&storage);
      const size_t begin = offsetof(sockaddr_un, sun_path);
      if (size <= begin) return "";
      if (un->sun_path[0] == '\0') return absl::StrCat("@", std::string(un->sun_path + 1, size - begin - 1));
      return std::string(un->sun_path, strnlen(un->sun_path, size - begin));
    }
    default:
      return "";
  }
}

absl::StatusOr<std::vector<Address>> Resolve(absl::string_view network, absl::string_view address, bool to_listen) {
  if (network == "unix") {
    absl::StatusOr<Address> one = UnixAddress(address);
    if (!one.ok()) return one.status();
    return std::vector<Address>{*one};
  }
  const int family = network == "tcp4" ? AF_INET : network == "tcp6" ? AF_INET6 : AF_UNSPEC;
  if (family == AF_UNSPEC && network != "tcp") {
    return absl::InvalidArgumentError(absl::StrCat("unknown network ", network, "; there are: tcp, tcp4, tcp6, unix"));
  }
  absl::StatusOr<HostPort> parts = Split(address);
  if (!parts.ok()) return parts.status();
  uint32_t port = 0;
  const bool numeric = parts->port.empty() || absl::SimpleAtoi(parts->port, &port);
  if (numeric && port > 65535) {
    return absl::InvalidArgumentError(absl::StrCat("address ", address, ": invalid port: 0 to 65535 are valid"));
  }
  if (numeric) {
    std::vector<Address> found = Literal(parts->host, static_cast<uint16_t>(port), family, to_listen);
    if (!found.empty()) return found;
  }

  addrinfo hints = {};
  hints.ai_family = family;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = to_listen ? AI_PASSIVE : 0;
  addrinfo* list = nullptr;
  const char* host = parts->host.empty() ? nullptr : parts->host.c_str();
  const char* service = parts->port.empty() ? "0" : parts->port.c_str();
  const int error = Blocking([&] { return getaddrinfo(host, service, &hints, &list); });
  if (error == EAI_SERVICE) {
    return absl::InvalidArgumentError(absl::StrCat("lookup ", network, "/", parts->port, ": unknown port"));
  }
  if (error == EAI_NONAME || error == EAI_NODATA || error == EAI_ADDRFAMILY) {
    return absl::NotFoundError(absl::StrCat("lookup ", parts->host, ": no such host"));
  }
  if (error != 0) return absl::UnavailableError(absl::StrCat("lookup ", parts->host, ": ", gai_strerror(error)));
  std::vector<Address> found;
  for (const addrinfo* one = list; one != nullptr; one = one->ai_next) {
    if (one->ai_addrlen > sizeof(sockaddr_storage)) continue;
    Address next;
    std::memcpy(&next.storage, one->ai_addr, one->ai_addrlen);
    next.size = one->ai_addrlen;
    found.push_back(next);
  }
  freeaddrinfo(list);
  if (found.empty()) return absl::NotFoundError(absl::StrCat("lookup ", parts->host, ": no such host"));
  return found;
}

}  // namespace gyre::net::internal
