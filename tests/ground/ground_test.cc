// Shows that the ground holds: Abseil, Boost.Context, GoogleTest and OpenSSL as Debian ships them compile as C++20,
// link together and behave, in the default build and under the sanitizers.
#include <openssl/evp.h>
#include <boost/context/detail/fcontext.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/container/flat_hash_map.h"
#include "absl/debugging/stacktrace.h"
#include "absl/debugging/symbolize.h"
#include "absl/flags/flag.h"
#include "absl/flags/reflection.h"
#include "absl/functional/any_invocable.h"
#include "absl/random/random.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#endif

ABSL_FLAG(int, ground_depth, 3, "a flag of this test's own");

namespace gyre {
namespace {

namespace fc = boost::context::detail;

absl::StatusOr<int> Half(int n) {
  if (n % 2 != 0) return absl::InvalidArgumentError(absl::StrCat(n, " is odd"));
  return n / 2;
}

TEST(GroundTest, StatusCarriesItsTextAcrossTheSharedLibrary) {
  EXPECT_EQ(*Half(8), 4);
  const absl::Status odd = Half(7).status();
  EXPECT_EQ(odd.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(odd.message(), "7 is odd");
}

TEST(GroundTest, StringsContainersAndFunctionObjectsWork) {
  absl::flat_hash_map<std::string, int> lengths;
  for (absl::string_view word : absl::StrSplit("park ready steal", ' ')) {
    lengths.emplace(std::string(word), static_cast<int>(word.size()));
  }
  EXPECT_EQ(lengths.at("steal"), 5);
  EXPECT_EQ(absl::StrFormat("%-5s|%03d", "ab", 7), "ab   |007");
  absl::AnyInvocable<int()&&> owns = [p = std::make_unique<int>(41)] { return *p + 1; };
  EXPECT_EQ(std::move(owns)(), 42);
  bool cleaned = false;
  {
    const absl::Cleanup cleanup = [&] { cleaned = true; };
  }
  EXPECT_TRUE(cleaned);
}

TEST(GroundTest, FlagsAreFoundByName) {
  const absl::FlagSaver saver;
  absl::CommandLineFlag* flag = absl::FindCommandLineFlag("ground_depth");
  ASSERT_NE(flag, nullptr);
  std::string error;
  EXPECT_TRUE(flag->ParseFrom("5", &error)) << error;
  EXPECT_EQ(absl::GetFlag(FLAGS_ground_depth), 5);
  EXPECT_FALSE(flag->ParseFrom("deep", &error));
}

TEST(GroundTest, TimeAndRandomLink) {
  EXPECT_EQ(absl::FormatDuration(absl::Milliseconds(1500)), "1.5s");
  absl::BitGen random;
  EXPECT_LT(absl::Uniform(random, 0u, 10u), 10u);
}

// The lock to use between kernel threads: ThreadSanitizer sees nothing of one that is taken inside a library that it
// did not compile, absl::Mutex for one, and would report the counter.
TEST(GroundTest, AStandardMutexOrdersMemoryUnderEverySanitizer) {
  std::mutex mu;
  int counter = 0;
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 1000; ++round) {
        const std::lock_guard<std::mutex> lock(mu);
        ++counter;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(counter, 4000);
}

TEST(GroundTest, StackTracesAreTaken) {
  void* frames[16];
  EXPECT_GT(absl::GetStackTrace(frames, 16, 0), 0);
}

// Half of this test is the other side of a switch: what it computes there comes back with the second jump.
#if defined(__SANITIZE_ADDRESS__)
struct Bounds {
  const void* low = nullptr;
  size_t size = 0;
};
Bounds main_stack;
#endif

void Square(fc::transfer_t from) {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(nullptr, &main_stack.low, &main_stack.size);
#endif
  for (;;) {
    const auto n = reinterpret_cast<uintptr_t>(from.data);
    std::array<char, 64> on_this_stack;
    on_this_stack.fill(static_cast<char>(n));
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_start_switch_fiber(nullptr, main_stack.low, main_stack.size);
#endif
    from = fc::jump_fcontext(from.fctx, reinterpret_cast<void*>(static_cast<uintptr_t>(on_this_stack[63]) * n));
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(nullptr, nullptr, nullptr);
#endif
  }
}

TEST(GroundTest, FcontextSwitchesThereAndBack) {
  constexpr size_t kSize = size_t{64} * 1024;
  const std::unique_ptr<char[]> stack(new char[kSize]);
  fc::transfer_t other{fc::make_fcontext(stack.get() + kSize, kSize, Square), nullptr};
#if defined(__SANITIZE_THREAD__)
  void* const self = __tsan_get_current_fiber();
  void* const fiber = __tsan_create_fiber(0);
#endif
  for (uintptr_t n = 1; n <= 9; ++n) {
#if defined(__SANITIZE_ADDRESS__)
    void* fake = nullptr;
    __sanitizer_start_switch_fiber(&fake, stack.get(), kSize);
#endif
#if defined(__SANITIZE_THREAD__)
    __tsan_switch_to_fiber(fiber, 0);
#endif
    other = fc::jump_fcontext(other.fctx, reinterpret_cast<void*>(n));
#if defined(__SANITIZE_THREAD__)
    __tsan_switch_to_fiber(self, 0);
#endif
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(fake, nullptr, nullptr);
#endif
    EXPECT_EQ(reinterpret_cast<uintptr_t>(other.data), n * n);
  }
#if defined(__SANITIZE_THREAD__)
  __tsan_destroy_fiber(fiber);
#endif
}

TEST(GroundTest, OpenSslDigests) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  ASSERT_EQ(EVP_Digest("abc", 3, digest, &size, EVP_sha256(), nullptr), 1);
  EXPECT_EQ(size, 32u);
  EXPECT_EQ(digest[0], 0xba);
}

TEST(GroundDeathTest, DeathTestsSeeTextAndExitCode) {
  EXPECT_EXIT(
      {
        absl::FPrintF(stderr, "panic: %s\n", "close of nil channel");
        std::exit(2);
      },
      testing::ExitedWithCode(2), "panic: close of nil channel");
}

}  // namespace
}  // namespace gyre
