#include "tests/debug/http_client.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace gyre::testing {

int Connect(const std::string& address) {
  const size_t colon = address.rfind(':');
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<uint16_t>(std::atoi(address.substr(colon + 1).c_str())));
  inet_pton(AF_INET, address.substr(0, colon).c_str(), &to.sin_addr);
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof(to)) != 0) {
    ADD_FAILURE() << address << ": " << std::strerror(errno);
    close(fd);
    return -1;
  }
  return fd;
}

void SendText(int socket, const std::string& text) {
  for (size_t sent = 0; sent < text.size();) {
    const ssize_t n = send(socket, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;
    sent += static_cast<size_t>(n);
  }
}

std::string ReadAll(int socket, int seconds) {
  const timeval limit{seconds, 0};
  setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  std::string text;
  char buffer[16384];
  for (;;) {
    const ssize_t n = recv(socket, buffer, sizeof(buffer), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return text;
    text.append(buffer, static_cast<size_t>(n));
  }
}

Reply Parse(const std::string& text) {
  Reply reply;
  const size_t end = text.find("\r\n\r\n");
  if (text.rfind("HTTP/1.", 0) != 0 || end == std::string::npos) return reply;
  reply.status = std::atoi(text.c_str() + std::strlen("HTTP/1.1 "));
  reply.head = text.substr(0, end);
  reply.body = text.substr(end + 4);
  return reply;
}

Reply Get(const std::string& address, const std::string& path, const std::string& method, const std::string& host) {
  const int socket = Connect(address);
  SendText(socket, method + " " + path + " HTTP/1.1\r\nHost: " + (host.empty() ? address : host) +
                       "\r\nConnection: close\r\n\r\n");
  const Reply reply = Parse(ReadAll(socket, 60));
  close(socket);
  return reply;
}

}  // namespace gyre::testing
