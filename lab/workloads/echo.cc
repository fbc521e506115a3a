// echo: a TCP (or Unix) echo server and its clients in one process. Each client sends a message, waits until all of it
// has come back, and sends the next. It measures the path from the kernel's event to the goroutine that waits for it.
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gyre.h"
#include "lab/numbers.h"
#include "lab/workload.h"

namespace gyre::lab {

namespace {

void Serve(const net::Conn& conn, size_t size) {
  std::vector<char> buffer(size);
  for (;;) {
    const absl::StatusOr<size_t> n = conn.Read(absl::MakeSpan(buffer));
    if (!n.ok() || *n == 0 || !conn.Write({buffer.data(), *n}).ok()) return;
  }
}

struct Client {
  net::Conn conn;
  int64_t requests = 0;       // to do
  int64_t right = 0;          // that came back as they were sent
  std::vector<double> times;  // round trips, ns
  absl::Status wrong;
};

void Ask(Client& client, int64_t number, size_t size) {
  std::vector<char> sent(size), got(size);
  Nanos now = NowNanos();
  for (int64_t i = 0; i < client.requests; ++i) {
    for (size_t k = 0; k < size; ++k) sent[k] = static_cast<char>(number * 31 + i + static_cast<int64_t>(k));
    client.wrong.Update(client.conn.Write({sent.data(), size}));
    client.wrong.Update(client.conn.ReadFull(absl::MakeSpan(got)));
    if (!client.wrong.ok()) return;
    client.right += got == sent;
    const Nanos before = std::exchange(now, NowNanos());
    client.times.push_back(static_cast<double>(now - before));
  }
}

// One more Unix address than there has been in this process.
std::string UnixName() {
  static std::atomic<int> next{0};
  return absl::StrCat("@gyre-echo-", getpid(), "-", next.fetch_add(1));
}

absl::StatusOr<Report> Run(WorkloadContext& context) {
  const std::string& network = context.parameters.Choice("network");
  const int64_t connections = context.parameters.Int("connections"), requests = context.parameters.Int("requests");
  const size_t size = static_cast<size_t>(context.parameters.Int("size"));

  const absl::StatusOr<net::Listener> listener = net::Listen(network, network == "unix" ? UnixName() : "127.0.0.1:0");
  if (!listener.ok()) {
    // The simulator's refusal is the user's to act on.
    const bool refused = listener.status().code() == absl::StatusCode::kUnimplemented;
    return refused ? absl::InvalidArgumentError(listener.status().message()) : listener.status();
  }
  WaitGroup server;
  server.Go([&, listener = *listener] {
    for (;;) {
      absl::StatusOr<net::Conn> conn = listener.Accept();
      if (!conn.ok()) return;
      server.Go([conn = *std::move(conn), size] { Serve(conn, size); });
    }
  });
  std::vector<Client> clients(static_cast<size_t>(connections));
  absl::Status wrong;
  for (size_t i = 0; i < clients.size() && wrong.ok(); ++i) {
    clients[i].requests = requests / connections + (static_cast<int64_t>(i) < requests % connections);
    clients[i].times.reserve(static_cast<size_t>(clients[i].requests));
    absl::StatusOr<net::Conn> conn = net::Dial(network, listener->Address());
    wrong.Update(conn.status());
    if (conn.ok()) clients[i].conn = *std::move(conn);
  }

  if (wrong.ok()) {
    context.meter.Start();
    WaitGroup all;
    for (size_t i = 0; i < clients.size(); ++i) {
      all.Go([&, i] { Ask(clients[i], static_cast<int64_t>(i), size); });
    }
    all.Wait();
    context.meter.Stop();
  }
  std::vector<double> times;
  int64_t right = 0;
  for (Client& client : clients) {
    right += client.right;
    wrong.Update(client.wrong);
    times.insert(times.end(), client.times.begin(), client.times.end());
    client.conn = {};
  }
  wrong.Update(listener->Close());
  server.Wait();
  if (!wrong.ok()) return wrong;

  std::sort(times.begin(), times.end());
  return Report{.answer = absl::StrCat(right, " messages came back"),
                .expected = absl::StrCat(requests, " messages came back"),
                .operations = requests,
                .operation = "request",
                .figures = {{"throughput_per_s",
                             static_cast<double>(requests) * 1e9 / static_cast<double>(context.meter.elapsed())},
                            {"round_trip_p50_ns", PercentileOf(times, 50)},
                            {"round_trip_p99_ns", PercentileOf(times, 99)},
                            {"round_trip_p999_ns", PercentileOf(times, 99.9)},
                            {"round_trip_max_ns", times.back()}}};
}

const bool registered = RegisterWorkload({
    .name = "echo",
    .help = "an echo server and its clients over real sockets, in one process; not in the simulator",
    .parameters = {IntOption("connections", 64, 1, 100'000, "clients, each with a connection"),
                   IntOption("size", 64, 1, 65536, "bytes of a message"),
                   IntOption("requests", 200'000, 1, 1'000'000'000, "messages in all, shared among the clients"),
                   ChoiceOption("network", {"tcp", "unix"}, "tcp", "what connects them")},
    .compare = {},
    .columns = {{"requests/s", "throughput_per_s"},
                {"p50", "round_trip_p50_ns"},
                {"p99", "round_trip_p99_ns"},
                {"p99.9", "round_trip_p999_ns"}},
    .check = {},
    .run = Run,
    .simulates = false,
});

}  // namespace

}  // namespace gyre::lab
