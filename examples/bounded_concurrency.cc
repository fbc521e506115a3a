// Bounded concurrency: a buffered channel as a semaphore, so that at most ten requests are processed at a time. Go's
// snippet is Process; here a hundred goroutines call it.
#include <algorithm>

#include "absl/strings/str_format.h"
#include "gyre.h"

struct Request {
  int number;
};

struct Load {
  gyre::Mutex mu;
  int now = 0, most = 0, processed = 0;
};

void ProcessRequest(const Request&, Load& load) {
  {
    gyre::MutexLock lock(&load.mu);
    load.most = std::max(load.most, ++load.now);
  }
  gyre::Sleep(absl::Milliseconds(1));
  gyre::MutexLock lock(&load.mu);
  --load.now;
  ++load.processed;
}

void Process(const Request& request, gyre::Chan<gyre::Unit> sem, Load& load) {
  sem.Send({});
  ProcessRequest(request, load);
  sem.Recv();
}

int main(int argc, char** argv) {
  return gyre::Main(argc, argv, [] {
    gyre::Chan<gyre::Unit> sem = gyre::MakeChan<gyre::Unit>(10);
    Load load;
    gyre::WaitGroup wg;
    for (int i = 0; i < 100; ++i) {
      wg.Go([i, sem, &load] { Process(Request{i}, sem, load); });
    }
    wg.Wait();
    absl::PrintF("%d requests, %s\n", load.processed,
                 load.most <= 10 ? "never more than 10 at a time" : "too many at a time");
  });
}
