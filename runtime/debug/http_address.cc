#include "runtime/debug/http_address.h"

#include <arpa/inet.h>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace gyre::internal {

namespace {

absl::Status Malformed(const std::string& text) {
  return absl::InvalidArgumentError(absl::StrCat(
      "debug_http=", text,
      " is not an address with a port, such as 127.0.0.1:6060, localhost:6060, [::1]:6060, or :6060 for 127.0.0.1's"));
}

bool IsIpv4(const std::string& host) {
  in_addr address;
  return inet_pton(AF_INET, host.c_str(), &address) == 1;
}

bool IsIpv6(const std::string& host) {
  in6_addr address;
  return inet_pton(AF_INET6, host.c_str(), &address) == 1;
}

// "[::1]:80", "::1", "127.0.0.1:80", "localhost": without brackets and port.
std::string HostOf(const std::string& text) {
  if (!text.empty() && text[0] == '[') return text.substr(1, text.find(']') - 1);
  if (IsIpv6(text)) return text;
  return text.substr(0, text.rfind(':'));
}

}  // namespace

absl::StatusOr<HttpAddress> HttpAddress::Parse(const std::string& text, bool beyond_loopback) {
  const size_t colon = text.rfind(':');
  int port;
  if (colon == std::string::npos || !absl::SimpleAtoi(text.substr(colon + 1), &port) || port < 0 || port > 65535) {
    return Malformed(text);
  }
  std::string host = text.substr(0, colon);
  HttpAddress address;
  if (host.empty() || host == "localhost") host = "127.0.0.1";
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    address.is_ipv6 = true;
    address.ipv6.sin6_family = AF_INET6;
    address.ipv6.sin6_port = htons(static_cast<uint16_t>(port));
    if (inet_pton(AF_INET6, host.substr(1, host.size() - 2).c_str(), &address.ipv6.sin6_addr) != 1)
      return Malformed(text);
  } else {
    address.ipv4.sin_family = AF_INET;
    address.ipv4.sin_port = htons(static_cast<uint16_t>(port));
    if (inet_pton(AF_INET, host.c_str(), &address.ipv4.sin_addr) != 1) return Malformed(text);
  }
  if (!beyond_loopback && !address.IsLoopback()) {
    return absl::InvalidArgumentError(
        absl::StrCat("debug_http=", text,
                     " can be reached from other machines, which would see the program's insides and slow it "
                     "down: to allow that, add debug_http_public=true (--debug_http_public)"));
  }
  return address;
}

bool HttpAddress::IsLoopback() const {
  if (is_ipv6) return IN6_IS_ADDR_LOOPBACK(&ipv6.sin6_addr);
  return ntohl(ipv4.sin_addr.s_addr) >> 24 == 127;
}

std::string HttpAddress::ToString(int port) const {
  char text[INET6_ADDRSTRLEN] = "";
  if (is_ipv6) {
    inet_ntop(AF_INET6, &ipv6.sin6_addr, text, sizeof(text));
    return absl::StrCat("[", text, "]:", port);
  }
  inet_ntop(AF_INET, &ipv4.sin_addr, text, sizeof(text));
  return absl::StrCat(text, ":", port);
}

bool IsPlainHost(const std::string& text) {
  const std::string host = HostOf(text);
  return absl::EqualsIgnoreCase(host, "localhost") || IsIpv4(host) || IsIpv6(host);
}

}  // namespace gyre::internal
