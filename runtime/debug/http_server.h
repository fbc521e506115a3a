// A small HTTP server for looking into the process, over GNU libmicrohttpd: one thread, GET only, answers that are
// strings. Who asks badly or slowly harms nobody: a request's head has a limit of size and of time, so has taking the
// answer, and there are no more than kMostConnections. The library is loaded when a server starts.
#ifndef GYRE_RUNTIME_DEBUG_HTTP_SERVER_H_
#define GYRE_RUNTIME_DEBUG_HTTP_SERVER_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "plugins/task.h"

namespace gyre::internal {

struct HttpRequest {
  std::string path;
  std::function<std::optional<std::string>(const char* name)> argument;  // of the query; no longer than the call
};

struct HttpAnswer {
  int status = 200;
  std::string type = "text/plain; charset=utf-8";
  std::string body;
  std::string file;  // under which name a browser saves it; empty: it shows it

  // Set: this is no answer yet. `then` gives it, `wait` from now, or says to wait once more; others are served
  // meanwhile. It is called also if nobody waits for the answer any more, or, then once, when the server stops.
  std::function<HttpAnswer()> then;
  Nanos wait = 0;
};

HttpAnswer HttpError(int status, std::string text);

class HttpServer {
 public:
  static constexpr int kMostConnections = 64;
  static constexpr size_t kConnectionBytes = 16 * 1024;  // of a request's head, and buffers
  static constexpr Nanos kHeadPatience = 10'000'000'000;
  static constexpr Nanos kAnswerPatience = 60'000'000'000;

  using Handler = std::function<HttpAnswer(const HttpRequest&)>;

  // `address`: "127.0.0.1:6060", "localhost:6060", "[::1]:6060", ":6060" (127.0.0.1's); port 0 is any free one. Errors:
  // the address is not of this form; it is not this machine's own and `beyond_loopback` is false; it is in use; no
  // library. `handler` is called on the server's thread.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(const std::string& address, bool beyond_loopback,
                                                           Handler handler);
  virtual ~HttpServer() = default;

  // With the port that it really has.
  virtual std::string address() const = 0;
};

}  // namespace gyre::internal

#endif  // GYRE_RUNTIME_DEBUG_HTTP_SERVER_H_
