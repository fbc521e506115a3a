#include "lab/machine.h"

#include <sched.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <fstream>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "lab/numbers.h"

namespace gyre::lab {

namespace {

// What follows the colon in the first line of `file` that begins with `name`.
std::string FieldOf(const char* file, absl::string_view name) {
  std::ifstream lines(file);
  for (std::string line; std::getline(lines, line);) {
    if (!absl::StartsWith(line, name)) continue;
    const size_t colon = line.find(':');
    if (colon != std::string::npos) return std::string(absl::StripAsciiWhitespace(line.substr(colon + 1)));
  }
  return "";
}

int UsableCores() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return CPU_COUNT(&set);
  return static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN));
}

std::string BuildMode() {
  std::string mode =
#ifdef __OPTIMIZE__
      "optimised"
#else
      "not optimised"
#endif
#ifndef NDEBUG
      ", with assertions"
#endif
#ifdef __SANITIZE_ADDRESS__
      ", AddressSanitizer"
#endif
#ifdef __SANITIZE_THREAD__
      ", ThreadSanitizer"
#endif
      ;
  return mode;
}

}  // namespace

Machine Machine::ThisOne() {
  Machine machine;
  machine.cpu = FieldOf("/proc/cpuinfo", "model name");
  if (machine.cpu.empty()) machine.cpu = "unknown processor";
  machine.cores = UsableCores();
  machine.memory_bytes = static_cast<int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE);
  utsname system{};
  if (uname(&system) == 0) machine.kernel = absl::StrCat(system.sysname, " ", system.release);
#ifdef __clang__
  machine.compiler = absl::StrCat("clang ", __clang_version__);
#else
  machine.compiler = absl::StrCat("gcc ", __VERSION__);
#endif
  machine.build = BuildMode();
  return machine;
}

std::string Machine::ToString() const {
  return absl::StrCat(cpu, ", ", cores, cores == 1 ? " core, " : " cores, ",
                      Significant(static_cast<double>(memory_bytes) / (1 << 30)), " GiB, ", kernel, "; ", compiler,
                      ", ", build);
}

std::string DateNow() {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", absl::Now(), absl::UTCTimeZone());
}

uint64_t PeakMemoryBytes() {
  const std::string field = FieldOf("/proc/self/status", "VmHWM");  // "1234 kB"
  uint64_t kibibytes = 0;
  if (!absl::SimpleAtoi(field.substr(0, field.find(' ')), &kibibytes)) return 0;
  return kibibytes * 1024;
}

}  // namespace gyre::lab
