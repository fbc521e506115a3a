// Looking into a running program with a browser, `go tool pprof`, Prometheus or `lab top`:
//
//   ./program --debug_http=127.0.0.1:6060          (or GYRE=debug_http=...; gyre::Main starts the server)
//   go tool pprof -top http://127.0.0.1:6060/debug/pprof/profile?seconds=5
//
// /debug/pprof/ is an index with all that there is, /metrics the runtimes' counts. A program that owns its main starts
// the server itself. The server's thread is known to the deadlock detector, and does not switch it off.
#ifndef GYRE_RUNTIME_DEBUG_SERVER_H_
#define GYRE_RUNTIME_DEBUG_SERVER_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "plugins/config.h"

namespace gyre {

class DebugServer {
 public:
  // `address`: "127.0.0.1:6060", "localhost:0", ...; see docs/observing.md. Whoever can reach it sees the program's
  // insides and can slow it down, so other addresses than the machine's own need `beyond_loopback`. Errors say what is
  // valid.
  static absl::StatusOr<std::unique_ptr<DebugServer>> Start(const std::string& address, bool beyond_loopback = false);

  // What the configuration asks for: the profiles' rates, and a server (null: none).
  static absl::StatusOr<std::unique_ptr<DebugServer>> StartFor(const Config& config);

  virtual ~DebugServer() = default;

  // "127.0.0.1:6060", with the port that it really has.
  virtual std::string address() const = 0;
};

}  // namespace gyre

#endif  // GYRE_RUNTIME_DEBUG_SERVER_H_
