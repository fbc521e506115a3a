// The grammar of a plug-in's spec, and the guess at what a misspelt name was meant to be.
#include "plugins/spec.h"

#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace gyre::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

TEST(SpecTest, NameAlone) {
  const auto spec = ParseSpec("gmp");
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->name, "gmp");
  EXPECT_FALSE(spec->has_inner);
  EXPECT_THAT(spec->options, IsEmpty());
}

TEST(SpecTest, OptionsKeepTheirOrder) {
  const auto spec = ParseSpec("gmp:steal=half,runnext=off");
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->name, "gmp");
  EXPECT_THAT(spec->options, ElementsAre(Pair("steal", "half"), Pair("runnext", "off")));
}

TEST(SpecTest, OnlyTheFirstEqualsSignSeparates) {
  const auto spec = ParseSpec("replay:file=a=b:c.trace,empty=");
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_THAT(spec->options, ElementsAre(Pair("file", "a=b:c.trace"), Pair("empty", "")));
}

TEST(SpecTest, WrapperHoldsASpec) {
  const auto outer = ParseSpec("chaos(gmp:steal=one,runnext=off):rate=0.1");
  ASSERT_TRUE(outer.ok()) << outer.status();
  EXPECT_EQ(outer->name, "chaos");
  ASSERT_TRUE(outer->has_inner);
  EXPECT_THAT(outer->options, ElementsAre(Pair("rate", "0.1")));
  const auto inner = ParseSpec(outer->inner);
  ASSERT_TRUE(inner.ok()) << inner.status();
  EXPECT_EQ(inner->name, "gmp");
  EXPECT_THAT(inner->options, ElementsAre(Pair("steal", "one"), Pair("runnext", "off")));
}

TEST(SpecTest, WrappersNest) {
  const auto spec = ParseSpec("record(chaos(gmp:steal=one):rate=0.1)");
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->name, "record");
  EXPECT_EQ(spec->inner, "chaos(gmp:steal=one):rate=0.1");
  EXPECT_THAT(spec->options, IsEmpty());
}

TEST(SpecTest, SpaceAroundPartsDoesNotCount) {
  const auto spec = ParseSpec("  chaos( gmp ): rate = 0.1 , seeded=on ");
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->name, "chaos");
  EXPECT_EQ(spec->inner, "gmp");
  EXPECT_THAT(spec->options, ElementsAre(Pair("rate", "0.1"), Pair("seeded", "on")));
}

TEST(SpecTest, MalformedSpecsSayWhatIsWrongAndShowTheForm) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "\"\": there is no plug-in name"},
      {"  ", "there is no plug-in name"},
      {":steal=half", "there is no plug-in name"},
      {"(gmp)", "there is no plug-in name"},
      {"=half", "there is no plug-in name"},
      {"gmp:", "\"\" is not option=value"},
      {"gmp:steal", "\"steal\" is not option=value"},
      {"gmp:=half", "\"=half\" is not option=value"},
      {"gmp:steal=half,", "\"\" is not option=value"},
      {"gmp:steal=half,,runnext=off", "\"\" is not option=value"},
      {"gmp,steal=half", "\",steal=half\" is left over"},
      {"gmp=half", "\"=half\" is left over"},
      {"gmp global", "\" global\" is left over"},
      {"gmp)", "\")\" is left over"},
      {"chaos(gmp", "a parenthesis is not closed"},
      {"chaos((gmp)", "a parenthesis is not closed"},
      {"chaos(gmp))", "\")\" is left over"},
      {"chaos(gmp)rate=1", "\"rate=1\" is left over"},
      {"chaos()", "nothing between the parentheses"},
      {"chaos( )", "nothing between the parentheses"},
  };
  for (const auto& [text, why] : cases) {
    const auto spec = ParseSpec(text);
    ASSERT_FALSE(spec.ok()) << text;
    EXPECT_EQ(spec.status().code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(std::string(spec.status().message()), HasSubstr(why)) << text;
    EXPECT_THAT(std::string(spec.status().message()), HasSubstr("the form is name, name:option=value")) << text;
  }
}

TEST(SpecTest, Names) {
  for (const char* good : {"gmp", "work-first", "max_run", "2level", "A"}) EXPECT_TRUE(IsPluginName(good)) << good;
  for (const char* bad : {"", "a b", "a:b", "a(b", "a,b", "a=b", "a.b", "\xc3\xa4"})
    EXPECT_FALSE(IsPluginName(bad)) << bad;
}

TEST(DidYouMeanTest, NearMisses) {
  const std::vector<std::string> names = {"cooperative", "edf", "global", "gmp", "klt", "segmented"};
  const std::pair<const char*, const char*> cases[] = {
      {"gpm", "gmp"},   // neighbours swapped
      {"gp", "gmp"},    // one left out
      {"gmpp", "gmp"},  // one too many
      {"gmq", "gmp"},   // one wrong
      {"GMP", "gmp"},   // capitals do not count
      {"glbal", "global"},
      {"coop", "cooperative"},
      {"edfs", "edf"},
      {"segment", "segmented"},
      {"segmnetde", "segmented"},
  };
  for (const auto& [wrong, right] : cases) {
    EXPECT_EQ(DidYouMean(wrong, names), " (did you mean " + std::string(right) + "?)") << wrong;
  }
}

TEST(DidYouMeanTest, NothingNear) {
  const std::vector<std::string> names = {"cooperative", "gmp", "half", "one"};
  for (const char* wrong : {"", "x", "most", "stealing", "fcfs", "co"})
    EXPECT_EQ(DidYouMean(wrong, names), "") << wrong;
  EXPECT_EQ(DidYouMean("gmp", {}), "");
}

TEST(DidYouMeanTest, TheNearestWins) {
  EXPECT_EQ(DidYouMean("steals", {"stealth", "steal", "stall"}), " (did you mean steal?)");
}

}  // namespace
}  // namespace gyre::internal
