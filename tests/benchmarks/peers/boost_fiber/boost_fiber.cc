// Peer "boost_fiber": the rows of gyre's comparison table that Boost.Fiber can
// do. It has no select over channels, no network poller and no preemption, so
// select, echo and hogs are missing.
//
// One thread runs Boost's round robin; several run its work stealing, whose
// threads sleep when there is nothing to steal. Fibers have Boost's default
// stacks (fixedsize_stack, malloc of 128 KiB) or, with --stacks=pooled and one
// thread, its pooled ones, which are not safe to free from another thread.

#include <boost/fiber/all.hpp>
#include <boost/version.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <barrier>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "../peer.h"
#include "../service.h"

namespace {

namespace fibers = boost::fibers;
using fibers::channel_op_status;
using peers::Clock;
using peers::Options;
using peers::Request;
using peers::Result;

std::optional<fibers::pooled_fixedsize_stack> pooled_stacks;

// Starts a fiber that runs `f`.
template <typename F>
fibers::fiber Spawn(fibers::launch policy, F f) {
  if (pooled_stacks.has_value()) {
    return fibers::fiber(policy, std::allocator_arg, *pooled_stacks,
                         std::move(f));
  }
  return fibers::fiber(policy, std::move(f));
}

template <typename F>
fibers::fiber Spawn(F f) {
  return Spawn(fibers::launch::post, std::move(f));
}

// Runs `body` as a fiber on `threads` threads, the caller's among them.
void Run(const Options& options, const std::function<void()>& body) {
  if (options.stacks == "pooled" && options.threads == 1) {
    pooled_stacks.emplace();
  } else if (options.stacks != "default") {
    peers::Exit(2, "--stacks must be default, or pooled with one thread");
  }
  if (options.threads == 1) {
    Spawn(body).join();
    return;
  }
  std::barrier ready(options.threads);
  fibers::mutex mutex;
  fibers::condition_variable_any finished;
  bool done = false;
  auto join_schedulers = [&] {
    fibers::use_scheduling_algorithm<fibers::algo::work_stealing>(
        options.threads, /*suspend=*/true);
    ready.arrive_and_wait();
  };
  std::vector<std::thread> others;
  for (int t = 1; t < options.threads; ++t) {
    others.emplace_back([&] {
      join_schedulers();
      std::unique_lock lock(mutex);
      finished.wait(lock, [&] { return done; });
    });
  }
  join_schedulers();
  Spawn(body).join();
  {
    std::unique_lock lock(mutex);
    done = true;
  }
  finished.notify_all();
  for (std::thread& other : others) other.join();
}

// Joins `count` fibers that were detached.
class WaitGroup {
 public:
  explicit WaitGroup(int count) : left_(count) {}

  void Done() {
    if (left_.fetch_sub(1) > 1) return;
    std::unique_lock lock(mutex_);
    finished_ = true;
    cond_.notify_all();
  }

  void Wait() {
    std::unique_lock lock(mutex_);
    cond_.wait(lock, [this] { return finished_; });
  }

 private:
  std::atomic<int> left_;
  fibers::mutex mutex_;
  fibers::condition_variable cond_;
  bool finished_ = false;  // guarded by mutex_
};

Result Yield(const Options& options) {
  const int n = peers::Scaled(options, 2000000);
  std::array<uint64_t, 2> done = {};
  double seconds = 0;
  Run(options, [&] {
    const auto start = Clock::now();
    auto yields = [n](uint64_t& count) {
      for (int i = 0; i < n; ++i) boost::this_fiber::yield();
      count = n;
    };
    fibers::fiber a = Spawn([&] { yields(done[0]); });
    fibers::fiber b = Spawn([&] { yields(done[1]); });
    a.join();
    b.join();
    seconds = peers::SecondsSince(start);
  });
  peers::Check("yields", done[0] + done[1], uint64_t{2} * n);
  return peers::NanosPerOp(seconds, 2.0 * n);
}

// Spawns and joins batches of empty fibers; nanoseconds each.
double SpawnBatches(const Options& options) {
  const int batches = peers::Scaled(options, 1000);
  constexpr int kBatch = 1000;
  double seconds = 0;
  Run(options, [&] {
    const auto start = Clock::now();
    std::vector<fibers::fiber> batch(kBatch);
    for (int b = 0; b < batches; ++b) {
      for (fibers::fiber& fiber : batch) fiber = Spawn([] {});
      for (fibers::fiber& fiber : batch) fiber.join();
    }
    seconds = peers::SecondsSince(start);
  });
  return seconds * 1e9 / batches / kBatch;
}

// With one thread, extra has the figure for pooled stacks too.
Result SpawnJoin(const Options& options) {
  Result result = {"ns_per_op", SpawnBatches(options), {}};
  if (options.threads == 1 && options.stacks == "default") {
    Options pooled = options;
    pooled.stacks = "pooled";
    result.extra.emplace_back("pooled_stacks_ns", SpawnBatches(pooled));
  }
  return result;
}

Result ChanUnbuffered(const Options& options) {
  const int n = peers::Scaled(options, 1000000);
  uint64_t sum = 0;
  double seconds = 0;
  Run(options, [&] {
    fibers::unbuffered_channel<uint64_t> ping, pong;
    const auto start = Clock::now();
    fibers::fiber server = Spawn([&] {
      uint64_t v;
      while (ping.pop(v) == channel_op_status::success) pong.push(v + 1);
    });
    fibers::fiber client = Spawn([&] {
      for (int i = 0; i < n; ++i) {
        ping.push(i);
        sum += pong.value_pop();
      }
      ping.close();
    });
    client.join();
    server.join();
    seconds = peers::SecondsSince(start);
  });
  peers::Check("sum", sum, uint64_t{1} * n * (n + 1) / 2);
  return peers::NanosPerOp(seconds, n);
}

// Moves items through one channel of 128.
Result Queue(const Options& options, int producers, int consumers, int each) {
  std::atomic<uint64_t> sum = 0;
  double seconds = 0;
  Run(options, [&] {
    fibers::buffered_channel<uint64_t> channel(128);
    const auto start = Clock::now();
    std::vector<fibers::fiber> sending, receiving;
    for (int p = 0; p < producers; ++p) {
      sending.push_back(Spawn([&] {
        for (int i = 1; i <= each; ++i) channel.push(i);
      }));
    }
    for (int c = 0; c < consumers; ++c) {
      receiving.push_back(Spawn([&] {
        uint64_t v, own = 0;
        while (channel.pop(v) == channel_op_status::success) own += v;
        sum += own;
      }));
    }
    for (fibers::fiber& fiber : sending) fiber.join();
    channel.close();
    for (fibers::fiber& fiber : receiving) fiber.join();
    seconds = peers::SecondsSince(start);
  });
  peers::Check("sum", sum, uint64_t{1} * each * (each + 1) / 2 * producers);
  return peers::NanosPerOp(seconds, 1.0 * producers * each);
}

Result ChanBuffered(const Options& options) {
  return Queue(options, 1, 1, peers::Scaled(options, 5000000));
}

Result ChanMpmc(const Options& options) {
  return Queue(options, 4, 4, peers::Scaled(options, 1000000));
}

Result MutexAlone(const Options& options) {
  const int n = peers::Scaled(options, 20000000);
  uint64_t count = 0;
  double seconds = 0;
  Run(options, [&] {
    fibers::mutex mutex;
    const auto start = Clock::now();
    for (int i = 0; i < n; ++i) {
      mutex.lock();
      ++count;
      mutex.unlock();
    }
    seconds = peers::SecondsSince(start);
  });
  peers::Check("count", count, n);
  return peers::NanosPerOp(seconds, n);
}

Result MutexContended(const Options& options) {
  constexpr int kTasks = 8, kSteps = 20;
  const int n = peers::Scaled(options, 500000);
  uint64_t shared = 0;
  std::array<uint64_t, kTasks> own;
  double seconds = 0;
  Run(options, [&] {
    fibers::mutex mutex;
    const auto start = Clock::now();
    std::vector<fibers::fiber> tasks;
    for (int t = 0; t < kTasks; ++t) {
      tasks.push_back(Spawn([&, t] {
        uint64_t x = t;
        for (int i = 0; i < n; ++i) {
          mutex.lock();
          shared = peers::Lcg(shared, kSteps);
          mutex.unlock();
          x = peers::Lcg(x, kSteps);
        }
        own[t] = x;
      }));
    }
    for (fibers::fiber& fiber : tasks) fiber.join();
    seconds = peers::SecondsSince(start);
  });
  const uint64_t steps = uint64_t{kSteps} * n;
  peers::Check("state under the lock", shared, peers::Lcg(0, kTasks * steps));
  for (int t = 0; t < kTasks; ++t) {
    peers::Check("a task's own state", own[t], peers::Lcg(t, steps));
  }
  return peers::NanosPerOp(seconds, 1.0 * kTasks * n);
}

using SumChannel = fibers::buffered_channel<uint64_t>;

void SkynetNode(SumChannel& out, int64_t num, int64_t size) {
  if (size == 1) {
    out.push(num);
    return;
  }
  SumChannel in(16);
  for (int i = 0; i < 10; ++i) {
    // The child first: with post, all leaves are alive at once.
    Spawn(fibers::launch::dispatch, [&in, num, size, i] {
      SkynetNode(in, num + i * (size / 10), size / 10);
    }).detach();
  }
  uint64_t sum = 0;
  for (int i = 0; i < 10; ++i) sum += in.value_pop();
  out.push(sum);
}

Result Skynet(const Options& options) {
  const int64_t leaves = peers::SkynetLeaves(options);
  uint64_t sum = 0;
  double seconds = 0;
  Run(options, [&] {
    const auto start = Clock::now();
    SumChannel out(2);
    Spawn([&] { SkynetNode(out, 0, leaves); }).detach();
    sum = out.value_pop();
    seconds = peers::SecondsSince(start);
  });
  peers::Check("sum", sum, static_cast<uint64_t>(leaves) * (leaves - 1) / 2);
  return {"ms", seconds * 1e3, {{"leaves", static_cast<double>(leaves)}}};
}

Result Parked(const Options& options) {
  const int n = peers::Scaled(options, 1000000);
  std::atomic<int> started = 0, woken = 0;
  double create = 0, wake = 0, bytes = 0;
  Run(options, [&] {
    fibers::unbuffered_channel<int> channel;
    WaitGroup group(n);
    const double before = peers::ResidentBytes();
    auto start = Clock::now();
    for (int i = 0; i < n; ++i) {
      Spawn([&] {
        ++started;
        int v;
        if (channel.pop(v) == channel_op_status::closed) ++woken;
        group.Done();
      }).detach();
    }
    while (started < n) boost::this_fiber::yield();
    create = peers::SecondsSince(start);
    // The last ones are on their way to the channel.
    boost::this_fiber::sleep_for(std::chrono::milliseconds(50));
    bytes = peers::ResidentBytes() - before;
    start = Clock::now();
    channel.close();
    group.Wait();
    wake = peers::SecondsSince(start);
  });
  peers::Check("tasks woken by close", woken, n);
  return {"bytes_per_task",
          bytes / n,
          {{"create_ms", create * 1e3}, {"wake_ms", wake * 1e3}, {"tasks", n}}};
}

Result Timers(const Options& options) {
  const int n = peers::Scaled(options, 100000);
  std::vector<double> late(n);
  double cpu = 0;
  Run(options, [&] {
    peers::Random random(1);
    WaitGroup group(n);
    const double before = peers::CpuSeconds();
    for (int i = 0; i < n; ++i) {
      const std::chrono::milliseconds duration(1 + random.Next() % 1000);
      Spawn([&, i, duration] {
        const auto start = Clock::now();
        boost::this_fiber::sleep_for(duration);
        late[i] = peers::SecondsSince(start) * 1e6 - duration.count() * 1e3;
        group.Done();
      }).detach();
    }
    group.Wait();
    cpu = peers::CpuSeconds() - before;
  });
  double sum = 0;
  for (const double l : late) {
    if (l < 0) peers::Exit(1, "a sleep ended %.1f us early", -l);
    sum += l;
  }
  return {"cpu_s",
          cpu,
          {{"mean_lateness_us", sum / n},
           {"p99_lateness_us", peers::Percentile(late, 0.99)}}};
}

using PrimeChannel = fibers::unbuffered_channel<uint64_t>;

// A 0 behind the numbers ends the filters: closing a channel that a fiber is
// blocked sending to wakes that fiber twice (Boost 1.74).
Result Sieve(const Options& options) {
  const int n = peers::Scaled(options, 2000);
  uint64_t prime = 0;
  double seconds = 0;
  Run(options, [&] {
    const auto start = Clock::now();
    std::atomic<bool> stop = false;
    std::vector<std::unique_ptr<PrimeChannel>> channels;
    std::vector<fibers::fiber> tasks;
    channels.push_back(std::make_unique<PrimeChannel>());
    tasks.push_back(Spawn([&stop, &out = *channels.back()] {
      for (uint64_t i = 2; !stop.load(std::memory_order_relaxed); ++i) {
        out.push(i);
      }
      out.push(0);
    }));
    for (int i = 0; i < n; ++i) {
      PrimeChannel& in = *channels.back();
      prime = in.value_pop();
      channels.push_back(std::make_unique<PrimeChannel>());
      tasks.push_back(Spawn([&in, &out = *channels.back(), prime] {
        uint64_t v;
        do {
          v = in.value_pop();
          if (v == 0 || v % prime != 0) out.push(v);
        } while (v != 0);
      }));
    }
    seconds = peers::SecondsSince(start);
    stop = true;
    while (channels.back()->value_pop() != 0) continue;
    for (fibers::fiber& fiber : tasks) fiber.join();
  });
  peers::Check("last prime", prime, peers::NthPrime(n));
  return {"ms", seconds * 1e3, {{"primes", n}}};
}

uint64_t FibTask(int n) {
  if (n < 2) return n;
  uint64_t x;
  fibers::fiber child = Spawn([&x, n] { x = FibTask(n - 1); });
  const uint64_t y = FibTask(n - 2);
  child.join();
  return x + y;
}

Result Fib(const Options& options) {
  const int n = peers::FibArgument(options);
  uint64_t got = 0;
  double seconds = 0;
  Run(options, [&] {
    const auto start = Clock::now();
    got = FibTask(n);
    seconds = peers::SecondsSince(start);
  });
  peers::Check("fib", got, peers::FibNumber(n));
  return {"ms",
          seconds * 1e3,
          {{"n", n}, {"spawns", peers::FibNumber(n + 1) - 1.0}}};
}

// An open-loop service: Poisson arrivals for 10 seconds, drawn beforehand, a
// fiber each. A request's sojourn counts from its scheduled arrival, so a
// generator that falls behind hides nothing.
Result Service(const Options& options) {
  std::vector<Request> requests = peers::Schedule(options);
  const double per_us = peers::Calibrate();
  int sent_late = 0;  // by more than 10 us
  Run(options, [&] {
    WaitGroup group(requests.size());
    const auto start = Clock::now() + std::chrono::milliseconds(1);
    auto now_us = [start] { return peers::SecondsSince(start) * 1e6; };
    for (Request& request : requests) {
      double now = now_us();
      for (; now < request.at_us; now = now_us()) boost::this_fiber::yield();
      if (now > request.at_us + 10) ++sent_late;
      Spawn([&group, &request, now_us, per_us] {
        request.answer = peers::Serve(request, per_us);
        request.sojourn_us = now_us() - request.at_us;
        group.Done();
      }).detach();
    }
    group.Wait();
  });
  return peers::ServiceResult(options, requests, per_us, sent_late);
}

}  // namespace

int main(int argc, char** argv) {
  std::string version = BOOST_LIB_VERSION;  // 1_74
  std::replace(version.begin(), version.end(), '_', '.');
  return peers::Main(argc, argv, "boost_fiber", version.c_str(),
                     {{"yield", Yield},
                      {"spawn_join", SpawnJoin},
                      {"chan_unbuffered", ChanUnbuffered},
                      {"chan_buffered", ChanBuffered},
                      {"chan_mpmc", ChanMpmc},
                      {"mutex_alone", MutexAlone},
                      {"mutex_contended", MutexContended},
                      {"skynet", Skynet},
                      {"parked", Parked},
                      {"timers", Timers},
                      {"sieve", Sieve},
                      {"fib", Fib},
                      {"service", Service}});
}
