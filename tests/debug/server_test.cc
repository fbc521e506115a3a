// The debug server: what it serves, what it refuses, and that neither bad nor slow clients harm it or the program.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "runtime/debug/http_server.h"
#include "runtime/debug/server.h"
#include "runtime/go.h"
#include "runtime/park.h"
#include "runtime/runtime.h"
#include "tests/debug/http_client.h"
#include "tests/debug/pprof_reader.h"
#include "tests/testing/runtime_test.h"

namespace gyre::testing {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;

class DebugServerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto server = DebugServer::Start("127.0.0.1:0");
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  std::string address() const { return server_->address(); }

  std::unique_ptr<DebugServer> server_;
};

TEST_F(DebugServerTest, TheIndexLinksToAllThatThereIs) {
  for (const char* path : {"/", "/debug/pprof", "/debug/pprof/"}) {
    const Reply reply = Get(address(), path);
    EXPECT_EQ(reply.status, 200) << path;
    for (const char* name :
         {"goroutine", "goroutineleak", "block", "mutex", "threadcreate", "profile", "trace", "/metrics"}) {
      EXPECT_THAT(reply.body, HasSubstr(absl::StrCat(">", name[0] == '/' ? name + 1 : name, "</a>"))) << path;
    }
  }
}

TEST_F(DebugServerTest, ServesEveryProfile) {
  Config config;
  config.procs = 2;
  Runtime runtime(config);
  runtime.Run([&] {
    for (const char* name : {"goroutine", "goroutineleak", "block", "mutex", "threadcreate"}) {
      Reply reply;
      for (const char* debug : {"?debug=1", ""}) {
        std::thread([&] { reply = Get(address(), absl::StrCat("/debug/pprof/", name, debug)); }).join();
        EXPECT_EQ(reply.status, 200) << name << debug;
      }
      EXPECT_THAT(reply.head, HasSubstr("application/octet-stream"));
      EXPECT_FALSE(ReadPprof(reply.body).sample_types.empty()) << name;
    }
    Reply reply;
    std::thread([&] { reply = Get(address(), "/debug/pprof/profile?seconds=0.2"); }).join();
    EXPECT_EQ(reply.status, 200) << reply.body;
    EXPECT_EQ(ReadPprof(reply.body).period_type, "cpu/nanoseconds");
    std::thread([&] { reply = Get(address(), "/debug/pprof/trace?seconds=0.2"); }).join();
    EXPECT_EQ(reply.status, 200) << reply.body;
    EXPECT_EQ(reply.body.substr(0, 5), "go 1.");
    std::thread([&] { reply = Get(address(), "/debug/pprof/cmdline"); }).join();
    EXPECT_THAT(reply.body, HasSubstr("server_test"));
  });
}

TEST_F(DebugServerTest, MetricsInPrometheusForm) {
  Config config;
  config.procs = 3;
  config.debug_http = "on";  // what has the runtime keep times
  Runtime runtime(config);
  runtime.Run([&] {
    for (int i = 0; i < 10; ++i) Go([] { Sleep(absl::Milliseconds(200)); });
    Yield();
    Reply reply;
    std::thread([&] { reply = Get(address(), "/metrics"); }).join();
    EXPECT_EQ(reply.status, 200);
    EXPECT_THAT(reply.head, HasSubstr("text/plain; version=0.0.4"));
    EXPECT_THAT(reply.body,
                HasSubstr("# TYPE gyre_sched_goroutines_goroutines gauge\ngyre_sched_goroutines_goroutines "));
    EXPECT_THAT(reply.body, HasSubstr("\ngyre_sched_gomaxprocs_threads 3\n"));
    EXPECT_THAT(reply.body, ContainsRegex("\ngyre_sched_latencies_seconds_bucket\\{le=\"[+]Inf\"\\} [1-9]"));
    EXPECT_THAT(reply.body, ContainsRegex("\ngyre_sched_goroutines_created_goroutines_total 1[0-9]\n"));
    // Each line is a comment or "name{labels} number".
    for (size_t at = 0; at < reply.body.size();) {
      const size_t end = reply.body.find('\n', at);
      const std::string line = reply.body.substr(at, end - at);
      EXPECT_THAT(line, ::testing::MatchesRegex("(# (HELP|TYPE) [a-z_]+ .+)|([a-z_]+(\\{.*\\})? [-+.e0-9]+)"));
      at = end + 1;
    }
  });
}

TEST_F(DebugServerTest, SaysWhatWasWrong) {
  const struct {
    const char* path;
    int status;
    const char* text;
  } kCases[] = {
      {"/nowhere", 404, "see /debug/pprof/"},
      {"/debug/pprof/heap", 404, "there is no profile \"heap\"; there are: "},
      {"/debug/pprof/../../etc/passwd", 404, "there is no profile"},
      {"/debug/pprof/profile?seconds=-1", 400, "seconds may be more than 0 and up to 3600"},
      {"/debug/pprof/profile?seconds=1e9", 400, "seconds may be"},
      {"/debug/pprof/profile?seconds=nan", 400, "seconds may be"},
      {"/debug/pprof/profile?seconds=1&hz=0", 400, "from 1 to 10000"},
      {"/debug/pprof/goroutine?debug=3", 400, "debug may be from 0 to 2"},
      {"/debug/pprof/goroutine?debug=x", 400, "debug may be"},
  };
  for (const auto& c : kCases) {
    const Reply reply = Get(address(), c.path);
    EXPECT_EQ(reply.status, c.status) << c.path;
    EXPECT_THAT(reply.body, HasSubstr(c.text)) << c.path;
  }
}

TEST_F(DebugServerTest, OnlyOneCpuProfileAtATime) {
  std::thread first([&] {
    const std::string path = "/debug/pprof/profile?seconds=3";
    while (Get(address(), path).status != 200) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  });
  Reply second;
  for (int tries = 0; tries < 200; ++tries) {
    second = Get(address(), "/debug/pprof/profile?seconds=0.01");
    if (second.status != 200) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  EXPECT_EQ(second.status, 503);
  EXPECT_THAT(second.body, HasSubstr("is being taken already"));
  EXPECT_EQ(Get(address(), "/metrics").status, 200) << "others are served meanwhile";
  first.join();
}

TEST_F(DebugServerTest, OnlyGetIsAnswered) {
  for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS", "BREW"}) {
    EXPECT_EQ(Get(address(), "/metrics", method).status, 405) << method;
  }
  const Reply head = Get(address(), "/metrics", "HEAD");
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.body, "");
}

TEST_F(DebugServerTest, AWebsiteCannotAskThroughABrowser) {
  for (const char* host :
       {"evil.example", "evil.example:6060", "127.0.0.1.evil.example", "localhost.evil.example:80"}) {
    EXPECT_EQ(Get(address(), "/metrics", "GET", host).status, 403) << host;
  }
  for (const char* host : {"localhost", "localhost:6060", "127.0.0.1", "[::1]:6060", "LocalHost"}) {
    EXPECT_EQ(Get(address(), "/metrics", "GET", host).status, 200) << host;
  }
}

TEST_F(DebugServerTest, GarbageHarmsNothing) {
  std::string everything;
  for (int c = 0; c < 256; ++c) everything.push_back(static_cast<char>(c));
  const std::string kGarbage[] = {
      "\r\n\r\n",
      "GET\r\n\r\n",
      "GET / HTTP/9.9\r\n\r\n",
      "GET / HTTP/1.1\r\n\r\n",
      "GET /" + std::string(100'000, 'a') + " HTTP/1.1\r\nHost: localhost\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: localhost\r\nX: " + std::string(100'000, 'b') + "\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
      "GET /debug/pprof/%00%ff%2e HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
      everything,
      std::string(1'000'000, '\0'),
  };
  for (const std::string& text : kGarbage) {
    const int socket = Connect(address());
    SendText(socket, text);
    ReadAll(socket, 1);
    close(socket);
  }
  EXPECT_EQ(Get(address(), "/metrics").status, 200);
}

TEST_F(DebugServerTest, SlowClientsAndManyOfThemHoldUpNobodyForLong) {
  using Clock = std::chrono::steady_clock;
  // As many as there may be, each sending a byte a second: never idle, never done.
  std::vector<int> sockets;
  for (int i = 0; i < 2 * internal::HttpServer::kMostConnections; ++i) {
    sockets.push_back(Connect(address()));
    SendText(sockets.back(), "GET / HTTP/1.1\r\nX: ");
  }
  const auto start = Clock::now();
  bool served = false;
  while (!served && Clock::now() - start < std::chrono::seconds(60)) {
    for (int socket : sockets) SendText(socket, "x");
    const int socket = Connect(address());
    SendText(socket, "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    served = Parse(ReadAll(socket, 1)).status == 200;
    close(socket);
  }
  EXPECT_TRUE(served) << "their time ends";
  for (int socket : sockets) close(socket);
}

TEST_F(DebugServerTest, AClientThatLeavesBeforeTheAnswer) {
  for (int i = 0; i < 3; ++i) {
    const int socket = Connect(address());
    SendText(socket, "GET /debug/pprof/profile?seconds=0.3 HTTP/1.1\r\nHost: localhost\r\n\r\n");
    close(socket);
  }
  Reply reply;
  for (int tries = 0; tries < 200; ++tries) {
    reply = Get(address(), "/debug/pprof/profile?seconds=0.01");
    if (reply.status == 200) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  EXPECT_EQ(reply.status, 200) << "its profile came to an end";
}

TEST_F(DebugServerTest, StopsWhileAClientWaits) {
  const int socket = Connect(address());
  SendText(socket, "GET /debug/pprof/profile?seconds=3000 HTTP/1.1\r\nHost: localhost\r\n\r\n");
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  server_ = nullptr;
  ReadAll(socket, 5);
  close(socket);
}

TEST(DebugServerAddress, AreSentencesWhereTheyAreWrong) {
  const auto message = [](const char* address, bool beyond = false) {
    return std::string(DebugServer::Start(address, beyond).status().message());
  };
  for (const char* bad : {"", "6060", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", "1.2.3:80", "[::1]",
                          "host:80", "[zz]:80", "127.0.0.1:-1"}) {
    EXPECT_THAT(message(bad), HasSubstr("is not an address with a port, such as 127.0.0.1:6060")) << bad;
  }
  for (const char* open : {"0.0.0.0:0", "[::]:0", "10.1.2.3:80"}) {
    EXPECT_THAT(message(open), HasSubstr("debug_http_public=true")) << open;
  }
  EXPECT_EQ(message("0.0.0.0:0", true), "");
  EXPECT_EQ(message(":0"), "");
  EXPECT_EQ(message("localhost:0"), "");
  auto first = DebugServer::Start("127.0.0.1:0");
  ASSERT_TRUE(first.ok());
  EXPECT_THAT(message((*first)->address().c_str()), HasSubstr("cannot listen on 127.0.0.1:"));
}

TEST(DebugServerDeathTest, ADeadlockIsStillFound) {
  EXPECT_EXIT(
      {
        auto server = DebugServer::Start("127.0.0.1:0");
        Config config;
        config.procs = 2;
        Runtime runtime(config);
        runtime.Run([] { internal::ParkForever(WaitReason::kChanReceive); });
        std::exit(0);
      },
      ::testing::ExitedWithCode(2), "all goroutines are asleep - deadlock!");
}

}  // namespace
}  // namespace gyre::testing
