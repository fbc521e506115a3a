// A plain HTTP client for tests: one request on a connection of its own.
#ifndef GYRE_TESTS_DEBUG_HTTP_CLIENT_H_
#define GYRE_TESTS_DEBUG_HTTP_CLIENT_H_

#include <string>

namespace gyre::testing {

struct Reply {
  int status = 0;  // 0: the server closed the connection without one
  std::string head;
  std::string body;
};

// A connection to "127.0.0.1:PORT"; -1 and a failed test if there is none.
int Connect(const std::string& address);
void SendText(int socket, const std::string& text);
// All that comes until the server closes, or nothing comes for `seconds`.
std::string ReadAll(int socket, int seconds);

Reply Parse(const std::string& text);
// GET, or what `method` says. `host`: the Host header; empty: the address.
Reply Get(const std::string& address, const std::string& path, const std::string& method = "GET",
          const std::string& host = "");

}  // namespace gyre::testing

#endif  // GYRE_TESTS_DEBUG_HTTP_CLIENT_H_
