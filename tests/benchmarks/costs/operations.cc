#include "tests/benchmarks/costs/operations.h"

#include <cstdint>

#include "absl/time/time.h"
#include "gyre.h"

namespace gyre::costs {

namespace {

// Runs f(i) in `count` goroutines and waits for them.
template <typename F>
void Together(int count, F f) {
  WaitGroup group;
  for (int i = 0; i < count; ++i) group.Go([&f, i] { f(i); });
  group.Wait();
}

// The compiler must take the value as used, and the memory as changed.
template <typename T>
void Use(T&& value) {
  asm volatile("" : : "g"(&value) : "memory");
}

// One switch.
void YieldOne(int n) {
  Together(2, [n](int) {
    for (int i = 0; i < n / 2; ++i) Yield();
  });
}

// A goroutine that does nothing.
void SpawnJoin(int n) {
  for (int done = 0; done < n; done += kBatch) {
    WaitGroup group;
    group.Add(kBatch);
    for (int i = 0; i < kBatch; ++i) gyre::Go([&group] { group.Done(); });
    group.Wait();
  }
}

// There and back over two channels.
void UnbufferedRoundTrip(int n) {
  const Chan<int> ping = MakeChan<int>();
  const Chan<int> pong = MakeChan<int>();
  Together(2, [&, n](int side) {
    for (int i = 0; i < n; ++i) {
      if (side == 0) {
        ping.Send(i);
        Use(pong.Recv());
      } else {
        pong.Send(ping.Recv());
      }
    }
  });
}

// One item through a buffer that is never full nor empty.
void BufferedSendRecv(int n) {
  const Chan<int> channel = MakeChan<int>(8);
  channel.Send(0);
  for (int i = 0; i < n; ++i) {
    channel.Send(i);
    Use(channel.Recv());
  }
}

// One item from a producer to a consumer that wait for each other once in 64.
void BufferedHandOff(int n) {
  const Chan<int> channel = MakeChan<int>(64);
  Together(2, [&, n](int side) {
    for (int i = 0; i < n; ++i) {
      if (side == 0) {
        channel.Send(i);
      } else {
        Use(channel.Recv());
      }
    }
  });
}

void MutexUncontended(int n) {
  Mutex mutex;
  for (int i = 0; i < n; ++i) {
    mutex.Lock();
    Use(mutex);
    mutex.Unlock();
  }
}

// Lock, be waited for, unlock: the others park at every turn.
void MutexContended(int n) {
  Mutex mutex;
  Together(2, [&, n](int) {
    for (int i = 0; i < n / 2; ++i) {
      mutex.Lock();
      Yield();
      mutex.Unlock();
      Yield();
    }
  });
}

void RWMutexRead(int n) {
  RWMutex mutex;
  for (int i = 0; i < n; ++i) {
    mutex.RLock();
    Use(mutex);
    mutex.RUnlock();
  }
}

// One value by select from one of two senders.
void SelectReceive(int n) {
  const Chan<int> channels[2] = {MakeChan<int>(), MakeChan<int>()};
  Together(3, [&, n](int who) {
    if (who < 2) {
      for (int i = 0; i < n / 2; ++i) channels[who].Send(i);
      return;
    }
    for (int i = 0; i < n; ++i) {
      Select(channels[0].OnRecv([](int v) { Use(v); }), channels[1].OnRecv([](int v) { Use(v); }));
    }
  });
}

// A look at two channels of which none is ready.
void SelectDefault(int n) {
  const Chan<int> a = MakeChan<int>();
  const Chan<int> b = MakeChan<int>();
  for (int i = 0; i < n; ++i) {
    Select(a.OnRecv([] {}), b.OnRecv([] {}), Default([] {}));
  }
}

// Add, and the Done that wakes the one who waits; a channel hands the turn back.
void WaitGroupWake(int n) {
  WaitGroup group;
  const Chan<int> go = MakeChan<int>();
  Together(2, [&, n](int side) {
    for (int i = 0; i < n; ++i) {
      if (side == 0) {
        group.Add(1);
        go.Send(i);
        group.Wait();
      } else {
        go.Recv();
        group.Done();
      }
    }
  });
}

void TimerResetStop(int n) {
  const Timer timer = NewTimer(absl::Hours(1));
  for (int i = 0; i < n; ++i) {
    timer.Reset(absl::Hours(1));
    timer.Stop();
  }
}

void ContextErr(int n) {
  auto [parent, cancel_parent] = context::WithCancel(context::Background());
  auto [ctx, cancel] = context::WithCancel(parent);
  for (int i = 0; i < n; ++i) Use(ctx.Err());
  cancel();
  cancel_parent();
}

void CheckpointOne(int n) {
  for (int i = 0; i < n; ++i) Checkpoint();
}

}  // namespace

const std::vector<Operation>& Operations() {
  static const auto* operations = new std::vector<Operation>{
      {"yield", YieldOne},
      {"spawn_join", SpawnJoin},
      {"unbuffered_round_trip", UnbufferedRoundTrip},
      {"buffered_send_recv", BufferedSendRecv},
      {"buffered_hand_off", BufferedHandOff},
      {"mutex_uncontended", MutexUncontended},
      {"mutex_contended", MutexContended},
      {"rwmutex_read", RWMutexRead},
      {"select_receive", SelectReceive},
      {"select_default", SelectDefault},
      {"wait_group_wake", WaitGroupWake},
      {"timer_reset_stop", TimerResetStop},
      {"context_err", ContextErr},
      {"checkpoint", CheckpointOne},
  };
  return *operations;
}

}  // namespace gyre::costs
