#include "tests/stress/activities.h"

#include <unistd.h>

#include <array>
#include <deque>
#include <stdexcept>
#include <thread>

#include "absl/strings/str_cat.h"
#include "gyre.h"
#include "tests/model/seeds.h"

namespace gyre::stress {
namespace {

using testing::Random;
using Stop = const std::atomic<bool>&;
using Count = std::atomic<int64_t>&;

void Check(bool holds, const char* what) {
  if (!holds) Panic(absl::StrCat("soak: ", what));
}

void PingPong(uint64_t, Stop stop, Count operations) {
  Chan<int64_t> ping = MakeChan<int64_t>(), pong = MakeChan<int64_t>();
  Go([=] {
    for (int64_t v : ping) pong.Send(v + 1);
    pong.Close();
  });
  int64_t value = 0;
  while (!stop) {
    ping.Send(value);
    const int64_t back = pong.Recv();
    Check(back == value + 1, "an answer is not that to the question");
    value = back;
    ++operations;
  }
  ping.Close();
  Check(!pong.Next().has_value(), "a value out of nothing");
}

void Pipeline(uint64_t seed, Stop stop, Count operations) {
  Random random(seed);
  const int workers = 1 + random.Below(4);
  Chan<int64_t> in = MakeChan<int64_t>(random.Below(20)), out = MakeChan<int64_t>(random.Below(20));
  WaitGroup wg;
  for (int i = 0; i < workers; ++i) {
    wg.Go([=] {
      for (int64_t v : in) out.Send(v);
    });
  }
  int64_t sent = 0, sum = 0;
  Go([&] {
    while (!stop) {
      sum += ++sent;
      in.Send(sent);
    }
    in.Close();
    wg.Wait();
    out.Close();
  });
  int64_t received = 0, sum_received = 0;
  for (int64_t v : out) {
    ++received;
    sum_received += v;
    ++operations;
  }
  Check(received == sent && sum_received == sum, "values were lost in a pipeline");
}

void Selects(uint64_t seed, Stop stop, Count operations) {
  std::array<Chan<int>, 3> chans = {MakeChan<int>(), MakeChan<int>(1), MakeChan<int>(4)};
  Chan<Unit> over = MakeChan<Unit>();
  std::atomic<int64_t> sent{0}, received{0};
  WaitGroup senders, receivers;
  for (int s = 0; s < 3; ++s) {
    senders.Go([&] {
      while (!stop) {
        const int which = Select(chans[0].OnSend(1), chans[1].OnSend(1), chans[2].OnSend(1),
                                 After(absl::Microseconds(200)).OnRecv([] {}));
        if (which < 3) ++sent;
        ++operations;
      }
    });
    receivers.Go([&, s] {
      Random random(seed + static_cast<uint64_t>(s));
      for (bool ended = false; !ended;) {
        const auto got = [&](int v) { received += v; };
        if (random.OneIn(4)) Select(chans[random.Below(3)].OnRecv(got), Default());
        Select(chans[2].OnRecv(got), chans[1].OnRecv(got), chans[0].OnRecv(got), over.OnRecv([&] { ended = true; }));
        ++operations;
      }
    });
  }
  senders.Wait();
  over.Close();
  receivers.Wait();
  for (Chan<int>& ch : chans) {
    while (std::optional<int> left = ch.TryRecv()) received += *left;
  }
  Check(sent == received, "selects lost values");
}

void Mutexes(uint64_t seed, Stop stop, Count operations) {
  Mutex mu;
  int64_t guarded = 0;
  std::atomic<int64_t> entered{0};
  WaitGroup wg;
  for (int i = 0; i < 6; ++i) {
    wg.Go([&, i] {
      Random random(seed + static_cast<uint64_t>(i));
      while (!stop) {
        if (random.OneIn(3)) {
          if (!mu.TryLock()) {
            Yield();
            continue;
          }
        } else {
          mu.Lock();
        }
        const int64_t was = guarded;
        if (random.OneIn(64)) Yield();
        guarded = was + 1;
        mu.Unlock();
        ++entered;
        ++operations;
        if (random.OneIn(32)) Sleep(absl::Microseconds(random.Below(50)));
      }
    });
  }
  wg.Wait();
  Check(guarded == entered, "two were inside a mutex");
}

void ReadersAndWriters(uint64_t seed, Stop stop, Count operations) {
  RWMutex mu;
  int64_t a = 0, b = 0;
  WaitGroup wg;
  for (int i = 0; i < 6; ++i) {
    wg.Go([&, i] {
      Random random(seed + static_cast<uint64_t>(i));
      while (!stop) {
        if (random.OneIn(5)) {
          WriterLock hold(&mu);
          ++a;
          if (random.OneIn(8)) Yield();
          ++b;
        } else {
          ReaderLock hold(&mu);
          const int64_t seen = a;
          if (random.OneIn(8)) Yield();
          Check(seen == b, "a reader saw half a write");
        }
        ++operations;
        if (random.OneIn(32)) Sleep(absl::Microseconds(random.Below(50)));
      }
    });
  }
  wg.Wait();
}

int64_t Tree(int depth) {
  if (depth == 0) return 1;
  int64_t left = 0;
  WaitGroup wg;
  wg.Go([&] { left = Tree(depth - 1); });
  const int64_t right = Tree(depth - 1);
  wg.Wait();
  return left + right;
}
void ForkJoin(uint64_t seed, Stop stop, Count operations) {
  Random random(seed);
  while (!stop) {
    const int depth = 1 + random.Below(8);
    Check(Tree(depth) == int64_t{1} << depth, "a fork has no join");
    operations += int64_t{1} << depth;
  }
}

void Conditions(uint64_t, Stop stop, Count operations) {
  Mutex mu;
  Cond changed(&mu);
  std::deque<int> queue;
  bool closed = false;
  int64_t put = 0;
  std::atomic<int64_t> taken{0};
  WaitGroup takers;
  for (int i = 0; i < 4; ++i) {
    takers.Go([&] {
      for (;;) {
        MutexLock hold(&mu);
        while (queue.empty() && !closed) changed.Wait();
        if (queue.empty()) return;
        queue.pop_front();
        ++taken;
        ++operations;
      }
    });
  }
  while (!stop) {
    {
      MutexLock hold(&mu);
      queue.push_back(1);
      ++put;
    }
    changed.Signal();
    if (put % 16 == 0) Yield();
    if (put % 1024 == 0) Sleep(absl::Microseconds(100));
  }
  {
    MutexLock hold(&mu);
    closed = true;
  }
  changed.Broadcast();
  takers.Wait();
  Check(taken == put, "a condition was missed");
}

void Semaphores(uint64_t seed, Stop stop, Count operations) {
  constexpr int kUnits = 5;
  Semaphore semaphore(kUnits);
  std::atomic<int> used{0};
  WaitGroup wg;
  for (int i = 0; i < 6; ++i) {
    wg.Go([&, i] {
      Random random(seed + static_cast<uint64_t>(i));
      while (!stop) {
        const int n = 1 + random.Below(kUnits);
        if (random.OneIn(3)) {
          auto [ctx, cancel] = context::WithTimeout(context::Background(), absl::Microseconds(random.Below(200)));
          const Error error = semaphore.Acquire(ctx, n);
          cancel();
          if (error != nullptr) continue;
        } else {
          semaphore.Acquire(n);
        }
        Check((used += n) <= kUnits, "a semaphore gave more than it has");
        if (random.OneIn(8)) Yield();
        used -= n;
        semaphore.Release(n);
        ++operations;
      }
    });
  }
  wg.Wait();
  Check(semaphore.TryAcquire(kUnits), "a semaphore lost units");
}

void Timers(uint64_t seed, Stop stop, Count operations) {
  WaitGroup wg;
  for (int i = 0; i < 4; ++i) {
    wg.Go([&, i] {
      Random random(seed + static_cast<uint64_t>(i));
      Timer timer = NewTimer(absl::Hours(1));
      std::atomic<int64_t> calls{0};
      int64_t expected = 0;
      Timer function = AfterFunc(absl::Hours(1), [&] { ++calls; });
      Check(function.Stop(), "a timer of an hour was over");
      while (!stop) {
        ++operations;
        const absl::Duration d = absl::Microseconds(random.Below(300));
        switch (random.Below(5)) {
          case 0: {
            const Nanos start = NowNanos();
            timer.Reset(d);
            timer.C.Recv();
            Check(NowNanos() - start >= absl::ToInt64Nanoseconds(d), "a timer was early");
            break;
          }
          case 1:
            timer.Reset(d);
            if (random.OneIn(2)) Sleep(d);
            timer.Stop();
            Check(!timer.C.TryRecv().has_value(), "a stopped timer had a value");
            break;
          case 2: {
            const Nanos start = NowNanos();
            Sleep(d);
            Check(NowNanos() - start >= absl::ToInt64Nanoseconds(d), "a sleep was short");
            break;
          }
          case 3:
            function.Reset(d);
            if (random.OneIn(2)) Sleep(d);
            if (!function.Stop()) {
              ++expected;
              while (calls != expected) Yield();
            }
            break;
          default: {
            Ticker ticker = NewTicker(absl::Microseconds(20 + random.Below(100)));
            for (int tick = random.Below(3); tick > 0; --tick) ticker.C.Recv();
            ticker.Stop();
          }
        }
      }
      Check(calls == expected, "a timer's function was called too often");
    });
  }
  wg.Wait();
}

void Contexts(uint64_t seed, Stop stop, Count operations) {
  Random random(seed);
  while (!stop) {
    auto [root, cancel] = random.OneIn(2)
                              ? context::WithCancel(context::Background())
                              : context::WithTimeout(context::Background(), absl::Microseconds(random.Below(500)));
    std::atomic<int> ended{0};
    WaitGroup wg;
    std::vector<context::Context> nodes = {root};
    std::vector<context::CancelFunc> cancels;
    const int n = 1 + random.Below(20);
    for (int i = 0; i < n; ++i) {
      const context::Context parent = nodes[random.Below(static_cast<int>(nodes.size()))];
      auto [child, cancel_child] = random.OneIn(2) ? context::WithCancel(context::WithValue(parent, i, i))
                                                   : context::WithTimeout(parent, absl::Hours(1));
      nodes.push_back(child);
      cancels.push_back(cancel_child);
      wg.Go([&ended, ctx = child] {
        ctx.Done().Recv();
        if (ctx.Err() != nullptr) ++ended;
      });
    }
    if (random.OneIn(2)) cancels[random.Below(n)]();
    cancel();
    for (const context::Context& node : nodes) Check(node.Err() != nullptr, "a context outlived its parent");
    wg.Wait();
    Check(ended == n, "a context's end was missed");
    operations += n;
  }
}

int Deep(int depth) {
  volatile char frame[128];
  frame[depth % 128] = 1;
  if (depth % 16 == 0) Yield();
  return depth == 0 ? 0 : Deep(depth - 1) + frame[depth % 128];
}
void DeepStacks(uint64_t seed, Stop stop, Count operations) {
  Random random(seed);
  while (!stop) {
    WaitGroup wg;
    for (int i = 0; i < 8; ++i) {
      const int depth = random.Below(150);
      wg.Go([&, depth] { Check(Deep(depth) == depth, "a deep stack was damaged"); });
    }
    wg.Wait();
    operations += 8;
  }
}

void BlockingCalls(uint64_t seed, Stop stop, Count operations) {
  int ends[2];
  if (pipe(ends) != 0) return;  // out of descriptors: others may have them
  WaitGroup wg;
  wg.Go([&] {
    char byte;
    while (Blocking([&] { return read(ends[0], &byte, 1); }) == 1) ++operations;
  });
  Random random(seed);
  while (!stop) {
    Check(Blocking([&] { return write(ends[1], "x", 1); }) == 1, "a pipe takes nothing");
    if (random.OneIn(4)) Blocking([&] { return usleep(static_cast<useconds_t>(random.Below(200))); });
    if (random.OneIn(4)) Sleep(absl::Microseconds(random.Below(100)));
  }
  close(ends[1]);
  wg.Wait();
  close(ends[0]);
}

void LockedThreads(uint64_t, Stop stop, Count operations) {
  while (!stop) {
    WaitGroup wg;
    Chan<int> ch = MakeChan<int>();
    for (int i = 0; i < 2; ++i) {
      wg.Go([&, i] {
        LockOSThread();
        const pid_t thread = gettid();
        for (int k = 0; k < 4; ++k) {
          i == 0 ? ch.Send(k) : (void)ch.Recv();
          Check(gettid() == thread, "a locked goroutine left its thread");
        }
        if (i == 0) UnlockOSThread();  // the other one takes its thread with it
      });
    }
    wg.Wait();
    ++operations;
    Sleep(absl::Microseconds(300));
  }
}

void Exceptions(uint64_t seed, Stop stop, Count operations) {
  WaitGroup wg;
  for (int i = 0; i < 4; ++i) {
    wg.Go([&, i] {
      Random random(seed + static_cast<uint64_t>(i));
      while (!stop) {
        const int thrown = random.Below(1000);
        try {
          if (random.OneIn(2)) Yield();
          throw std::runtime_error(std::to_string(thrown));
        } catch (const std::runtime_error& error) {
          Yield();
          Check(error.what() == std::to_string(thrown), "somebody else's exception was caught");
        }
        WaitGroup exit;
        exit.Go([&] { Goexit(); });
        exit.Wait();
        ++operations;
      }
    });
  }
  wg.Wait();
}

void ForeignThreads(uint64_t, Stop stop, Count operations) {
  Chan<int> to = MakeChan<int>(2), from = MakeChan<int>();
  Mutex mu;
  int64_t guarded = 0;
  std::thread thread([=, &mu, &guarded] {
    for (int v : to) {
      {
        MutexLock hold(&mu);
        ++guarded;
      }
      from.Send(v);
    }
    from.Close();
  });
  int64_t sent = 0;
  while (!stop) {
    to.Send(7);
    ++sent;
    {
      MutexLock hold(&mu);
      ++guarded;
    }
    Check(from.Recv() == 7, "a foreign thread sent something else");
    ++operations;
    if (sent % 64 == 0) Sleep(absl::Microseconds(50));
  }
  to.Close();
  Check(!from.Next().has_value(), "a foreign thread sent too much");
  Blocking([&] { thread.join(); });
  Check(guarded == 2 * sent, "a mutex let a thread and a goroutine in");
}

}  // namespace

const std::vector<Activity>& AllActivities() {
  static const auto* all = new std::vector<Activity>{{"ping-pong", &PingPong},
                                                     {"pipelines", &Pipeline},
                                                     {"selects", &Selects},
                                                     {"mutexes", &Mutexes},
                                                     {"readers and writers", &ReadersAndWriters},
                                                     {"fork and join", &ForkJoin},
                                                     {"conditions", &Conditions},
                                                     {"semaphores", &Semaphores},
                                                     {"timers", &Timers},
                                                     {"contexts", &Contexts},
                                                     {"deep stacks", &DeepStacks},
                                                     {"blocking calls", &BlockingCalls},
                                                     {"locked threads", &LockedThreads},
                                                     {"exceptions", &Exceptions},
                                                     {"foreign threads", &ForeignThreads}};
  return *all;
}

}  // namespace gyre::stress
