// Dining philosophers. n: meals of each; 0: all take the left fork, wait for each other, and then want the right one.
#include "tests/programs/program.h"

namespace gyre::programs {
namespace {

constexpr int kSeats = 5;

void Run(const Numbers& args) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  static Mutex forks[kSeats];
  if (args[0] == 0) {
    static WaitGroup all_have_one;
    all_have_one.Add(kSeats);
    for (int seat = 0; seat < kSeats; ++seat) {
      Go([seat] {
        forks[seat].Lock();
        all_have_one.Done();
        all_have_one.Wait();
        forks[(seat + 1) % kSeats].Lock();
      });
    }
    Select();
  }
  std::atomic<int64_t> eaten{0};
  WaitGroup wg;
  for (int seat = 0; seat < kSeats; ++seat) {
    wg.Go([&, seat, meals = args[0]] {
      const int first = std::min(seat, (seat + 1) % kSeats), second = std::max(seat, (seat + 1) % kSeats);
      for (int64_t i = 0; i < meals; ++i) {
        MutexLock one(&forks[first]);
        MutexLock other(&forks[second]);
        ++eaten;
      }
    });
  }
  wg.Wait();
  absl::PrintF("%d\n", eaten.load());
  ExpectAlone();
}

const AddProgram added("P06", &Run);

}  // namespace
}  // namespace gyre::programs
