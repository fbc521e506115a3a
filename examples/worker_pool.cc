// A worker pool: three goroutines take tasks from one channel until it is closed and empty.
#include "absl/strings/str_format.h"
#include "gyre.h"

void Worker(int id, gyre::RecvChan<int> tasks) {
  for (int task : tasks) absl::PrintF("Worker %d processing task %d\n", id, task);
}

int main(int argc, char** argv) {
  return gyre::Main(argc, argv, [] {
    gyre::Chan<int> tasks = gyre::MakeChan<int>(10);
    gyre::WaitGroup wg;
    for (int id = 1; id <= 3; ++id) {
      wg.Go([id, tasks] { Worker(id, tasks); });
    }
    for (int task = 1; task <= 10; ++task) tasks.Send(task);
    tasks.Close();
    wg.Wait();
  });
}
