// Connections: what is sent arrives, ends are seen, errors have Go's words, and nobody who misbehaves harms others.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <atomic>
#include <string>
#include <thread>
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

std::string Message(const absl::Status& status) {
  return std::string(status.message());
}

// Sends back what comes, on every connection, until the listener is closed.
void Serve(const Listener& listener, WaitGroup& all) {
  for (;;) {
    absl::StatusOr<Conn> conn = listener.Accept();
    if (!conn.ok()) {
      EXPECT_TRUE(IsClosed(conn.status()) || IsTimeout(conn.status())) << conn.status();
      return;
    }
    all.Go([conn = *conn] {
      char buffer[100];
      for (;;) {
        // A client that resets is its own affair.
        const absl::StatusOr<size_t> n = conn.Read(absl::MakeSpan(buffer));
        if (!n.ok() || *n == 0 || !conn.Write({buffer, *n}).ok()) return;
      }
    });
  }
}

// A client that gets back what it sends.
void Ask(const Conn& conn, const std::string& text) {
  MustOk(conn.Write(text));
  std::string got(text.size(), '?');
  MustOk(conn.ReadFull(absl::MakeSpan(got)));
  EXPECT_EQ(got, text);
}

TEST(Conn, EchoesOverEveryNetwork) {
  constexpr const char* kNetworks[][2] = {{"tcp", "127.0.0.1:0"}, {"tcp6", "[::1]:0"}, {"unix", "@gyre-conn-test"}};
  gyre::testing::RunUnder(gyre::testing::OnThreads(gyre::testing::Matrix()), [&] {
    for (const auto& [network, address] : kNetworks) {
      absl::StatusOr<Listener> listener = Listen(network, address);
      if (!listener.ok() && std::string(network) == "tcp6") continue;  // a machine without version 6
      MustOk(listener.status());
      WaitGroup all;
      all.Go([listener = *listener, &all] { Serve(listener, all); });
      WaitGroup clients;
      for (int c = 0; c < 4; ++c) {
        clients.Go([&, c] {
          const Conn conn = Must(Dial(network, listener->Address()));
          for (int i = 0; i < Scaled(50); ++i) Ask(conn, absl::StrCat("client ", c, " says ", i));
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
  });
}

GYRE_TEST_ON_THREADS(Conn, MoreThanTheKernelBuffersArrivesWhole) {
  const Pair pair = MakePair();
  std::string sent(Scaled(4'000'000), 0);
  for (size_t i = 0; i < sent.size(); ++i) sent[i] = static_cast<char>(i * 2654435761u >> 13);
  WaitGroup writer;
  writer.Go([&] {
    size_t written = 0;
    MustOk(pair.client.Write(sent, &written));
    EXPECT_EQ(written, sent.size());
    MustOk(pair.client.CloseWrite());
  });
  std::string got;
  std::vector<char> buffer(70'000);
  for (size_t n; (n = Must(pair.server.Read(absl::MakeSpan(buffer)))) != 0;) got.append(buffer.data(), n);
  EXPECT_TRUE(got == sent);
  writer.Wait();
}

GYRE_TEST_ON_THREADS(Conn, WritesOfSeveralAreNotMixed) {
  const Pair pair = MakePair();
  constexpr int kWriters = 4, kEach = 10;
  constexpr size_t kSize = 100'000;
  WaitGroup writers;
  for (int w = 0; w < kWriters; ++w) {
    writers.Go([&, w] {
      for (int i = 0; i < kEach; ++i) MustOk(pair.client.Write(std::string(kSize, static_cast<char>('a' + w))));
    });
  }
  std::string block(kSize, '?');
  for (int i = 0; i < kWriters * kEach; ++i) {
    MustOk(pair.server.ReadFull(absl::MakeSpan(block)));
    ASSERT_EQ(block, std::string(kSize, block[0]));
  }
  writers.Wait();
}

GYRE_TEST_ON_THREADS(Conn, SeveralReadersGetEachByteOnce) {
  const Pair pair = MakePair();
  constexpr int kBytes = 2000;
  std::atomic<int64_t> sum{0};
  WaitGroup readers;
  for (int r = 0; r < 5; ++r) {
    readers.Go([&] {
      unsigned char byte;
      while (Must(pair.server.Read(absl::MakeSpan(reinterpret_cast<char*>(&byte), 1))) == 1) sum += byte;
    });
  }
  int64_t expected = 0;
  for (int i = 0; i < kBytes; ++i) {
    const char byte = static_cast<char>(i % 251);
    expected += i % 251;
    MustOk(pair.client.Write({&byte, 1}));
  }
  MustOk(pair.client.CloseWrite());
  readers.Wait();
  EXPECT_EQ(sum, expected);
}

// More than the kernel takes when nobody reads.
const std::string kMuch(20'000'000, 'x');

GYRE_TEST_ON_THREADS(Conn, SY_07_CloseWakesWhoReadsWritesAndWaitsForATurn) {
  const Pair pair = MakePair();
  std::atomic<int> closed{0};
  WaitGroup all;
  for (int i = 0; i < 3; ++i) {
    all.Go([&] {
      char byte;
      const absl::Status status = pair.client.Read(absl::MakeSpan(&byte, 1)).status();
      EXPECT_TRUE(IsClosed(status)) << status;
      EXPECT_THAT(Message(status), MatchesRegex("read tcp 127.0.0.1:[0-9]+->127.0.0.1:[0-9]+: use of closed network "
                                                "connection"));
      ++closed;
    });
    all.Go([&] {
      size_t written = 0;
      const absl::Status status = pair.client.Write(kMuch, &written);
      EXPECT_TRUE(IsClosed(status)) << status;
      EXPECT_LT(written, kMuch.size());
      ++closed;
    });
  }
  Sleep(absl::Milliseconds(2));  // most of them are waiting by now; the others find it closed
  MustOk(pair.client.Close());
  all.Wait();
  EXPECT_EQ(closed, 6);
  EXPECT_TRUE(IsClosed(pair.client.Close()));
  EXPECT_TRUE(IsClosed(pair.client.SetDeadline(absl::Now())));
  EXPECT_TRUE(IsClosed(pair.client.SetNoDelay(true)));
}

GYRE_TEST_ON_THREADS(Conn, CloseEndsAnAccept) {
  const Listener listener = Must(Listen("tcp", "127.0.0.1:0"));
  WaitGroup all;
  all.Go([&] {
    const absl::Status status = listener.Accept().status();
    EXPECT_TRUE(IsClosed(status)) << status;
    EXPECT_EQ(Message(status), absl::StrCat("accept tcp ", listener.Address(), ": use of closed network connection"));
  });
  Yield();
  MustOk(listener.Close());
  all.Wait();
  // Nobody holds the address any more.
  const Listener again = Must(Listen("tcp", listener.Address()));
  MustOk(again.Close());
  const absl::Status refused = Dial("tcp", listener.Address()).status();
  EXPECT_EQ(Message(refused), absl::StrCat("dial tcp ", listener.Address(), ": connect: connection refused"));
}

// Reads of any size get every byte once, in order: small ones ask the kernel for more than they return.
GYRE_TEST_ON_THREADS(Conn, ReadsOfAllSizes) {
  const Pair pair = MakePair();
  std::string sent(60'000, 0);
  for (size_t i = 0; i < sent.size(); ++i) sent[i] = static_cast<char>(i * 2654435761u >> 13);
  WaitGroup writer;
  writer.Go([&] {
    for (size_t begin = 0, size = 1; begin < sent.size(); begin += size, size = size % 1777 + 31) {
      MustOk(pair.client.Write(absl::string_view(sent).substr(begin, size)));
    }
    MustOk(pair.client.CloseWrite());
  });
  std::string got;
  char buffer[1500];
  for (size_t room = 1;; room = room * 7 % 1499 + 1) {
    const size_t n = Must(pair.server.Read(absl::MakeSpan(buffer, room)));
    if (n == 0) break;
    got.append(buffer, n);
  }
  EXPECT_TRUE(got == sent) << got.size();
  writer.Wait();
}

// Whoever shuts its side down can still read what the other one sends.
GYRE_TEST_ON_THREADS(Conn, HalfClosed) {
  const Pair pair = MakePair();
  MustOk(pair.client.Write("question"));
  MustOk(pair.client.CloseWrite());
  std::string question;
  char buffer[3];
  for (size_t n; (n = Must(pair.server.Read(absl::MakeSpan(buffer)))) != 0;) question.append(buffer, n);
  EXPECT_EQ(question, "question");
  MustOk(pair.server.Write("answer"));
  std::string answer(6, '?');
  MustOk(pair.client.ReadFull(absl::MakeSpan(answer)));
  EXPECT_EQ(answer, "answer");
  const absl::Status late = pair.client.Write("more");
  EXPECT_THAT(Message(late), HasSubstr(": broken pipe"));
  MustOk(pair.server.Close());
  std::string rest(2, '?');
  EXPECT_EQ(Message(pair.client.ReadFull(absl::MakeSpan(rest))), "EOF");
}

// The end of the stream, together with the last bytes or behind them, is found whatever was read before.
GYRE_TEST_ON_THREADS(Conn, TheEndIsSeenBehindAShortRead) {
  for (int i = 0; i < 20; ++i) {
    const Pair pair = MakePair();
    WaitGroup writer;
    writer.Go([&] {
      MustOk(pair.client.Write("1"));
      if (i % 2 == 0) Yield();
      MustOk(pair.client.Write("2"));
      MustOk(pair.client.Close());
    });
    std::string got;
    char buffer[64];
    for (size_t n; (n = Must(pair.server.Read(absl::MakeSpan(buffer)))) != 0;) got.append(buffer, n);
    EXPECT_EQ(got, "12");
    writer.Wait();
  }
}

// Urgent data makes a read end early although there is more.
GYRE_TEST_ON_THREADS(Conn, UrgentDataHidesNothing) {
  const Listener listener = Must(Listen("tcp", "127.0.0.1:0"));
  const int raw = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(std::stoi(listener.Address().substr(10))));
  ASSERT_EQ(connect(raw, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  const Conn conn = Must(listener.Accept());
  ASSERT_EQ(send(raw, "before", 6, 0), 6);
  ASSERT_EQ(send(raw, "!", 1, MSG_OOB), 1);
  ASSERT_EQ(send(raw, "after", 5, 0), 5);
  std::string got(11, '?');
  MustOk(conn.ReadFull(absl::MakeSpan(got)));
  EXPECT_EQ(got, "beforeafter");
  close(raw);
}

GYRE_TEST_ON_THREADS(Conn, AResetIsAnErrorAtTheOtherSide) {
  const Pair pair = MakePair();
  WaitGroup reader;
  reader.Go([&] {
    char byte;
    const absl::Status status = pair.server.Read(absl::MakeSpan(&byte, 1)).status();
    EXPECT_THAT(Message(status), HasSubstr(": connection reset by peer"));
    EXPECT_FALSE(IsClosed(status));
  });
  Yield();
  MustOk(pair.client.SetLinger(absl::ZeroDuration()));
  MustOk(pair.client.Close());
  reader.Wait();
}

// One server; some clients stall, reset, half-close or send garbage and leave; the others notice nothing. Descriptors
// end where they began.
TEST(Conn, BadClientsHarmNobody) {
  for (const Config& config : gyre::testing::OnThreads(gyre::testing::SmallMatrix())) {
    const int before = OpenDescriptors();
    gyre::testing::RunUnder({config}, [] {
      const Listener listener = Must(Listen("tcp", "127.0.0.1:0"));
      WaitGroup all;
      all.Go([&] { Serve(listener, all); });
      std::atomic<bool> stop{false};
      WaitGroup bad;
      std::vector<Conn> stalled;
      for (int i = 0; i < 10; ++i) {
        stalled.push_back(Must(Dial("tcp", listener.Address())));
        MustOk(stalled.back().Write("half a mess"));
      }
      for (int kind = 0; kind < 4; ++kind) {
        bad.Go([&, kind] {
          while (!stop) {
            const Conn conn = Must(Dial("tcp", listener.Address()));
            if (kind == 0) MustOk(conn.SetLinger(absl::ZeroDuration()));
            if (kind == 1) MustOk(conn.CloseWrite());
            if (kind == 2) {
              // It reads nothing, so the server may stop reading, too.
              MustOk(conn.SetWriteDeadline(absl::Now() + absl::Milliseconds(2)));
              conn.Write(std::string(300'000, '\xff')).IgnoreError();
            }
            if (kind == 3) MustOk(conn.CloseRead());
            // Reset where something was not read.
            conn.Close().IgnoreError();
          }
        });
      }
      WaitGroup good;
      for (int c = 0; c < 5; ++c) {
        good.Go([&, c] {
          const Conn conn = Must(Dial("tcp", listener.Address()));
          for (int i = 0; i < Scaled(40); ++i) Ask(conn, absl::StrCat("good client ", c, ", message ", i));
        });
      }
      good.Wait();
      stop = true;
      bad.Wait();
      stalled.clear();
      MustOk(listener.Close());
      all.Wait();
    });
    EXPECT_TRUE(DescriptorsAre(before));
  }
}

GYRE_TEST_ON_THREADS(Conn, TheLastHandleCloses) {
  Pair pair = MakePair();
  Conn copy = pair.client;
  EXPECT_TRUE(copy == pair.client);
  pair.client = Conn();
  EXPECT_TRUE(pair.client == nullptr);
  MustOk(copy.Write("x"));
  copy = Conn();
  char buffer[2];
  EXPECT_EQ(Must(pair.server.Read(absl::MakeSpan(buffer))), 1u);
  EXPECT_EQ(Must(pair.server.Read(absl::MakeSpan(buffer))), 0u);
  EXPECT_EQ(Must(pair.server.Read({})), 0u);
}

GYRE_TEST_ON_THREADS(Conn, UnixPathsGoWithTheirListener) {
  const std::string path = absl::StrCat("/tmp/gyre-net-", getpid(), ".socket");
  {
    const Listener listener = Must(Listen("unix", path));
    EXPECT_EQ(listener.Address(), path);
    const Conn conn = Must(Dial("unix", path));
    EXPECT_EQ(conn.RemoteAddress(), path);
    EXPECT_THAT(Message(Listen("unix", path).status()), HasSubstr("bind: address already in use"));
    MustOk(listener.Close());
  }
  EXPECT_NE(access(path.c_str(), F_OK), 0);
  EXPECT_THAT(Message(Dial("unix", path).status()), HasSubstr("connect: no such file or directory"));
}

TEST(Foreign, ThreadsBlockWhereGoroutinesPark) {
  const int before = OpenDescriptors();
  {
    // No runtime at all.
    const Listener listener = Must(Listen("tcp", "127.0.0.1:0"));
    std::thread server([&] {
      const Conn conn = Must(listener.Accept());
      char buffer[10];
      for (size_t n; (n = Must(conn.Read(absl::MakeSpan(buffer)))) != 0;) MustOk(conn.Write({buffer, n}));
    });
    {
      const Conn conn = Must(Dial("tcp", listener.Address()));
      Ask(conn, "from thread to thread");
      MustOk(conn.SetReadDeadline(absl::Now() + absl::Milliseconds(20)));
      char byte;
      EXPECT_TRUE(IsTimeout(conn.Read(absl::MakeSpan(&byte, 1)).status()));
      MustOk(conn.SetReadDeadline(absl::InfiniteFuture()));
      Ask(conn, "again");
    }
    server.join();
    std::thread acceptor([&] { EXPECT_TRUE(IsClosed(listener.Accept().status())); });
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    MustOk(listener.Close());
    acceptor.join();
  }
  EXPECT_TRUE(DescriptorsAre(before));
}

TEST(Foreign, AThreadAndAGoroutineTalk) {
  for (const Config& config : gyre::testing::OnThreads(gyre::testing::SmallMatrix())) {
    const Listener listener = Must(Listen("tcp", "127.0.0.1:0"));
    std::thread client([&] {
      const Conn conn = Must(Dial("tcp", listener.Address()));
      for (int i = 0; i < Scaled(200); ++i) Ask(conn, absl::StrCat("message ", i));
    });
    gyre::testing::RunUnder({config}, [&] {
      const Conn conn = Must(listener.Accept());
      char buffer[100];
      for (size_t n; (n = Must(conn.Read(absl::MakeSpan(buffer)))) != 0;) MustOk(conn.Write({buffer, n}));
    });
    client.join();
  }
}

// A descriptor goes on in the next runtime, and a goroutine of another one does not wait in one that is no more.
TEST(Watchers, ADescriptorOutlivesTheRuntimeThatWatchedIt) {
  Listener listener = Must(Listen("tcp", "127.0.0.1:0"));
  for (int i = 0; i < 3; ++i) {
    gyre::testing::RunWith("procs=2", [&] {
      WaitGroup all;
      all.Go([&] { Serve(listener, all); });
      {
        const Conn conn = Must(Dial("tcp", listener.Address()));
        Ask(conn, "hello");
      }
      MustOk(listener.SetDeadline(absl::UnixEpoch()));
      EXPECT_TRUE(Eventually([] { return NumGoroutine() == 1; }));
      MustOk(listener.SetDeadline(absl::InfiniteFuture()));
      all.Wait();
    });
  }
}

TEST(Simulation, RefusesWithASentence) {
  gyre::testing::RunWith("engine=simulation,procs=2", [] {
    for (const absl::Status& status : {Listen("tcp", "127.0.0.1:0").status(), Dial("tcp", "127.0.0.1:1").status(),
                                       MakePipe().status(), Event::Make().status()}) {
      EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
      EXPECT_THAT(Message(status), HasSubstr("run with --engine=threads"));
    }
  });
}

TEST(Addresses, BadOnesAreToldWhatIsValid) {
  const std::pair<const char*, std::pair<const char*, const char*>> cases[] = {
      {"tpc", {"127.0.0.1:80", "dial tpc: unknown network tpc; there are: tcp, tcp4, tcp6, unix"}},
      {"tcp", {"127.0.0.1", "dial tcp: address 127.0.0.1: missing port in address (as in 127.0.0.1:80 or [::1]:80)"}},
      {"tcp", {"::1:80", "dial tcp: address ::1:80: too many colons in address (as in 127.0.0.1:80 or [::1]:80)"}},
      {"tcp", {"[::1:80", "dial tcp: address [::1:80: missing ']' in address (as in 127.0.0.1:80 or [::1]:80)"}},
      {"tcp", {"127.0.0.1:70000", "dial tcp: address 127.0.0.1:70000: invalid port: 0 to 65535 are valid"}},
      {"tcp", {"127.0.0.1:nothing", "dial tcp: lookup tcp/nothing: unknown port"}},
      {"unix", {"", "dial unix: a unix address is a path, or @ and a name"}},
  };
  for (const auto& [network, rest] : cases) EXPECT_EQ(Message(Dial(network, rest.first).status()), rest.second);
  EXPECT_THAT(Message(Dial("unix", std::string(200, 'x')).status()), HasSubstr("is too long: at most 107 bytes"));
}

}  // namespace
}  // namespace gyre::net
