#include "runtime/cpus.h"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <fstream>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace gyre::internal {

namespace {

// Of version 2's cpu.max, "200000 100000" or "max 100000"; 0: none.
double QuotaOf(const std::string& text) {
  const std::vector<std::string> words = absl::StrSplit(text, absl::ByAnyChar(" \n"), absl::SkipEmpty());
  double quota, period;
  if (words.size() != 2 || !absl::SimpleAtod(words[0], &quota) || !absl::SimpleAtod(words[1], &period)) return 0;
  return quota > 0 && period > 0 ? quota / period : 0;
}

std::string FirstLine(const std::string& file) {
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  return line;
}

double Smaller(double a, double b) {
  return a == 0 ? b : b == 0 ? a : std::min(a, b);
}

// Every group from `path` up to the mount's root limits. In a container the path may not be there: its root is.
template <typename Read>
double SmallestUpwards(std::string path, Read read) {
  double least = 0;
  for (;;) {
    least = Smaller(least, read(path));
    if (path.empty()) return least;
    path.resize(std::min(path.rfind('/'), path.size()));
  }
}

}  // namespace

double CpuQuota(const std::string& root) {
  double least = 0;
  std::ifstream groups(absl::StrCat(root, "/proc/self/cgroup"));
  for (std::string line; std::getline(groups, line);) {
    // "0::/path" in version 2, "4:cpu,cpuacct:/path" in version 1.
    const std::vector<std::string> parts = absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (parts.size() != 3) continue;
    const std::string path = parts[2] == "/" ? "" : parts[2];
    if (parts[1].empty()) {
      for (const char* mount : {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}) {
        least = Smaller(least, SmallestUpwards(path, [&](const std::string& group) {
                          return QuotaOf(FirstLine(absl::StrCat(root, mount, group, "/cpu.max")));
                        }));
      }
      continue;
    }
    const std::vector<std::string> controllers = absl::StrSplit(parts[1], ',');
    if (std::find(controllers.begin(), controllers.end(), "cpu") == controllers.end()) continue;
    for (const std::string& mount : {std::string("cpu"), parts[1]}) {
      least = Smaller(least, SmallestUpwards(path, [&](const std::string& group) {
                        const std::string folder = absl::StrCat(root, "/sys/fs/cgroup/", mount, group);
                        return QuotaOf(absl::StrCat(FirstLine(folder + "/cpu.cfs_quota_us"), " ",
                                                    FirstLine(folder + "/cpu.cfs_period_us")));
                      }));
    }
  }
  return least;
}

int UsableCpus() {
  // Sized for large machines: the default cpu_set_t ends at 1024.
  constexpr int kCpus = 1 << 15;
  cpu_set_t* set = CPU_ALLOC(kCpus);
  const size_t size = CPU_ALLOC_SIZE(kCpus);
  CPU_ZERO_S(size, set);
  int count = std::max(sched_getaffinity(0, size, set) == 0 ? CPU_COUNT_S(size, set) : 1, 1);
  CPU_FREE(set);
  if (const double quota = CpuQuota(""); quota > 0 && quota < count) {
    count = std::min(count, std::max(2, static_cast<int>(std::ceil(quota))));
  }
  return count;
}

}  // namespace gyre::internal
