// A crawler over 10007 pages that link to each other by arithmetic, level by level. n: the deepest level.
#include <unordered_set>

#include "tests/programs/program.h"

namespace gyre::programs {
namespace {

constexpr uint64_t kPages = 10007;

void Run(const Numbers& args) {
  Mutex mu;
  std::unordered_set<uint64_t> seen = {0};
  std::vector<uint64_t> level = {0};
  for (int64_t depth = 1; depth <= args[0]; ++depth) {
    std::vector<uint64_t> next;
    WaitGroup wg;
    for (uint64_t page : level) {
      wg.Go([&, page] {
        for (uint64_t link : {7 * page + 1, 13 * page + 3, 31 * page + 7}) {
          MutexLock hold(&mu);
          if (seen.insert(link % kPages).second) next.push_back(link % kPages);
        }
      });
    }
    wg.Wait();
    level = std::move(next);
    uint64_t sum = 0;
    for (uint64_t page : seen) sum += page;
    absl::PrintF("%d: %d/%d\n", depth, seen.size(), sum);
  }
  ExpectAlone();
}

const AddProgram added("P10", &Run);

}  // namespace
}  // namespace gyre::programs
