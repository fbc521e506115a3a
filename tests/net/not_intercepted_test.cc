// --intercept=on in a program that is not linked with the functions: refused, with the reason.
#include <gtest/gtest.h>

#include "runtime/runtime.h"

namespace gyre {
namespace {

TEST(Intercept, IsRefusedWhereItIsNotLinkedIn) {
  Config config;
  ASSERT_TRUE(config.Apply("intercept=on").ok());
  EXPECT_EQ(Runtime::Create(config).status().message(),
            "intercept=on: this program is not linked with //runtime/intercept");
  ASSERT_TRUE(config.Apply("intercept=off").ok());
  EXPECT_TRUE(Runtime::Create(config).ok());
}

}  // namespace
}  // namespace gyre
