// 8 workers square 10000 numbers; the results are closed when all workers have ended.
#include "tests/programs/program.h"

namespace gyre::programs {
namespace {

void Run(const Numbers&) {
  Chan<int64_t> jobs = MakeChan<int64_t>(), results = MakeChan<int64_t>();
  WaitGroup workers;
  for (int w = 0; w < 8; ++w) {
    workers.Go([=] {
      for (int64_t job : jobs) results.Send(job * job);
    });
  }
  Go([=] {
    for (int64_t j = 0; j < 10000; ++j) jobs.Send(j);
    jobs.Close();
  });
  Go([&] {
    workers.Wait();
    results.Close();
  });
  int64_t sum = 0, count = 0;
  for (int64_t r : results) {
    sum += r;
    ++count;
  }
  absl::PrintF("sum %d, %d results\n", sum, count);
  ExpectAlone();
}

const AddProgram added("P12", &Run);

}  // namespace
}  // namespace gyre::programs
