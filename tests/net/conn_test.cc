// Connections: what is sent arrives, ends are seen, errors have Go's words, and nobody who misbehaves harms others.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "sync/wait_group.h"
#include "tests/net/net_test_util.h"
#include "tests/testing/runtime_test.h"

namespace gyre::net {
namespace {

using gyre::testing::Eventually;
using gyre::testing::Scaled;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;

constexpr const char* kNetworks[][2] = {{"tcp", "127.0.0.1:0"}, {"tcp6", "[::1]:0"}, {"unix", "@gyre-conn-test"}};

GYRE_TEST_ON_THREADS(Conn, EchoesOverEveryNetwork) {
  for (const auto& [network, address] : kNetworks) {
    absl::StatusOr<Listener> listener = Listen(network, address);
    if (!listener.ok() && std::string(network) == "tcp6") continue;  // a machine without version 6
    MustOk(listener.status());
    WaitGroup all;
    all.Go([listener = *listener, &all] {
      for (;;) {
        absl::StatusOr<Conn> conn = listener.Accept();
        if (!conn.ok()) {
          EXPECT_TRUE(IsClosed(conn.status())) << conn.status();
          return;
        }
        all.Go([conn = *conn] {
          char buffer[100];
          for (;;) {
            const absl::StatusOr<size_t> n = conn.Read(absl::MakeSpan(buffer));
            MustOk(n.status());
            if (*n == 0) return MustOk(conn.Close());
            MustOk(conn.Write({buffer, *n}));
          }
        });
      }
    });
    WaitGroup clients;
    for (int c = 0; c < 4; ++c) {
      clients.Go([&, c] {
        const Conn conn = Must(Dial(network, listener->Address()));
        for (int i = 0; i < Scaled(50); ++i) {
          const std::string sent = absl::StrCat("client ", c, " says ", i);
          MustOk(conn.Write(sent));
          std::string got(sent.size(), '?');
          MustOk(conn.ReadFull(absl::MakeSpan(got)));
          EXPECT_EQ(got, sent);
        }
        MustOk(conn.CloseWrite());
        char end;
        EXPECT_EQ(Must(conn.Read(absl::MakeSpan(&end, 1))), 0u);
        MustOk(conn.Close());
      });
    }
    clients.Wait();
    MustOk(listener->Close());
    all.Wait();
  }
}

}  // namespace
}  // namespace gyre::net
