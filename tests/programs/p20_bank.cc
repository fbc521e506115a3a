// Transfers between 10 accounts by 8 goroutines, with the locks taken in order.
#include "tests/programs/program.h"

namespace gyre::programs {
namespace {

void Run(const Numbers&) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  struct Account {
    Mutex mu;
    int64_t balance = 1000;
  };
  std::vector<Account> accounts(10);
  WaitGroup wg;
  for (uint32_t g = 0; g < 8; ++g) {
    wg.Go([&, g]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
      Lcg lcg(g + 1);
      for (int step = 0; step < 10000; ++step) {
        const size_t x = (lcg.Next() >> 16) % 10, y = (lcg.Next() >> 16) % 10;
        const int64_t amount = (lcg.Next() >> 16) % 100;
        if (x == y) continue;
        MutexLock first(&accounts[std::min(x, y)].mu);
        MutexLock second(&accounts[std::max(x, y)].mu);
        if (accounts[x].balance < amount) continue;
        accounts[x].balance -= amount;
        accounts[y].balance += amount;
      }
    });
  }
  wg.Wait();
  int64_t total = 0;
  int negative = 0;
  for (const Account& account : accounts) {
    total += account.balance;
    negative += account.balance < 0;
  }
  absl::PrintF("total %d, negative %d\n", total, negative);
  ExpectAlone();
}

const AddProgram added("P20", &Run);

}  // namespace
}  // namespace gyre::programs
