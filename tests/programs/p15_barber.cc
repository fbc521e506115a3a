// The sleeping barber: 3 chairs, 200 customers, who leave when no chair is free.
#include "tests/programs/program.h"

namespace gyre::programs {
namespace {

void Run(const Numbers&) {
  constexpr int kCustomers = 200;
  Chan<int> chairs = MakeChan<int>(3);
  std::vector<int> cuts(kCustomers);
  std::atomic<bool> asleep{false};
  WaitGroup barber;
  barber.Go([&] {
    for (;;) {
      asleep = true;
      int customer;
      if (!chairs.Recv(customer)) return;
      asleep = false;
      Sleep(absl::Milliseconds(1));
      ++cuts[customer];
    }
  });
  int turned_away = 0;
  Lcg lcg(1);
  for (int customer = 0; customer < kCustomers; ++customer) {
    Sleep(absl::Microseconds(lcg.Next() % 2001));
    Select(chairs.OnSend(customer), Default([&] { ++turned_away; }));
  }
  while (chairs.Len() != 0 || !asleep) Sleep(absl::Milliseconds(1));
  chairs.Close();
  barber.Wait();
  int served = 0, twice = 0;
  for (int n : cuts) {
    served += n;
    twice += n > 1;
  }
  absl::PrintF("customers %d, served some %d, twice %d\n", served + turned_away, served >= 1, twice);
  ExpectAlone();
}

const AddProgram added("P15", &Run);

}  // namespace
}  // namespace gyre::programs
