// Kernel threads that stand still for a while, wherever they are: in the scheduler, with a lock, in the middle of a
// switch. Linux stops a whole process or nothing, so the thread is made to sleep in a signal handler instead: for all
// others it is the same as being descheduled.
#include <dirent.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <thread>
#include <vector>

#include "channels/chan.h"
#include "channels/select.h"
#include "channels/time.h"
#include "runtime/blocking.h"
#include "runtime/go.h"
#include "sync/mutex.h"
#include "sync/wait_group.h"
#include "tests/model/seeds.h"
#include "tests/testing/runtime_test.h"

namespace gyre::testing {
namespace {

std::atomic<int> stalls{0};

void StandStill(int) {
  const int error = errno;
  const timespec for_a_while{0, 3'000'000};
  nanosleep(&for_a_while, nullptr);
  ++stalls;
  errno = error;
}

std::vector<pid_t> Threads() {
  std::vector<pid_t> threads;
  DIR* tasks = opendir("/proc/self/task");
  while (const dirent* entry = readdir(tasks)) {
    if (const int id = std::atoi(entry->d_name); id > 0) threads.push_back(id);
  }
  closedir(tasks);
  return threads;
}

// Something over every part, with a sum that must come out.
void Work() {
  Chan<int> jobs = MakeChan<int>(2), results = MakeChan<int>();
  Mutex mu;
  int64_t guarded = 0;
  WaitGroup workers;
  for (int i = 0; i < 6; ++i) {
    workers.Go([&, i] {
      for (int job : jobs) {
        {
          MutexLock hold(&mu);
          ++guarded;
        }
        if (job % 7 == i) Sleep(absl::Microseconds(50));
        if (job % 31 == 0) Blocking([] { return usleep(50); });
        results.Send(job);
      }
    });
  }
  constexpr int kJobs = 600;
  Go([=] {
    for (int i = 1; i <= kJobs; ++i) jobs.Send(i);
    jobs.Close();
  });
  int64_t sum = 0;
  for (int i = 0; i < kJobs; ++i) {
    Select(results.OnRecv([&](int v) { sum += v; }), After(absl::Hours(1)).OnRecv([] { ADD_FAILURE() << "an hour"; }));
  }
  workers.Wait();
  EXPECT_EQ(sum, int64_t{kJobs} * (kJobs + 1) / 2);
  EXPECT_EQ(guarded, kJobs);
}

TEST(Stalls, NothingIsLostWhileThreadsStandStill) {
  struct sigaction action {};
  action.sa_handler = &StandStill;
  action.sa_flags = SA_RESTART | SA_ONSTACK;
  sigemptyset(&action.sa_mask);
  ASSERT_EQ(sigaction(SIGUSR1, &action, nullptr), 0);
  std::atomic<bool> stop{false};
  std::atomic<pid_t> own{0};
  std::thread stopper([&] {
    own = static_cast<pid_t>(syscall(SYS_gettid));
    Random random(FromEnvironment("GYRE_MODEL_SEED", 1));
    while (!stop) {
      const std::vector<pid_t> threads = Threads();
      const pid_t victim = threads[static_cast<size_t>(random.Below(static_cast<int>(threads.size())))];
      if (victim != own) syscall(SYS_tgkill, getpid(), victim, SIGUSR1);
      usleep(static_cast<useconds_t>(random.Below(1500)));
    }
  });
  for (const char* config : {"procs=4", "procs=2", "procs=4,scheduler=global", "procs=2,preemption=klt:quantum=200us",
                             "procs=3,scheduler=lifo", "procs=8,preemption=cooperative:quantum=200us"}) {
    RunWith(config, [] {
      for (int i = 0; i < Scaled(3); ++i) Work();
    });
  }
  stop = true;
  stopper.join();
  EXPECT_GT(stalls, 10);
}

}  // namespace
}  // namespace gyre::testing
