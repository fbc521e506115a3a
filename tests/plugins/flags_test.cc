// The command line over the environment over the defaults, with the plug-ins that come with gyre.
#include "plugins/flags.h"

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "absl/flags/parse.h"
#include "absl/flags/reflection.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace gyre {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kLoaded[] = "tests/plugins/loaded_plugins.so";

class FlagsTest : public ::testing::Test {
 protected:
  FlagsTest() { unsetenv("GYRE"); }
  ~FlagsTest() override { unsetenv("GYRE"); }

  // What a program makes of these arguments.
  absl::StatusOr<Config> FromCommandLine(std::vector<std::string> arguments) {
    absl::FlagSaver flags;
    arguments.insert(arguments.begin(), "program");
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    absl::ParseCommandLine(static_cast<int>(argv.size()), argv.data());
    return ConfigFromFlags();
  }

  std::string Refused(const std::vector<std::string>& arguments) {
    const auto config = FromCommandLine(arguments);
    EXPECT_EQ(config.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(config.status().message());
  }
};

TEST_F(FlagsTest, NothingGiven) {
  const auto config = FromCommandLine({});
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->ToString(), Config().ToString());
}

TEST_F(FlagsTest, EveryFlag) {
  const auto config = FromCommandLine({"--scheduler=gmp:steal=one,runnext=off", "--stack=fixed", "--preemption=none",
                                       "--engine=threads", "--procs=3", "--max_threads=50", "--seed=7",
                                       std::string("--plugin=") + kLoaded});
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->scheduler, "gmp:steal=one,runnext=off");
  EXPECT_EQ(config->stack, "fixed");
  EXPECT_EQ(config->preemption, "none");
  EXPECT_EQ(config->engine, "threads");
  EXPECT_EQ(config->procs, 3);
  EXPECT_EQ(config->max_threads, 50);
  EXPECT_EQ(config->seed, 7u);
  EXPECT_THAT(config->plugins, ElementsAre(kLoaded));
}

TEST_F(FlagsTest, OnlyWhatWasGivenGoesOverTheEnvironment) {
  setenv("GYRE", "scheduler=global,stack=fixed,procs=5,seed=9", 1);
  const auto config = FromCommandLine({"--scheduler=gmp", "--seed=0"});
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->scheduler, "gmp");
  EXPECT_EQ(config->stack, "fixed");
  EXPECT_EQ(config->procs, 5);
  EXPECT_EQ(config->seed, 0u) << "a flag that is given holds even where it is the default";
}

TEST_F(FlagsTest, AFlagSetsNothingButItsOwn) {
  EXPECT_EQ(Refused({"--procs=4,stack=fixed"}),
            "--procs=4,stack=fixed is not a number of processors: it may be from 1 to 4096");
  EXPECT_THAT(Refused({"--scheduler=gmp:steal=one,stack=fixed"}),
              StartsWith("scheduler gmp has no option \"stack\"; it has: "));
}

TEST_F(FlagsTest, PluginsAreLoadedFirst) {
  const auto config = FromCommandLine({std::string("--plugin=") + kLoaded, "--scheduler=loaded-around(gmp)"});
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->scheduler, "loaded-around(gmp)");
  setenv("GYRE", "plugin=tests/plugins/nowhere.so", 1);
  EXPECT_EQ(Refused({}), "plug-in tests/plugins/nowhere.so: cannot be read: No such file or directory");
  EXPECT_EQ(Refused({"--plugin=tests/plugins/no_plugin.so"}), Refused({})) << "the environment's come first";
  unsetenv("GYRE");
  EXPECT_THAT(Refused({std::string("--plugin=") + kLoaded + ",tests/plugins/no_plugin.so"}),
              StartsWith("plug-in tests/plugins/no_plugin.so: is no gyre plug-in"));
}

TEST_F(FlagsTest, Errors) {
  EXPECT_EQ(Refused({"--procs=0"}), "--procs=0 is not a number of processors: it may be from 1 to 4096");
  EXPECT_EQ(Refused({"--seed=x"}), "--seed=x is not a whole number from 0 to 2^64-1");
  EXPECT_THAT(Refused({"--scheduler=gpm"}), StartsWith("unknown scheduler \"gpm\" (did you mean gmp?); there are: "));
  EXPECT_THAT(Refused({"--scheduler=gmp:stela=half"}),
              StartsWith("scheduler gmp has no option \"stela\" (did you mean steal?); it has: "));
  EXPECT_THAT(Refused({"--scheduler=gmp:steal=most"}), StartsWith("scheduler gmp: steal=most is not one of: half, "));
  EXPECT_THAT(Refused({"--stack=heap"}), StartsWith("unknown stack \"heap\"; there are: "));
  EXPECT_THAT(Refused({"--preemption=coop"}),
              StartsWith("unknown preemption \"coop\" (did you mean cooperative?); there are: "));
  EXPECT_EQ(Refused({"--preemption=cooperative:quantum=1us"}),
            "preemption cooperative: quantum=1us is out of range; it may be from 50us to 10s");
  setenv("GYRE", "sheduler=gmp", 1);
  EXPECT_THAT(Refused({}), HasSubstr("environment variable GYRE: \"sheduler=gmp\" is not key=value"));
}

TEST_F(FlagsTest, HelpForEachFlag) {
  for (const std::string& key : ConfigKeys()) {
    const absl::CommandLineFlag* flag = absl::FindCommandLineFlag(key);
    ASSERT_NE(flag, nullptr) << key;
    EXPECT_NE(flag->Help(), "") << key;
  }
}

TEST(CheckConfigTest, EachPluginIsChecked) {
  EXPECT_EQ(CheckConfig(Config()), absl::OkStatus());
  for (std::string Config::*which : {&Config::scheduler, &Config::stack, &Config::preemption}) {
    Config config;
    config.*which = "nonsense";
    EXPECT_THAT(std::string(CheckConfig(config).message()), HasSubstr("\"nonsense\"; there are: "));
  }
}

}  // namespace
}  // namespace gyre
