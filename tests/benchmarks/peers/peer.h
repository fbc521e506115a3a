// What the C++ peers share: the command line, the line of JSON, the checks and
// the work that the rows do between two scheduling operations. A peer lists
// its rows and calls peers::Main:
//
//   int main(int argc, char** argv) {
//     return peers::Main(argc, argv, "tbb", "2021.8", {{"fib", Fib}});
//   }

#ifndef GYRE_TESTS_BENCHMARKS_PEERS_PEER_H_
#define GYRE_TESTS_BENCHMARKS_PEERS_PEER_H_

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace peers {

using Clock = std::chrono::steady_clock;

struct Options {
  std::string row;
  int threads = 1;
  double scale = 1;
  double load = 0.6;
  int connections = 64;
  std::string dist = "issue8";
  std::string stacks = "default";  // Boost.Fiber: default or pooled
};

struct Result {
  std::string metric;
  double value;
  std::vector<std::pair<std::string, double>> extra;
};

struct Row {
  const char* name;
  Result (*run)(const Options&);
};

template <typename... Args>
[[noreturn]] void Exit(int code, const char* format, Args... args) {
  std::fprintf(stderr, format, args...);
  std::fputc('\n', stderr);
  std::_Exit(code);
}

inline void Check(const char* what, uint64_t got, uint64_t want) {
  if (got != want) {
    Exit(1, "%s is %llu, not %llu", what, static_cast<unsigned long long>(got),
         static_cast<unsigned long long>(want));
  }
}

// `n` shrunk by --scale, at least 1.
inline int Scaled(const Options& options, int n) {
  return std::max(1, static_cast<int>(std::lround(n * options.scale)));
}

inline double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

inline Result NanosPerOp(double seconds, double ops) {
  return {"ns_per_op", seconds * 1e9 / ops, {}};
}

// The `p`-quantile by nearest rank.
inline double Percentile(std::vector<double>& v, double p) {
  if (!std::is_sorted(v.begin(), v.end())) std::sort(v.begin(), v.end());
  return v[static_cast<size_t>(std::max(0.0, std::ceil(p * v.size()) - 1))];
}

// `n` steps of Knuth's linear congruential generator. The empty asm keeps the
// compiler from folding several steps into one.
inline uint64_t Lcg(uint64_t x, uint64_t n) {
  for (uint64_t i = 0; i < n; ++i) {
    x = x * 6364136223846793005u + 1442695040888963407u;
    asm("" : "+r"(x));
  }
  return x;
}

// splitmix64; every peer draws the same numbers.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t Next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }

  // Uniform in (0, 1].
  double Unit() { return ((Next() >> 11) + 1) * 0x1p-53; }

 private:
  uint64_t state_;
};

// The largest resident size so far (not ru_maxrss, which a child inherits from
// whoever started it).
inline double PeakMegabytes() {
  double kilobytes = 0;
  char line[256];
  if (FILE* status = std::fopen("/proc/self/status", "r")) {
    while (std::fgets(line, sizeof(line), status) != nullptr) {
      if (std::sscanf(line, "VmHWM: %lf", &kilobytes) == 1) break;
    }
    std::fclose(status);
  }
  return kilobytes / 1024;
}

inline double ResidentBytes() {
  double size = 0, resident = 0;
  if (FILE* statm = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(statm, "%lf %lf", &size, &resident) != 2) resident = 0;
    std::fclose(statm);
  }
  return resident * sysconf(_SC_PAGESIZE);
}

inline double CpuSeconds() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_utime.tv_sec + usage.ru_stime.tv_sec +
         (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
}

// skynet: 10^6 leaves at full scale.
inline int64_t SkynetLeaves(const Options& options) {
  double digits = std::max(1.0, std::round(6 + std::log10(options.scale)));
  return std::llround(std::pow(10, digits));
}

// fib: 30 at full scale, smaller as the golden ratio has it.
inline int FibArgument(const Options& options) {
  return std::max(2, 30 + static_cast<int>(std::floor(std::log(options.scale) /
                                                      std::log(1.618034))));
}

// fib(n), computed plainly; a fib row spawns FibNumber(n + 1) - 1 tasks.
inline uint64_t FibNumber(int n) {
  uint64_t a = 0, b = 1;
  for (; n > 0; --n) a = std::exchange(b, a + b);
  return a;
}

// The n-th prime, computed plainly; the 2,000th is 17389.
inline uint64_t NthPrime(int n) {
  uint64_t p = 1;
  while (n > 0) {
    ++p;
    bool prime = true;
    for (uint64_t d = 2; d * d <= p && prime; ++d) prime = p % d != 0;
    if (prime) --n;
  }
  return p;
}

inline void Print(const char* peer, const char* version, const Options& options,
                  Result result) {
  auto named_peak = [](const auto& e) { return e.first == "peak_mb"; };
  if (std::none_of(result.extra.begin(), result.extra.end(), named_peak)) {
    result.extra.emplace_back("peak_mb", PeakMegabytes());
  }
  std::printf(
      "{\"peer\":\"%s\",\"version\":\"%s\",\"row\":\"%s\",\"threads\":%d,"
      "\"metric\":\"%s\",\"value\":%.3f,\"extra\":{",
      peer, version, options.row.c_str(), options.threads,
      result.metric.c_str(), result.value);
  const char* comma = "";
  for (const auto& [key, value] : result.extra) {
    std::printf("%s\"%s\":%.3f", std::exchange(comma, ","), key.c_str(), value);
  }
  std::printf("}}\n");
  std::fflush(stdout);
}

// Runs the row that the options name and prints its line. Ends the process if
// there is none, or the options make no sense.
inline int RunRow(const char* peer, const char* version, const Options& options,
                  const std::vector<Row>& rows) {
  if (options.threads < 1 || !(options.scale > 0) || !(options.load > 0) || options.connections < 1) {
    Exit(2, "peer %s: --threads, --scale, --load and --connections must be positive", peer);
  }
  for (const Row& row : rows) {
    if (options.row != row.name) continue;
    const Result result = row.run(options);
    Print(peer, version, options, result);
    return 0;
  }
  std::string names;
  for (const Row& row : rows) names += std::string(" ") + row.name;
  Exit(2, "peer %s: no row \"%s\"; the rows are%s", peer, options.row.c_str(),
       names.c_str());
}

inline int PrintRows(const std::vector<Row>& rows) {
  for (const Row& row : rows) std::printf("%s\n", row.name);
  return 0;
}

inline int Main(int argc, char** argv, const char* peer, const char* version,
                const std::vector<Row>& rows) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string arg = argv[i];
    const size_t equals = arg.find('=');
    const std::string key = arg.substr(0, equals);
    const std::string value =
        equals == std::string::npos ? "" : arg.substr(equals + 1);
    if (key == "--list") {
      return PrintRows(rows);
    } else if (key == "--row") {
      options.row = value;
    } else if (key == "--threads") {
      options.threads = std::atoi(value.c_str());
    } else if (key == "--scale") {
      options.scale = std::atof(value.c_str());
    } else if (key == "--load") {
      options.load = std::atof(value.c_str());
    } else if (key == "--connections") {
      options.connections = std::atoi(value.c_str());
    } else if (key == "--dist") {
      options.dist = value;
    } else if (key == "--stacks") {
      options.stacks = value;
    } else {
      Exit(2, "peer %s: unknown argument %s", peer, argv[i]);
    }
  }
  return RunRow(peer, version, options, rows);
}

}  // namespace peers

#endif  // GYRE_TESTS_BENCHMARKS_PEERS_PEER_H_
