// Rows whose cost is channels and select.
#include <cstdint>

#include "tests/benchmarks/rows/rows.h"

namespace gyre::rows {

Result ChanUnbuffered(const Options& options) {
  const int n = peers::Scaled(options, 1000000);
  uint64_t sum = 0;
  double seconds = 0;
  Run([&] {
    const Chan<uint64_t> ping = MakeChan<uint64_t>();
    const Chan<uint64_t> pong = MakeChan<uint64_t>();
    const Chan<uint64_t> answer = MakeChan<uint64_t>();
    const auto start = Clock::now();
    gyre::Go([ping, pong] {
      for (uint64_t v : ping) pong.Send(v + 1);
    });
    gyre::Go([ping, pong, answer, n] {
      uint64_t s = 0;
      for (int i = 0; i < n; ++i) {
        ping.Send(i);
        s += pong.Recv();
      }
      ping.Close();
      answer.Send(s);
    });
    sum = answer.Recv();
    seconds = peers::SecondsSince(start);
  });
  peers::Check("sum", sum, uint64_t{1} * n * (uint64_t{1} * n + 1) / 2);
  return peers::NanosPerOp(seconds, n);
}

namespace {

// Moves items through one channel of 128.
Result Queue(int producers, int consumers, int each) {
  uint64_t sum = 0;
  double seconds = 0;
  Run([&] {
    const Chan<uint64_t> channel = MakeChan<uint64_t>(128);
    const Chan<uint64_t> sums = MakeChan<uint64_t>();
    WaitGroup sending;
    sending.Add(producers);
    const auto start = Clock::now();
    for (int p = 0; p < producers; ++p) {
      gyre::Go([&sending, channel, each] {
        for (int i = 1; i <= each; ++i) channel.Send(i);
        sending.Done();
      });
    }
    for (int c = 0; c < consumers; ++c) {
      gyre::Go([channel, sums] {
        uint64_t own = 0;
        for (uint64_t v : channel) own += v;
        sums.Send(own);
      });
    }
    sending.Wait();
    channel.Close();
    for (int c = 0; c < consumers; ++c) sum += sums.Recv();
    seconds = peers::SecondsSince(start);
  });
  peers::Check("sum", sum, uint64_t{1} * each * (uint64_t{1} * each + 1) / 2 * producers);
  return peers::NanosPerOp(seconds, 1.0 * producers * each);
}

}  // namespace

Result ChanBuffered(const Options& options) {
  return Queue(1, 1, peers::Scaled(options, 5000000));
}

Result ChanMpmc(const Options& options) {
  return Queue(4, 4, peers::Scaled(options, 1000000));
}

Result SelectTwo(const Options& options) {
  const int n = peers::Scaled(options, 1000000);
  uint64_t sum = 0;
  double seconds = 0;
  Run([&] {
    const Chan<uint64_t> a = MakeChan<uint64_t>();
    const Chan<uint64_t> b = MakeChan<uint64_t>();
    const Chan<uint64_t> answer = MakeChan<uint64_t>();
    const auto start = Clock::now();
    for (const Chan<uint64_t>& channel : {a, b}) {
      gyre::Go([channel, n] {
        for (int i = 1; i <= n; ++i) channel.Send(i);
      });
    }
    gyre::Go([a, b, answer, n] {
      uint64_t s = 0;
      for (int i = 0; i < 2 * n; ++i) {
        gyre::Select(a.OnRecv([&s](uint64_t v) { s += v; }), b.OnRecv([&s](uint64_t v) { s += v; }));
      }
      answer.Send(s);
    });
    sum = answer.Recv();
    seconds = peers::SecondsSince(start);
  });
  peers::Check("sum", sum, uint64_t{1} * n * (uint64_t{1} * n + 1));
  return peers::NanosPerOp(seconds, 2.0 * n);
}

Result Sieve(const Options& options) {
  const int n = peers::Scaled(options, 2000);
  uint64_t prime = 0;
  double seconds = 0;
  Run([&] {
    const auto start = Clock::now();
    Chan<uint64_t> channel = MakeChan<uint64_t>();
    gyre::Go([channel] {
      for (uint64_t i = 2;; ++i) channel.Send(i);
    });
    for (int i = 0; i < n; ++i) {
      prime = channel.Recv();
      const Chan<uint64_t> next = MakeChan<uint64_t>();
      gyre::Go([in = channel, out = next, prime] {
        for (;;) {
          if (const uint64_t v = in.Recv(); v % prime != 0) out.Send(v);
        }
      });
      channel = next;
    }
    seconds = peers::SecondsSince(start);
  });
  peers::Check("last prime", prime, peers::NthPrime(n));
  return {"ms", seconds * 1e3, {{"primes", n}}};
}

}  // namespace gyre::rows
