#include "lab/bugs/bugs.h"

#include <array>
#include <atomic>
#include <mutex>

#include "channels/chan.h"
#include "channels/select.h"
#include "runtime/go.h"
#include "runtime/panic.h"
#include "sync/cond.h"
#include "sync/mutex.h"
#include "sync/wait_group.h"

namespace gyre::lab {

namespace {

// Accesses to atomics are no runtime calls: where another goroutine may come in between, the program says so.
template <typename T>
T Load(const std::atomic<T>& from) {
  Checkpoint();
  return from.load();
}
template <typename T>
void Store(std::atomic<T>& to, T value) {
  Checkpoint();
  to.store(value);
}

// ---- lost wake-up: the condition is looked at before the lock is taken ----

template <bool kCorrect>
void LostWakeUp() {
  Mutex mu;
  Cond cond(&mu);
  std::atomic<bool> ready{false};
  WaitGroup wg;
  wg.Go([&] {
    if constexpr (kCorrect) {
      MutexLock hold(&mu);
      while (!ready) cond.Wait();
    } else if (!Load(ready)) {
      MutexLock hold(&mu);
      cond.Wait();
    }
  });
  wg.Go([&] {
    MutexLock hold(&mu);
    ready = true;
    cond.Signal();
  });
  wg.Wait();
}

// ---- double-checked initialisation: the flag is set before the value is there ----

template <bool kCorrect>
void DoubleChecked() {
  Mutex mu;
  std::atomic<bool> made{false};
  std::atomic<int> value{0};
  auto get = [&] {
    if (!Load(made)) {
      MutexLock hold(&mu);
      if (!made) {
        if constexpr (kCorrect) {
          Store(value, 42);
          Store(made, true);
        } else {
          Store(made, true);
          Store(value, 42);
        }
      }
    }
    return Load(value);
  };
  WaitGroup wg;
  for (int i = 0; i < 2; ++i) {
    wg.Go([&] {
      if (get() != 42) Panic("the value is not there yet");
    });
  }
  wg.Wait();
}

// ---- lock order ----

template <bool kCorrect>
void LockOrder() {
  Mutex a, b;
  WaitGroup wg;
  wg.Go([&] {
    MutexLock first(&a);
    MutexLock second(&b);
  });
  wg.Go([&] {
    MutexLock first(kCorrect ? &a : &b);
    MutexLock second(kCorrect ? &b : &a);
  });
  wg.Wait();
}

// ---- close race: a sender looks whether the channel is closed, and sends ----

template <bool kCorrect>
void CloseRace() {
  Chan<int> ch = MakeChan<int>(4);
  std::atomic<bool> closed{false};
  Mutex mu;
  WaitGroup wg;
  wg.Go([&] {
    if constexpr (kCorrect) {
      MutexLock hold(&mu);
      if (!closed) ch.Send(1);
    } else {
      if (!Load(closed)) ch.Send(1);
    }
  });
  wg.Go([&] {
    MutexLock hold(&mu);
    closed = true;
    ch.Close();
  });
  wg.Wait();
}

// ---- select starvation: a request to stop competes with work that never ends ----

template <bool kCorrect>
void SelectStarvation() {
  Chan<int> work = MakeChan<int>(1);
  Chan<int> stop = MakeChan<int>(1);
  stop.Send(1);
  constexpr int kMost = 3;
  int taken = 0;
  for (bool stopped = false; !stopped;) {
    work.TrySend(1);
    if constexpr (kCorrect) {
      if (stop.TryRecv()) break;
    }
    Select(work.OnRecv([&](int, bool) { ++taken; }), stop.OnRecv([&](int, bool) { stopped = true; }));
    if (taken > kMost) Panic("work goes on although a stop was asked for");
  }
}

// ---- an atomicity violation over two locks: each account is guarded, their sum is not ----

template <bool kCorrect>
void TwoLocks() {
  Mutex from_mu, to_mu, both;
  int from = 100, to = 0;
  WaitGroup wg;
  wg.Go([&] {
    std::unique_lock<Mutex> whole(both, std::defer_lock);
    if (kCorrect) whole.lock();
    {
      MutexLock hold(&from_mu);
      from -= 10;
    }
    MutexLock hold(&to_mu);
    to += 10;
  });
  wg.Go([&] {
    std::unique_lock<Mutex> whole(both, std::defer_lock);
    if (kCorrect) whole.lock();
    int sum;
    {
      MutexLock hold(&from_mu);
      sum = from;
    }
    MutexLock hold(&to_mu);
    if (sum + to != 100) Panic("money is missing");
  });
  wg.Wait();
}

// ---- missed cancel: whoever registers late is not told ----

template <bool kCorrect>
void MissedCancel() {
  Mutex mu;
  std::atomic<bool> cancelled{false};
  Chan<int> waiter;  // nil: nobody
  WaitGroup wg;
  wg.Go([&] {
    Chan<int> mine = MakeChan<int>(1);
    if constexpr (kCorrect) {
      MutexLock hold(&mu);
      if (cancelled) return;
      waiter = mine;
    } else {
      if (Load(cancelled)) return;
      MutexLock hold(&mu);
      waiter = mine;
    }
    mine.Recv();
  });
  wg.Go([&] {
    MutexLock hold(&mu);
    cancelled = true;
    if (waiter) waiter.Send(1);
  });
  wg.Wait();
}

// ---- ABA: a node that was taken off a free list and put back looks as if nothing had happened ----

template <bool kCorrect>
void Aba() {
  constexpr int kEnd = -1;
  // The head's upper half counts changes, where that is correct.
  std::array<std::atomic<int>, 3> next{1, 2, kEnd};
  std::atomic<int64_t> head{0};
  auto index = [](int64_t word) { return static_cast<int>(static_cast<int32_t>(word)); };
  auto with = [](int64_t old, int node) {
    const int64_t count = kCorrect ? (old >> 32) + 1 : 0;
    return (count << 32) | static_cast<uint32_t>(node);
  };
  auto take = [&] {
    for (;;) {
      int64_t old = Load(head);
      if (index(old) == kEnd) return kEnd;
      const int after = Load(next[index(old)]);
      Checkpoint();
      if (head.compare_exchange_strong(old, with(old, after))) return index(old);
    }
  };
  auto put = [&](int node) {
    for (;;) {
      int64_t old = Load(head);
      Store(next[node], index(old));
      Checkpoint();
      if (head.compare_exchange_strong(old, with(old, node))) return;
    }
  };
  std::array<std::atomic<int>, 3> owners{};
  auto own = [&](int node) {
    if (node != kEnd && owners[node].fetch_add(1) != 0) Panic("a node has two owners");
  };
  WaitGroup wg;
  wg.Go([&] { own(take()); });
  wg.Go([&] {
    const int first = take();
    const int second = take();
    own(second);
    if (first != kEnd) put(first);
    own(take());
    own(take());
  });
  wg.Wait();
}

// ---- reader starvation: a lock that lets writers pass readers that wait ----

// Readers wait until no writer is in or waiting; nothing bounds how often that happens to one reader.
template <bool kCorrect>
void ReaderStarvation() {
  Mutex mu;
  Cond changed(&mu);
  int writers = 0;
  bool reader_waits = false;
  constexpr int kMost = 2;
  int passed = 0;
  WaitGroup wg;
  wg.Go([&] {
    MutexLock hold(&mu);
    reader_waits = true;
    while (writers != 0) {
      changed.Wait();
      if (writers != 0 && ++passed > kMost) Panic("a reader is passed over again and again");
    }
    reader_waits = false;
    changed.Broadcast();
  });
  for (int i = 0; i < 2; ++i) {
    wg.Go([&] {
      for (int round = 0; round < 4; ++round) {
        {
          MutexLock hold(&mu);
          while (kCorrect && reader_waits) changed.Wait();
          ++writers;
        }
        {
          MutexLock hold(&mu);
          --writers;
          changed.Broadcast();
        }
      }
    });
  }
  wg.Wait();
}

// ---- unbuffered send leak: nobody is there any more to take the late answer ----

template <bool kCorrect>
void SendLeak() {
  Chan<int> answer = MakeChan<int>(kCorrect ? 1 : 0);
  Chan<int> timeout = MakeChan<int>(1);
  Go([=] { answer.Send(1); });
  Go([=] { timeout.Send(1); });
  Select(answer.OnRecv([](int, bool) {}), timeout.OnRecv([](int, bool) {}));
}

#define GYRE_BUG(name, what, program, leaks) {name, what, &program<false>, leaks, &program<true>}

}  // namespace

const std::vector<Bug>& ClassicBugs() {
  static const auto* bugs = new std::vector<Bug>{
      GYRE_BUG("lost-wake-up", "a condition is looked at outside the lock under which it is signalled", LostWakeUp, false),
      GYRE_BUG("double-checked", "the flag of a lazy initialisation is set before the value", DoubleChecked, false),
      GYRE_BUG("lock-order", "two goroutines take two locks in opposite orders", LockOrder, false),
      GYRE_BUG("close-race", "a channel is closed between a sender's look and its send", CloseRace, false),
      GYRE_BUG("select-starvation", "a select gives the request to stop no precedence over work", SelectStarvation, false),
      GYRE_BUG("two-locks", "two guarded variables belong together, and are read apart", TwoLocks, false),
      GYRE_BUG("missed-cancel", "who registers for a cancellation does so after having looked for it", MissedCancel, false),
      GYRE_BUG("aba", "a compare-and-swap does not notice that a node has been away", Aba, false),
      GYRE_BUG("reader-starvation", "writers pass a reader that waits, as often as they like", ReaderStarvation, false),
      GYRE_BUG("send-leak", "an answer on an unbuffered channel finds nobody waiting any more", SendLeak, true),
  };
  return *bugs;
}

#undef GYRE_BUG

}  // namespace gyre::lab
