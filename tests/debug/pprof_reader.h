// Reads a pprof file, so that what the runtime writes is checked also where no Go is installed; and asks `go tool
// pprof` where it is.
#ifndef GYRE_TESTS_DEBUG_PPROF_READER_H_
#define GYRE_TESTS_DEBUG_PPROF_READER_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace gyre::testing {

struct PprofFrame {
  std::string function, file;
  int64_t line = 0;
};

struct PprofSample {
  std::vector<PprofFrame> stack;  // innermost first, inlined ones too
  std::vector<int64_t> values;
  std::map<std::string, std::string> labels;

  // Whether some function's name contains `text`; *frame is the first.
  bool Has(const std::string& text, PprofFrame* frame = nullptr) const;
};

struct Pprof {
  std::vector<std::string> sample_types;  // "cpu/nanoseconds"
  std::string period_type;
  int64_t period = 0;
  std::vector<PprofSample> samples;

  // Of the `which`th value, over samples with a function whose name contains `text`; all, if it is empty.
  int64_t Sum(const std::string& text, size_t which = 0) const;
  std::string ToString() const;
};

// Fails the test on a malformed file: a reference to nothing, a wrong number of values, a string table that does not
// begin with "".
Pprof ReadPprof(const std::string& file);

// What `go tool pprof ARGUMENTS FILE` prints; nothing where there is no Go.
std::optional<std::string> GoToolPprof(const std::string& arguments, const std::string& file);

}  // namespace gyre::testing

#endif  // GYRE_TESTS_DEBUG_PPROF_READER_H_
