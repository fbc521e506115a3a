// The parts of the lab that know nothing of goroutines: JSON, CSV, tables, numbers, random times.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "absl/strings/str_join.h"
#include "lab/csv.h"
#include "lab/distribution.h"
#include "lab/json.h"
#include "lab/machine.h"
#include "lab/numbers.h"
#include "lab/plot.h"
#include "lab/random.h"
#include "lab/sweep_range.h"
#include "lab/table.h"
#include "tests/lab/json_checker.h"

namespace gyre::lab {
namespace {

// ---- JSON ----

TEST(JsonChecker, TellsJsonFromWhatIsNot) {
  for (const char* good : {"1", "-0.5e+3", "\"\"", "[]", "{}", "[1, [2, {}]]",
                           "{\"a\": {\"b\": [true, false, null]}}\n", "\"\\u00e9\\n\\\\\""}) {
    EXPECT_EQ(WhyNotJson(good), "") << good;
  }
  for (const char* bad : {"", "01", "1.", "+1", "[1,]", "[1 2]", "{\"a\"}", "{\"a\":1,}", "{1:2}", "[}", "]", "\"",
                          "\"\\x\"", "\"\n\"", "nul", "1 2", "{\"a\":1", "NaN"}) {
    EXPECT_NE(WhyNotJson(bad), "") << bad;
  }
}

std::string Quoted(absl::string_view text) {
  JsonWriter json;
  json.String(text);
  return json.text();
}

TEST(JsonWriter, NestsObjectsAndArrays) {
  JsonWriter json;
  json.BeginObject();
  json.Key("empty").BeginArray();
  json.EndArray();
  json.Key("list").BeginArray();
  json.Integer(-3);
  json.Unsigned(18446744073709551615u);
  json.Bool(true);
  json.BeginObject();
  json.EndObject();
  json.EndArray();
  json.Key("half").Number(0.5);
  json.EndObject();
  EXPECT_EQ(json.text(), R"({
  "empty": [],
  "list": [
    -3,
    18446744073709551615,
    true,
    {}
  ],
  "half": 0.5
}
)");
  EXPECT_EQ(WhyNotJson(json.text()), "");
}

TEST(JsonWriter, EscapesEverythingThatNeedsIt) {
  EXPECT_EQ(Quoted("plain"), "\"plain\"");
  EXPECT_EQ(Quoted("\"\\\n\t\x01\x7f"), R"("\"\\\n\u0009\u0001\u007f")");
  EXPECT_EQ(Quoted(absl::string_view("\0", 1)), R"("\u0000")");
  EXPECT_EQ(Quoted("\xc3\xa9"), R"("\u00e9")");
  EXPECT_EQ(Quoted("\xf0\x9f\x98\x80"), R"("\ud83d\ude00")");
}

TEST(JsonWriter, ReplacesWhatIsNotUtf8) {
  EXPECT_EQ(Quoted("a\xff"), R"("a\ufffd")");
  EXPECT_EQ(Quoted("\xc3"), R"("\ufffd")");                                // cut off
  EXPECT_EQ(Quoted("\xc0\xaf"), R"("\ufffd\ufffd")");                      // longer than needed
  EXPECT_EQ(Quoted("\xed\xa0\x80"), R"("\ufffd\ufffd\ufffd")");            // half a surrogate pair
  EXPECT_EQ(Quoted("\xf4\x90\x80\x80"), R"("\ufffd\ufffd\ufffd\ufffd")");  // beyond Unicode
  EXPECT_EQ(Quoted("\xe2\x82x"), R"("\ufffd\ufffdx")");
}

TEST(JsonWriter, WritesAnyBytesAsJsonThatReadsBack) {
  Random random(7);
  for (int round = 0; round < 500; ++round) {
    std::string bytes;
    for (uint64_t i = random.Bits() % 40; i > 0; --i) bytes += static_cast<char>(random.Bits());
    const std::string text = Quoted(bytes);
    ASSERT_EQ(WhyNotJson(text), "") << text;
    const absl::StatusOr<JsonValue> value = JsonValue::Parse(text);
    ASSERT_TRUE(value.ok()) << value.status();
    ASSERT_EQ(Quoted(value->text()), text);
  }
}

TEST(JsonWriter, WritesNumbersThatReadBackTheSame) {
  Random random(8);
  for (int round = 0; round < 500; ++round) {
    const double number = random.Normal() * std::pow(10, static_cast<double>(random.Bits() % 600) - 300);
    JsonWriter json;
    json.Number(number);
    ASSERT_EQ(WhyNotJson(json.text()), "") << json.text();
    ASSERT_EQ(JsonValue::Parse(json.text())->number(), number);
  }
  for (double odd : {std::nan(""), HUGE_VAL, -HUGE_VAL}) {
    JsonWriter json;
    json.Number(odd);
    EXPECT_EQ(json.text(), "null");
  }
}

TEST(JsonReader, ReadsEveryKindOfValue) {
  const absl::StatusOr<JsonValue> value = JsonValue::Parse(
      R"( {"n": -12.5e1, "t": true, "f": false, "z": null, "s": "a\u00e9\ud83d\ude00\/\b", "l": [1, "2"]} )");
  ASSERT_TRUE(value.ok()) << value.status();
  EXPECT_EQ((*value)["n"].number(), -125);
  EXPECT_EQ((*value)["n"].text(), "-12.5e1");
  EXPECT_TRUE((*value)["t"].boolean());
  EXPECT_EQ((*value)["f"].type(), JsonValue::Type::kBool);
  EXPECT_FALSE((*value)["f"].boolean());
  EXPECT_EQ((*value)["z"].type(), JsonValue::Type::kNull);
  EXPECT_EQ((*value)["s"].text(), "a\xc3\xa9\xf0\x9f\x98\x80/\b");
  ASSERT_EQ((*value)["l"].items().size(), 2u);
  EXPECT_EQ((*value)["l"].items()[1].text(), "2");
  EXPECT_EQ((*value)["nothing"].type(), JsonValue::Type::kNull);
  EXPECT_EQ((*value)["n"]["nothing"].type(), JsonValue::Type::kNull);
}

TEST(JsonReader, RefusesWhatIsNotJson) {
  for (const char* bad :
       {"",   "01",      "1.",     "+1",  "[1,]", "[1 2]",    "{\"a\"}", "{\"a\":1,}",  "{1:2}",     "[}", "]",
        "\"", "\"\\x\"", "\"\n\"", "nul", "1 2",  "{\"a\":1", "NaN",     "\"\\ud800\"", "\"\\u12\"", "-",  "1e"}) {
    EXPECT_FALSE(JsonValue::Parse(bad).ok()) << bad;
  }
  EXPECT_FALSE(JsonValue::Parse(std::string(1000, '[')).ok());
  EXPECT_EQ(JsonValue::Parse("[1, x]").status().message(), "not JSON, at byte 4: a digit is missing");
}

// ---- CSV and tables ----

TEST(Csv, QuotesWhatNeedsIt) {
  EXPECT_EQ(CsvLine({"a", "", "1.5"}), "a,,1.5\r\n");
  EXPECT_EQ(CsvLine({"a,b", "say \"x\"", "two\nlines", "cr\r"}),
            "\"a,b\",\"say \"\"x\"\"\",\"two\nlines\",\"cr\r\"\r\n");
}

TEST(TextTable, AlignsColumnsAndLeavesNoBlanksAtLinesEnds) {
  TextTable table({{"name", Align::kLeft}, {"n", Align::kRight}, {"note", Align::kLeft}});
  table.AddRow({"a", "1000", "x"});
  table.AddRow({"longer", "7"});
  EXPECT_EQ(table.Text("  "),
            "  name       n  note\n"
            "  a       1000  x\n"
            "  longer     7\n");
}

TEST(Wrap, BreaksBetweenWords) {
  EXPECT_EQ(Wrap("one two three", "  ", 9), "  one two\n  three\n");
  EXPECT_EQ(Wrap("unbreakable", "", 4), "unbreakable\n");
  EXPECT_EQ(Wrap("", "  ", 9), "");
}

// ---- Numbers ----

TEST(Percentile, IsTheNearestRank) {
  std::vector<double> values;
  for (int i = 1; i <= 1000; ++i) values.push_back(i);
  EXPECT_EQ(PercentileOf(values, 50), 500);
  EXPECT_EQ(PercentileOf(values, 99), 990);
  EXPECT_EQ(PercentileOf(values, 99.9), 999);
  EXPECT_EQ(PercentileOf(values, 99.91), 1000);
  EXPECT_EQ(PercentileOf(values, 100), 1000);
  EXPECT_EQ(PercentileOf(values, 0.01), 1);
  EXPECT_EQ(PercentileOf({7.0}, 50), 7);
  EXPECT_EQ(PercentileOf({1.0, 2.0}, 50), 1);
  EXPECT_EQ(PercentileOf({1.0, 2.0}, 51), 2);
}

TEST(Percentile, CoversThePartOfTheValuesThatItSays) {
  Random random(9);
  std::vector<double> values;
  for (int i = 0; i < 777; ++i) values.push_back(random.Exponential(1));
  std::sort(values.begin(), values.end());
  for (double percent : {1.0, 25.0, 50.0, 90.0, 99.0, 99.9}) {
    const double value = PercentileOf(values, percent);
    const auto not_above = std::count_if(values.begin(), values.end(), [&](double v) { return v <= value; });
    const auto below = std::count_if(values.begin(), values.end(), [&](double v) { return v < value; });
    EXPECT_GE(static_cast<double>(not_above), percent / 100 * 777) << percent;
    EXPECT_LT(static_cast<double>(below), percent / 100 * 777) << percent;
  }
}

TEST(Summary, HasMedianAndSpread) {
  EXPECT_EQ(Median({3, 1, 2}), 2);
  EXPECT_EQ(Median({4, 1, 2, 3}), 2.5);
  const Summary summary = Summarize({10, 30, 20, 20});
  EXPECT_EQ(summary.count, 4);
  EXPECT_EQ(summary.median, 20);
  EXPECT_EQ(summary.min, 10);
  EXPECT_EQ(summary.max, 30);
  EXPECT_EQ(summary.spread(), 1);
  EXPECT_EQ(Summarize({}).count, 0);
  EXPECT_EQ(Summarize({0, 0}).spread(), 0);
}

TEST(Numbers, AreShownShort) {
  EXPECT_EQ(Significant(0), "0");
  EXPECT_EQ(Significant(0.01234), "0.0123");
  EXPECT_EQ(Significant(1.234), "1.23");
  EXPECT_EQ(Significant(9.996), "10.0");
  EXPECT_EQ(Significant(99.96), "100");
  EXPECT_EQ(Significant(12345.6), "12346");
  EXPECT_EQ(Significant(0.99999), "1.00");
  EXPECT_EQ(ShortCount(0), "0");
  EXPECT_EQ(ShortCount(9999), "9999");
  EXPECT_EQ(ShortCount(10000), "10.0k");
  EXPECT_EQ(ShortCount(1111111), "1.11M");
  EXPECT_EQ(ShortCount(999900), "1.00M");
  EXPECT_EQ(ShortCount(2.5), "2.50");
  EXPECT_EQ(ShortCount(5e9), "5.00G");
  EXPECT_STREQ(TimeUnit({2e9, 3e6}).name, "ms");
  EXPECT_STREQ(TimeUnit({2e9, 0}).name, "s");
  EXPECT_STREQ(TimeUnit({}).name, "ns");
  EXPECT_EQ(ShowFigure("time_ns", 1.5e6), "1.50 ms");
  EXPECT_EQ(ShowFigure("peak_memory_bytes", 3 << 20), "3.00 MiB");
  EXPECT_EQ(ShowFigure("throughput_per_s", 20000), "20.0k/s");
  EXPECT_EQ(ShowFigure("switches", 7), "7");
}

// ---- Random times ----

TEST(Random, IsTheSameForTheSameSeed) {
  Random a(1), b(1), other_seed(2), other_stream(1, 1);
  const uint64_t first = a.Bits();
  EXPECT_EQ(first, b.Bits());
  EXPECT_NE(first, other_seed.Bits());
  EXPECT_NE(first, other_stream.Bits());
  for (int i = 0; i < 1000; ++i) {
    const double uniform = a.Uniform();
    EXPECT_GE(uniform, 0);
    EXPECT_LT(uniform, 1);
  }
}

struct Moments {
  double mean, deviation;
};
template <typename Draw>
Moments Estimate(int n, Draw draw) {
  double sum = 0, squares = 0;
  for (int i = 0; i < n; ++i) {
    const double value = draw();
    sum += value;
    squares += value * value;
  }
  const double mean = sum / n;
  return {mean, std::sqrt(squares / n - mean * mean)};
}

TEST(ServiceTimes, HaveTheMeanOfTheirFormula) {
  constexpr int kDraws = 400'000;
  for (const std::string& name : ServiceTimes::Names()) {
    const absl::StatusOr<ServiceTimes> times = ServiceTimes::Make(name, 50'000, 0.8);
    ASSERT_TRUE(times.ok()) << times.status();
    Random random(11);
    const Moments moments = Estimate(kDraws, [&] { return times->Sample(random); });
    // Five standard errors: with a fixed seed, it holds or it does not.
    EXPECT_NEAR(moments.mean, times->Mean(), 5 * moments.deviation / std::sqrt(kDraws) + 1e-6 * times->Mean()) << name;
    EXPECT_GT(times->Mean(), 0) << name;
  }
}

TEST(ServiceTimes, PresetsAreThoseOfTheLiterature) {
  const auto mean = [](const char* name) { return ServiceTimes::Make(name, 0, 0)->Mean(); };
  EXPECT_NEAR(mean("bim1"), 1000, 1e-6);
  EXPECT_NEAR(mean("bim2"), 1000, 1e-6);
  EXPECT_NEAR(mean("extreme-bimodal"), 2997.5, 1e-6);
  EXPECT_NEAR(mean("disp1"), 5500, 1e-6);
  EXPECT_NEAR(mean("high-bimodal"), 50'500, 1e-6);
  EXPECT_NEAR(mean("rocksdb"), 526'000, 1e-6);
  EXPECT_NEAR(mean("tpcc"), 0.44 * 5700 + 0.04 * 6000 + 0.44 * 20'000 + 0.04 * 88'000 + 0.04 * 100'000, 1e-6);
  EXPECT_NEAR(mean("ghost"), 53'980, 1e-6);
}

TEST(ServiceTimes, ByMeanHaveTheirShapes) {
  constexpr int kDraws = 400'000;
  Random random(12);
  const auto estimate = [&](const char* name, double sigma) {
    const ServiceTimes times = *ServiceTimes::Make(name, 1000, sigma);
    return Estimate(kDraws, [&] { return times.Sample(random); });
  };
  EXPECT_EQ(estimate("fixed", 0).deviation, 0);
  EXPECT_NEAR(estimate("exponential", 0).deviation, 1000, 20);
  // A lognormal's deviation is mean * sqrt(exp(sigma^2) - 1).
  EXPECT_NEAR(estimate("lognormal", 0.5).deviation, 1000 * std::sqrt(std::exp(0.25) - 1), 20);
}

TEST(ServiceTimes, RefusesWhatItDoesNotKnow) {
  const absl::Status unknown = ServiceTimes::Make("pareto", 1, 1).status();
  EXPECT_NE(unknown.message().find("there are: fixed, exponential, lognormal, bim1"), absl::string_view::npos)
      << unknown;
  EXPECT_FALSE(ServiceTimes::Make("exponential", 0, 1).ok());
  EXPECT_FALSE(ServiceTimes::Make("exponential", std::nan(""), 1).ok());
  EXPECT_FALSE(ServiceTimes::Make("lognormal", 1, -1).ok());
}

TEST(PoissonArrivals, ComeAtTheirRateWithExponentialIntervals) {
  constexpr int kArrivals = 400'000;
  PoissonArrivals arrivals(20'000, Random(13));
  double last = 0;
  const Moments intervals = Estimate(kArrivals, [&] {
    const double now = arrivals.Next(), interval = now - last;
    EXPECT_GE(interval, 0);
    last = now;
    return interval;
  });
  EXPECT_NEAR(intervals.mean, 50'000, 5 * 50'000 / std::sqrt(kArrivals));
  EXPECT_NEAR(intervals.deviation, 50'000, 1000);
}

TEST(PoissonArrivals, VaryAsManyAWindowAsPoissonsLawSays) {
  // The number of arrivals in a window has a variance that equals its mean.
  PoissonArrivals arrivals(1e9, Random(14));  // one a nanosecond
  constexpr double kWindow = 10;
  constexpr int kWindows = 20'000;
  std::vector<double> counts(kWindows);
  for (double at; (at = arrivals.Next()) < kWindow * kWindows;) ++counts[static_cast<size_t>(at / kWindow)];
  size_t i = 0;
  const Moments moments = Estimate(kWindows, [&] { return counts[i++]; });
  EXPECT_NEAR(moments.mean, kWindow, 0.15);
  EXPECT_NEAR(moments.deviation * moments.deviation, kWindow, 0.5);
}

TEST(Machine, IsDescribed) {
  const Machine machine = Machine::ThisOne();
  EXPECT_FALSE(machine.cpu.empty());
  EXPECT_GE(machine.cores, 1);
  EXPECT_GT(machine.memory_bytes, 1 << 20);
  EXPECT_EQ(machine.kernel.find("Linux"), 0u) << machine.kernel;
  EXPECT_NE(machine.ToString().find(machine.cpu), std::string::npos);
  EXPECT_GT(PeakMemoryBytes(), 1u << 20);
  EXPECT_EQ(DateNow().size(), std::string("2024-05-01T12:34:56Z").size());
}

TEST(SweepRanges, AreReadInThreeForms) {
  const auto texts = [](const char* text) {
    const absl::StatusOr<SweepRange> range = ParseSweepRange(text);
    return range.ok() ? absl::StrJoin(range->texts, " ") : std::string(range.status().message());
  };
  EXPECT_EQ(texts("procs=1,2,16"), "1 2 16");
  EXPECT_EQ(texts("procs=1..64"), "1 2 4 8 16 32 64");
  EXPECT_EQ(texts("load=0.1..0.9+0.2"), "0.1 0.3 0.5 0.7 0.9");
  EXPECT_EQ(texts("mean=10us..40us"), "10us 20us 40us");
  for (const char* wrong : {"procs", "=1", "procs=", "procs=a", "procs=4..1", "procs=0..8", "procs=1,1", "x=1..2+0",
                            "x=1us,2ms", "x=1..9999999+1"}) {
    EXPECT_NE(texts(wrong).find("write NAME=1,2,4"), std::string::npos) << wrong << ": " << texts(wrong);
  }
}

TEST(Plots, AreSvgWithEverySeries) {
  const std::string svg = PlotSvg({.title = "a<b",
                                   .x_label = "procs",
                                   .y_label = "time",
                                   .logarithmic = true,
                                   .series = {{"one", {{1, 10}, {2, 5}, {4, 0}}}, {"two & three", {{1, 1}, {4, 8}}}}});
  EXPECT_NE(svg.find("a&lt;b"), std::string::npos);
  EXPECT_NE(svg.find("two &amp; three"), std::string::npos);
  EXPECT_EQ(svg.find("nan"), std::string::npos) << svg;
  EXPECT_EQ(svg.find("inf"), std::string::npos) << svg;
  size_t dots = 0;
  for (size_t at = 0; (at = svg.find("<circle", at)) != std::string::npos; ++at) ++dots;
  EXPECT_EQ(dots, 4u) << "a point that is not positive has no logarithm";
}

}  // namespace
}  // namespace gyre::lab
