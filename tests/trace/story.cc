// A program with something of everything that a trace can show: for the tests of traces, and for docs/tracing.md's
// picture. It serves a few requests, each a task with regions, over channels, locks, a select, timers and blocking
// calls.
#include <unistd.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gyre.h"

namespace {

constexpr int kRequests = 40;
constexpr int kWorkers = 3;

struct Request {
  int number = 0;
  std::string text;
};

void Serve(const Request& request, gyre::Mutex& store, int& stored) {
  gyre::trace::Task task = gyre::trace::NewTask("request");
  gyre::trace::Log(task, "number", absl::StrCat(request.number));
  gyre::trace::WithRegion(task, "parse", [] { gyre::Work(absl::Microseconds(20)); });
  gyre::trace::WithRegion(task, "store", [&] {
    store.Lock();
    gyre::Work(absl::Microseconds(50));
    ++stored;
    gyre::Yield();
    store.Unlock();
  });
  if (request.number % 8 == 0) {
    gyre::trace::WithRegion(task, "disk", [] { gyre::Blocking([] { usleep(15'000); }); });
  }
}

}  // namespace

int main(int argc, char** argv) {
  return gyre::Main(argc, argv, [] {
    gyre::Chan<Request> requests = gyre::MakeChan<Request>(4);
    gyre::Chan<int> replies = gyre::MakeChan<int>();
    gyre::Mutex store;
    gyre::Cond all_in(&store);
    int stored = 0;
    gyre::WaitGroup workers;
    for (int i = 0; i < kWorkers; ++i) {
      gyre::Go({.name = "worker"}, [=, &store, &stored, &all_in, &workers] {
        for (const Request& request : requests) {
          Serve(request, store, stored);
          all_in.Signal();
          replies.Send(request.number);
        }
        workers.Done();
      });
    }
    workers.Add(kWorkers);
    gyre::Go({.name = "watcher"}, [&] {
      store.Lock();
      while (stored < kRequests) all_in.Wait();
      store.Unlock();
    });
    gyre::Go([=] {
      for (int i = 1; i <= kRequests; ++i) {
        requests.Send({i, absl::StrCat("request ", i)});
        if (i % 10 == 0) gyre::Sleep(absl::Milliseconds(1));
      }
      requests.Close();
    });
    int sum = 0;
    gyre::Ticker ticker = gyre::NewTicker(absl::Milliseconds(2));
    for (int served = 0; served < kRequests;) {
      gyre::Select(replies.OnRecv([&](int number) {
        sum += number;
        ++served;
      }),
                   ticker.C.OnRecv([] { gyre::trace::Log("clock", "tick"); }));
    }
    ticker.Stop();
    workers.Wait();
    return sum == kRequests * (kRequests + 1) / 2 ? 0 : 1;
  });
}
