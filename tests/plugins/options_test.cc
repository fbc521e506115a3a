// What a plug-in's options accept, what they give, and the sentence for each thing that they refuse.
#include "plugins/options.h"

#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace gyre {
namespace {

using ::testing::HasSubstr;
using Written = std::vector<std::pair<std::string, std::string>>;

std::vector<OptionSpec> Specs() {
  return {
      BoolOption("runnext", true, "whether"),
      IntOption("tries", 4, 1, 64, "how often"),
      IntOption("offset", 0, INT64_MIN, INT64_MAX, "any number at all"),
      IntOption("least", 5, 2, INT64_MAX, "bounded below"),
      IntOption("most", 5, INT64_MIN, 9, "bounded above"),
      DoubleOption("bias", -0.5, "any real"),
      DoubleOption("rate", 0.25, 0, 1, "a probability"),
      DurationOption("quantum", "10ms", 50'000, 10'000'000'000, "how long"),
      BytesOption("limit", "256M", 4096, int64_t{1} << 30, "how much"),
      ChoiceOption("steal", {"half", "one"}, "half", "how much a thief takes"),
      StringOption("file", "", "where"),
  };
}

absl::StatusOr<PluginOptions> Parse(const Written& written) {
  return PluginOptions::Parse("scheduler gmp", Specs(), written);
}

// The message for one option written wrongly.
std::string Refused(const std::string& name, const std::string& value) {
  const auto options = Parse({{name, value}});
  EXPECT_FALSE(options.ok()) << name << "=" << value;
  if (options.ok()) return "";
  EXPECT_EQ(options.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(options.status().message());
}

PluginOptions With(const std::string& name, const std::string& value) {
  auto options = Parse({{name, value}});
  EXPECT_TRUE(options.ok()) << options.status();
  return options.ok() ? *std::move(options) : PluginOptions();
}

TEST(OptionsTest, Defaults) {
  const auto options = Parse({});
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_TRUE(options->Bool("runnext"));
  EXPECT_EQ(options->Int("tries"), 4);
  EXPECT_EQ(options->Double("bias"), -0.5);
  EXPECT_EQ(options->Double("rate"), 0.25);
  EXPECT_EQ(options->Duration("quantum"), 10'000'000);
  EXPECT_EQ(options->Bytes("limit"), 256 << 20);
  EXPECT_EQ(options->Choice("steal"), "half");
  EXPECT_EQ(options->String("file"), "");
  for (const OptionSpec& spec : Specs()) EXPECT_FALSE(options->WasSet(spec.name)) << spec.name;
}

TEST(OptionsTest, WrittenValuesAndOnlyTheyWereSet) {
  const auto options = Parse({{"runnext", "off"},
                              {"tries", "64"},
                              {"bias", "1e3"},
                              {"quantum", "1.5ms"},
                              {"limit", "64K"},
                              {"steal", "one"},
                              {"file", "a=b(c).trace"}});
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_FALSE(options->Bool("runnext"));
  EXPECT_EQ(options->Int("tries"), 64);
  EXPECT_EQ(options->Double("bias"), 1000);
  EXPECT_EQ(options->Duration("quantum"), 1'500'000);
  EXPECT_EQ(options->Bytes("limit"), 65536);
  EXPECT_EQ(options->Choice("steal"), "one");
  EXPECT_EQ(options->String("file"), "a=b(c).trace");
  EXPECT_TRUE(options->WasSet("runnext"));
  EXPECT_FALSE(options->WasSet("rate"));
}

TEST(OptionsTest, WritingTheDefaultCountsAsSet) {
  EXPECT_TRUE(With("steal", "half").WasSet("steal"));
}

TEST(OptionsTest, UnknownNameListsThoseThereAre) {
  EXPECT_EQ(Refused("stela", "half"),
            "scheduler gmp has no option \"stela\" (did you mean steal?); it has: runnext, tries, offset, least, most, "
            "bias, rate, quantum, limit, steal, file");
  const auto none = PluginOptions::Parse("stack fixed", {}, {{"size", "1"}});
  EXPECT_EQ(none.status().message(), "stack fixed has no option \"size\"; it has none");
}

TEST(OptionsTest, GivenTwice) {
  const auto options = Parse({{"steal", "half"}, {"tries", "3"}, {"steal", "one"}});
  EXPECT_EQ(options.status().message(), "scheduler gmp: option \"steal\" is given twice");
}

TEST(OptionsTest, Bool) {
  for (const char* on : {"on", "true", "yes", "1"}) EXPECT_TRUE(With("runnext", on).Bool("runnext")) << on;
  for (const char* off : {"off", "false", "no", "0"}) EXPECT_FALSE(With("runnext", off).Bool("runnext")) << off;
  for (const char* bad : {"", "maybe", "2", "ON "}) {
    EXPECT_EQ(Refused("runnext", bad), "scheduler gmp: runnext=" + std::string(bad) + " is not one of: on, off");
  }
}

TEST(OptionsTest, Int) {
  EXPECT_EQ(With("offset", "-9223372036854775808").Int("offset"), INT64_MIN);
  EXPECT_EQ(With("offset", "9223372036854775807").Int("offset"), INT64_MAX);
  EXPECT_EQ(With("tries", "1").Int("tries"), 1);
  for (const char* bad : {"", "x", "1x", "0x10", "1.5", "1e3", "--1", "-", "1 2"}) {
    EXPECT_EQ(Refused("tries", bad), "scheduler gmp: tries=" + std::string(bad) + " is not a whole number");
  }
  for (const char* far : {"0", "-1", "65", "99999999999999999999", "-99999999999999999999"}) {
    EXPECT_EQ(Refused("tries", far),
              "scheduler gmp: tries=" + std::string(far) + " is out of range; it may be from 1 to 64");
  }
  EXPECT_EQ(Refused("least", "1"), "scheduler gmp: least=1 is out of range; it may be at least 2");
  EXPECT_EQ(Refused("most", "10"), "scheduler gmp: most=10 is out of range; it may be at most 9");
  EXPECT_EQ(Refused("offset", "9223372036854775808"),
            "scheduler gmp: offset=9223372036854775808 does not fit in 64 bits");
}

TEST(OptionsTest, Double) {
  EXPECT_EQ(With("rate", "0").Double("rate"), 0);
  EXPECT_EQ(With("rate", "1").Double("rate"), 1);
  EXPECT_EQ(With("bias", "-2.5e-1").Double("bias"), -0.25);
  for (const char* bad : {"", "x", "0.1x", "inf", "nan", "1e999"}) {
    EXPECT_EQ(Refused("bias", bad), "scheduler gmp: bias=" + std::string(bad) + " is not a finite number");
  }
  EXPECT_EQ(Refused("rate", "1.01"), "scheduler gmp: rate=1.01 is out of range; it may be from 0 to 1");
  EXPECT_EQ(Refused("rate", "-0.1"), "scheduler gmp: rate=-0.1 is out of range; it may be from 0 to 1");
}

TEST(OptionsTest, Duration) {
  EXPECT_EQ(With("quantum", "50us").Duration("quantum"), 50'000);
  EXPECT_EQ(With("quantum", "10s").Duration("quantum"), 10'000'000'000);
  EXPECT_EQ(With("quantum", "1s500ms").Duration("quantum"), 1'500'000'000);
  for (const char* bad : {"", "10", "ms", "10 ms", "10parsecs"}) {
    EXPECT_EQ(Refused("quantum", bad),
              "scheduler gmp: quantum=" + std::string(bad) + " is not a duration such as 50us, 1.5ms or 2s");
  }
  for (const char* far : {"49.999us", "0", "-10ms", "10.000000001s", "999999999h", "inf", "-inf"}) {
    EXPECT_EQ(Refused("quantum", far),
              "scheduler gmp: quantum=" + std::string(far) + " is out of range; it may be from 50us to 10s");
  }
}

TEST(OptionsTest, Bytes) {
  EXPECT_EQ(With("limit", "4096").Bytes("limit"), 4096);
  EXPECT_EQ(With("limit", "8m").Bytes("limit"), 8 << 20);
  EXPECT_EQ(With("limit", "1G").Bytes("limit"), 1 << 30);
  for (const char* bad : {"", "K", "64KB", "-4096", "1.5M", "4 K"}) {
    EXPECT_EQ(Refused("limit", bad),
              "scheduler gmp: limit=" + std::string(bad) + " is not a size such as 4096, 64K, 8M or 1G");
  }
  for (const char* far : {"4095", "0", "2G", "9999999999G", "99999999999999999999"}) {
    EXPECT_EQ(Refused("limit", far),
              "scheduler gmp: limit=" + std::string(far) + " is out of range; it may be from 4K to 1G");
  }
}

TEST(OptionsTest, Choice) {
  EXPECT_EQ(Refused("steal", "most"), "scheduler gmp: steal=most is not one of: half, one");
  EXPECT_EQ(Refused("steal", ""), "scheduler gmp: steal= is not one of: half, one");
  EXPECT_EQ(Refused("steal", "hlaf"), "scheduler gmp: steal=hlaf is not one of: half, one (did you mean half?)");
}

TEST(OptionsTest, ParsersForOthers) {
  EXPECT_EQ(ParseDuration("--for", "2s").value(), 2'000'000'000);
  EXPECT_EQ(ParseDuration("--for", "10").status().message(), "--for=10 is not a duration such as 50us, 1.5ms or 2s");
  EXPECT_EQ(ParseDuration("--for", "9999999h").status(),
            absl::OutOfRangeError("--for=9999999h is longer than 292 years"));
  EXPECT_EQ(ParseBytes("--size", "8E").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ParseBytes("--size", "8589934592G").status(),
            absl::OutOfRangeError("--size=8589934592G does not fit in 64 bits"));
  EXPECT_EQ(ParseBytes("--size", "8589934591G").value(), INT64_MAX - ((int64_t{1} << 30) - 1));
  EXPECT_TRUE(ParseBool("--on", "yes").value());
}

using OptionsDeathTest = ::testing::Test;

TEST(OptionsDeathTest, AskingForWhatWasNotDeclaredAborts) {
  const PluginOptions options = *Parse({});
  EXPECT_DEATH(options.Int("stela"), "a plug-in asks for option \"stela\", which it did not declare");
  EXPECT_DEATH(options.WasSet("stela"), "a plug-in asks for option \"stela\", which it did not declare");
  EXPECT_DEATH(options.Int("steal"), "a plug-in asks for option \"steal\" as another type than it declared");
  EXPECT_DEATH(options.String("steal"), "as another type");
  EXPECT_DEATH(options.Bytes("quantum"), "as another type");
  EXPECT_DEATH(options.Bool("tries"), "as another type");
}

}  // namespace
}  // namespace gyre
