// The configuration's text form: GYRE's grammar, what it refuses, and that what it prints can be read again.
#include "plugins/config.h"

#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace gyre {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr char kKeys[] =
    "scheduler, stack, preemption, engine, procs, max_threads, seed, plugin, trace, intercept, debug_http, "
    "debug_http_public, block_profile_rate, mutex_profile_fraction";

Config Applied(const std::string& text) {
  Config config;
  const absl::Status status = config.Apply(text);
  EXPECT_TRUE(status.ok()) << text << ": " << status;
  return config;
}

std::string Refused(const std::string& text) {
  Config config;
  const absl::Status status = config.Apply(text);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
  EXPECT_EQ(config.ToString(), Config().ToString()) << "an error leaves the configuration as it was: " << text;
  return std::string(status.message());
}

TEST(ConfigTest, EmptyTextChangesNothing) {
  for (const char* text : {"", " ", ",", " , "}) EXPECT_EQ(Applied(text).ToString(), Config().ToString());
}

TEST(ConfigTest, EveryKey) {
  const Config config = Applied(
      "scheduler=global,stack=fixed,preemption=none,engine=simulation,procs=256,max_threads=77,"
      "seed=18446744073709551615,plugin=./a.so,plugin=/opt/b.so,debug_http=localhost:6060,debug_http_public=true,"
      "block_profile_rate=1,mutex_profile_fraction=5");
  EXPECT_EQ(config.scheduler, "global");
  EXPECT_EQ(config.stack, "fixed");
  EXPECT_EQ(config.preemption, "none");
  EXPECT_EQ(config.engine, "simulation");
  EXPECT_EQ(config.procs, 256);
  EXPECT_EQ(config.max_threads, 77);
  EXPECT_EQ(config.seed, UINT64_MAX);
  EXPECT_THAT(config.plugins, ElementsAre("./a.so", "/opt/b.so"));
  EXPECT_EQ(config.debug_http, "localhost:6060");
  EXPECT_TRUE(config.debug_http_public);
  EXPECT_EQ(config.block_profile_rate, 1);
  EXPECT_EQ(config.mutex_profile_fraction, 5);
}

TEST(ConfigTest, OptionsNeedNoQuoting) {
  const Config config = Applied("scheduler=gmp:steal=half,runnext=off,stack=contiguous:limit=1M,initial=8K,procs=4");
  EXPECT_EQ(config.scheduler, "gmp:steal=half,runnext=off");
  EXPECT_EQ(config.stack, "contiguous:limit=1M,initial=8K");
  EXPECT_EQ(config.procs, 4);
}

TEST(ConfigTest, WrappersNeedNoQuoting) {
  const Config config = Applied("scheduler=chaos(gmp:steal=one,runnext=off):rate=0.1,depth=3,procs=2");
  EXPECT_EQ(config.scheduler, "chaos(gmp:steal=one,runnext=off):rate=0.1,depth=3");
  EXPECT_EQ(config.procs, 2);
}

TEST(ConfigTest, EngineTakesOptionsToo) {
  EXPECT_EQ(Applied("engine=simulation:switch=1us,wake=5us,procs=2").engine, "simulation:switch=1us,wake=5us");
}

TEST(ConfigTest, SpaceAroundPartsDoesNotCount) {
  const Config config = Applied(" scheduler = gmp:steal=half , procs = 4 ,, ");
  EXPECT_EQ(config.scheduler, "gmp:steal=half");
  EXPECT_EQ(config.procs, 4);
}

TEST(ConfigTest, LaterPartsWin) {
  Config config = Applied("procs=4,scheduler=gmp:steal=half,procs=8");
  EXPECT_EQ(config.procs, 8);
  ASSERT_TRUE(config.Apply("scheduler=global").ok());
  EXPECT_EQ(config.scheduler, "global");
  EXPECT_EQ(config.procs, 8);
}

TEST(ConfigTest, UnknownKeys) {
  EXPECT_EQ(Refused("sheduler=gmp"), "\"sheduler=gmp\" is not key=value with one of the keys: " + std::string(kKeys) +
                                         " (did you mean scheduler?)");
  EXPECT_EQ(Refused("global"), "\"global\" is not key=value with one of the keys: " + std::string(kKeys));
  EXPECT_EQ(Refused("=4"), "\"=4\" is not key=value with one of the keys: " + std::string(kKeys));
  EXPECT_EQ(Refused("procs=4,sed=1"),
            "\"sed=1\" is not key=value with one of the keys: " + std::string(kKeys) + " (did you mean seed?)");
}

TEST(ConfigTest, OnlyASpecWithOptionsGoesOn) {
  EXPECT_EQ(Refused("scheduler=gmp,steal=one"),
            "\"steal=one\" is not key=value with one of the keys: " + std::string(kKeys));
  EXPECT_EQ(Refused("plugin=./a:b.so,c.so"), "\"c.so\" is not key=value with one of the keys: " + std::string(kKeys));
}

TEST(ConfigTest, Numbers) {
  for (const char* bad : {"0", "-1", "4097", "x", "4x", "4.0", "99999999999999999999"}) {
    EXPECT_EQ(Refused("procs=" + std::string(bad)),
              "procs=" + std::string(bad) + " is not a number of processors: it may be from 1 to 4096");
  }
  for (const char* bad : {"1", "0", "-5", "many", "1048577"}) {
    EXPECT_EQ(Refused("max_threads=" + std::string(bad)),
              "max_threads=" + std::string(bad) + " is not a number of threads: it may be from 2 to 1048576");
  }
  for (const char* bad : {"-1", "x", "1.5", "18446744073709551616"}) {
    EXPECT_EQ(Refused("seed=" + std::string(bad)),
              "seed=" + std::string(bad) + " is not a whole number from 0 to 2^64-1");
  }
  for (const char* key : {"block_profile_rate", "mutex_profile_fraction"}) {
    EXPECT_EQ(Refused(std::string(key) + "=-1"), std::string(key) + "=-1 is not a whole number from 0 to 1000000000");
  }
  EXPECT_EQ(Refused("debug_http_public=maybe"), "debug_http_public=maybe is neither true nor false");
  EXPECT_EQ(Applied("procs=1").procs, 1);
  EXPECT_EQ(Applied("procs=4096").procs, Config::kMaxProcs);
}

TEST(ConfigTest, EmptyValues) {
  for (const std::string& key : ConfigKeys()) EXPECT_EQ(Refused(key + "="), key + "= has no value");
}

TEST(ConfigTest, AnErrorAppliesNothing) {
  // Refused checks that the first part did not stay.
  EXPECT_EQ(Refused("scheduler=global,procs=0"), "procs=0 is not a number of processors: it may be from 1 to 4096");
}

TEST(ConfigTest, SetTakesTheWholeValue) {
  Config config;
  ASSERT_TRUE(config.Set("plugin", "a,procs=4.so").ok());
  EXPECT_THAT(config.plugins, ElementsAre("a,procs=4.so"));
  EXPECT_EQ(config.procs, 0);
  EXPECT_EQ(config.Set("procs", "4,stack=fixed").message(),
            "procs=4,stack=fixed is not a number of processors: it may be from 1 to 4096");
  EXPECT_EQ(config.Set("proc", "4").message(),
            "\"proc\" is not key=value with one of the keys: " + std::string(kKeys) + " (did you mean procs?)");
}

TEST(ConfigTest, WhatItPrintsCanBeReadAgain) {
  for (const char* text : {
           "",
           "scheduler=global",
           "scheduler=gmp:steal=half,runnext=off,stack=contiguous:limit=1M,initial=8K,preemption=cooperative:quantum="
           "1ms",
           "scheduler=chaos(gmp:steal=one,runnext=off):rate=0.1,engine=simulation:wake=5us,procs=256,seed=7",
           "plugin=./a.so,plugin=/opt/b.so,max_threads=12",
       }) {
    const Config config = Applied(text);
    const Config again = Applied(config.ToString());
    EXPECT_EQ(again.scheduler, config.scheduler) << text;
    EXPECT_EQ(again.stack, config.stack) << text;
    EXPECT_EQ(again.preemption, config.preemption) << text;
    EXPECT_EQ(again.engine, config.engine) << text;
    EXPECT_EQ(again.procs, config.procs) << text;
    EXPECT_EQ(again.max_threads, config.max_threads) << text;
    EXPECT_EQ(again.seed, config.seed) << text;
    EXPECT_EQ(again.plugins, config.plugins) << text;
  }
}

class EnvironmentTest : public ::testing::Test {
 protected:
  void TearDown() override { unsetenv("GYRE"); }
};

TEST_F(EnvironmentTest, NotSet) {
  unsetenv("GYRE");
  const auto config = Config::FromEnvironment();
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->ToString(), Config().ToString());
  EXPECT_THAT(config->plugins, IsEmpty());
}

TEST_F(EnvironmentTest, Set) {
  setenv("GYRE", "scheduler=global,procs=3", 1);
  const auto config = Config::FromEnvironment();
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->scheduler, "global");
  EXPECT_EQ(config->procs, 3);
}

TEST_F(EnvironmentTest, AnErrorNamesTheVariable) {
  setenv("GYRE", "procs=0", 1);
  EXPECT_EQ(Config::FromEnvironment().status(),
            absl::InvalidArgumentError(
                "environment variable GYRE: procs=0 is not a number of processors: it may be from 1 to 4096"));
}

}  // namespace
}  // namespace gyre
