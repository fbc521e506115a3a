// The configuration's text, as it comes from GYRE: whatever it is, it is refused with a sentence or printed so that it
// reads the same.
#include <cstddef>
#include <cstdint>
#include <string>

#include "plugins/config.h"
#include "tests/fuzz/expect.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  gyre::Config config;
  const std::string before = config.ToString();
  const absl::Status status = config.Apply(text);
  if (!status.ok()) {
    GYRE_EXPECT(!status.message().empty());
    GYRE_EXPECT(config.ToString() == before);  // an error applies nothing
    return 0;
  }
  GYRE_EXPECT(config.procs >= 0 && config.procs <= gyre::Config::kMaxProcs);
  GYRE_EXPECT(config.max_threads > 0);
  gyre::Config again;
  GYRE_EXPECT(again.Apply(config.ToString()).ok());
  GYRE_EXPECT(again.ToString() == config.ToString());
  return 0;
}
