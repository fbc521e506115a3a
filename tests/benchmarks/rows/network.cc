// Echo over TCP on loopback, client and server in one process, for 3 seconds.
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "runtime/net/net.h"
#include "tests/benchmarks/rows/rows.h"

namespace gyre::rows {

namespace {

constexpr size_t kMessage = 64;

template <typename T>
T Must(absl::StatusOr<T> value) {
  if (!value.ok()) peers::Exit(1, "row echo: %s", std::string(value.status().message()).c_str());
  return *std::move(value);
}

void MustOk(const absl::Status& status) {
  if (!status.ok()) peers::Exit(1, "row echo: %s", std::string(status.message()).c_str());
}

void ServeConnection(const net::Conn& conn) {
  char buffer[kMessage];
  for (;;) {
    const absl::StatusOr<size_t> n = conn.Read(absl::MakeSpan(buffer));
    if (!n.ok() || *n == 0) return;
    if (!conn.Write({buffer, *n}).ok()) return;
  }
}

// One message after another until `end`; each one's round trip in microseconds.
std::vector<double> Request(const net::Conn& conn, Clock::time_point end) {
  std::vector<double> latencies;
  char out[kMessage] = {}, in[kMessage];
  auto now = Clock::now();
  for (uint64_t number = 1; now < end; ++number) {
    const uint64_t inverse = ~number;
    std::memcpy(out, &number, sizeof(number));
    std::memcpy(out + kMessage - sizeof(inverse), &inverse, sizeof(inverse));
    MustOk(conn.Write({out, kMessage}));
    MustOk(conn.ReadFull(absl::MakeSpan(in)));
    if (std::memcmp(in, out, kMessage) != 0) peers::Exit(1, "row echo: message %.0f came back changed", double(number));
    const auto sent = std::exchange(now, Clock::now());
    latencies.push_back(std::chrono::duration<double, std::micro>(now - sent).count());
  }
  return latencies;
}

}  // namespace

Result Echo(const Options& options) {
  std::vector<std::vector<double>> latencies(options.connections);
  double seconds = 0;
  Run([&] {
    const net::Listener listener = Must(net::Listen("tcp", "127.0.0.1:0"));
    gyre::Go([listener] {
      for (;;) {
        absl::StatusOr<net::Conn> conn = listener.Accept();
        if (!conn.ok()) return;
        gyre::Go([conn = *std::move(conn)] { ServeConnection(conn); });
      }
    });
    std::vector<net::Conn> conns;
    for (int i = 0; i < options.connections; ++i) conns.push_back(Must(net::Dial("tcp", listener.Address())));
    WaitGroup group;
    const auto start = Clock::now();
    const auto end =
        start + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(3 * options.scale));
    for (int i = 0; i < options.connections; ++i) {
      group.Go([&latencies, conn = std::move(conns[i]), end, i] { latencies[i] = Request(conn, end); });
    }
    group.Wait();
    seconds = peers::SecondsSince(start);
    MustOk(listener.Close());
  });
  std::vector<double> all;
  for (const auto& some : latencies) all.insert(all.end(), some.begin(), some.end());
  return {"requests_per_s",
          static_cast<double>(all.size()) / seconds,
          {{"connections", options.connections},
           {"p50_us", peers::Percentile(all, 0.5)},
           {"p99_us", peers::Percentile(all, 0.99)}}};
}

}  // namespace gyre::rows
