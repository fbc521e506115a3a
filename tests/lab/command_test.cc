// The lab's command line and its results, without running anything.
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "lab/arguments.h"
#include "lab/command.h"
#include "lab/comparison.h"
#include "lab/matrix.h"
#include "lab/result.h"
#include "lab/selection.h"
#include "lab/sweep_result.h"
#include "lab/workload.h"
#include "tests/lab/json_checker.h"

namespace gyre::lab {
namespace {

using Strings = std::vector<std::string>;

// ---- Arguments ----

absl::StatusOr<Arguments> Parse(const Strings& words) {
  return ParseArguments("compare", words, CompareCommand().flags);
}

TEST(Arguments, AreWordsAndFlags) {
  const absl::StatusOr<Arguments> arguments =
      Parse({"skynet", "--repeat=3", "leaves=10", "--json", "-procs", "4", "--", "--csv", "last"});
  ASSERT_TRUE(arguments.ok()) << arguments.status();
  EXPECT_EQ(arguments->words, (Strings{"skynet", "leaves=10", "--csv", "last"}));
  EXPECT_EQ(arguments->given, (std::set<std::string>{"json", "procs", "repeat"}));
  EXPECT_FALSE(arguments->help);
  EXPECT_EQ(arguments->all.front(), "compare");
  EXPECT_EQ(arguments->all.size(), 10u);
}

TEST(Arguments, AskForHelp) {
  for (const char* word : {"--help", "-h", "-help"}) {
    const absl::StatusOr<Arguments> arguments = Parse({word});
    ASSERT_TRUE(arguments.ok()) << arguments.status();
    EXPECT_TRUE(arguments->help);
  }
}

TEST(Arguments, ThatAreWrongSayWhatIsRight) {
  const std::pair<Strings, const char*> mistakes[] = {
      {{"--repaet=3"}, "compare has no flag --repaet (did you mean repeat?); it has: --schedulers, --stacks"},
      {{"--repeat=many"}, "--repeat=many: "},
      {{"--repeat="}, "--repeat has no value: write --repeat=N"},
      {{"--repeat"}, "--repeat has no value: write --repeat=N"},
  };
  for (const auto& [words, message] : mistakes) {
    const absl::Status status = Parse(words).status();
    EXPECT_FALSE(status.ok()) << words[0];
    EXPECT_TRUE(absl::StartsWith(status.message(), message)) << status.message();
  }
}

TEST(Arguments, AreDescribedInTheHelp) {
  for (const Command& command : {ListCommand(), RunCommand(), CompareCommand()}) {
    const std::string text = DescribeFlags(command.flags);
    for (const FlagUse& flag : command.flags)
      EXPECT_TRUE(absl::StrContains(text, absl::StrCat("  --", flag.name))) << text;
    for (absl::string_view line : absl::StrSplit(text, '\n')) EXPECT_LE(line.size(), 120u) << line;
  }
}

// ---- The matrix ----

TEST(SplitSpecs, LeavesAPluginsOptionsWithIt) {
  const auto split = [](const char* text) { return *SplitSpecs("schedulers", text); };
  EXPECT_EQ(split("gmp"), Strings{"gmp"});
  EXPECT_EQ(split("gmp, global"), (Strings{"gmp", "global"}));
  EXPECT_EQ(split("gmp:steal=one,runnext=off,global"), (Strings{"gmp:steal=one,runnext=off", "global"}));
  EXPECT_EQ(split("chaos(gmp:steal=one,runnext=off):rate=1,seed=2,gmp"),
            (Strings{"chaos(gmp:steal=one,runnext=off):rate=1,seed=2", "gmp"}));
  EXPECT_EQ(split("gmp:a=1,lifo:b=2"), (Strings{"gmp:a=1", "lifo:b=2"}));
  for (const char* bad : {"", ",gmp", "gmp,,global", "gmp,", "steal=one,gmp"}) {
    const absl::Status status = SplitSpecs("schedulers", bad).status();
    EXPECT_FALSE(status.ok()) << bad;
    EXPECT_TRUE(absl::StartsWith(status.message(), absl::StrCat("--schedulers=", bad))) << status.message();
  }
}

TEST(SplitProcs, TakesNumbersOfProcessors) {
  EXPECT_EQ(*SplitProcs("procs_list", "1,2,16"), (std::vector<int>{1, 2, 16}));
  for (const char* bad : {"", "0", "1,", "two", "4097", "-1"}) EXPECT_FALSE(SplitProcs("procs_list", bad).ok()) << bad;
}

TEST(Configurations, AreAllCombinations) {
  Config base;
  base.seed = 5;
  Axes axes;
  axes.schedulers = {"a", "b"};
  axes.procs = {1, 2, 3};
  const std::vector<Config> configs = Configurations(base, axes);
  ASSERT_EQ(configs.size(), 6u);
  EXPECT_EQ(configs[0].scheduler, "a");
  EXPECT_EQ(configs[1].procs, 2);
  EXPECT_EQ(configs[5].scheduler, "b");
  EXPECT_EQ(configs[5].procs, 3);
  for (const Config& config : configs) {
    EXPECT_EQ(config.seed, 5u);
    EXPECT_EQ(config.stack, base.stack);
  }
}

// ---- Workloads on the command line ----

TEST(Selections, AreWorkloadsWithTheirParameters) {
  const absl::StatusOr<std::vector<Selection>> selections =
      ParseSelections({"skynet", "leaves=10", "children=2", "sieve", "skynet", "expect=a=b"});
  ASSERT_TRUE(selections.ok()) << selections.status();
  ASSERT_EQ(selections->size(), 3u);
  EXPECT_EQ((*selections)[0].written, (Parameters{{"leaves", "10"}, {"children", "2"}}));
  EXPECT_EQ((*selections)[1].workload->name, "sieve");
  EXPECT_EQ((*selections)[2].written, (Parameters{{"expect", "a=b"}}));
}

TEST(Selections, ThatAreWrongSayWhatIsRight) {
  EXPECT_EQ(ParseSelections({"skinet"}).status().message(),
            "there is no workload \"skinet\" (did you mean skynet?); there are: deepstack, echo, "
            "hashtree, hotsplit, parked, pingpong, pipeline, service, "
            "sieve, "
            "skynet");
  EXPECT_EQ(ParseSelections({"leaves=3"}).status().message(),
            "the parameter leaves=3 comes before any workload; write it behind one: skynet leaves=1000");
}

TEST(CheckParameters, FillsInDefaultsAndRefusesMistakes) {
  const Workload& skynet = **FindWorkload("skynet");
  const absl::StatusOr<CheckedParameters> checked = CheckParameters(skynet, {{"leaves", "12"}});
  ASSERT_TRUE(checked.ok()) << checked.status();
  EXPECT_EQ(ToWords(checked->all), "leaves=12 children=10");
  EXPECT_EQ(checked->values.Int("leaves"), 12);
  const std::pair<Parameters, const char*> mistakes[] = {
      {{{"laeves", "1"}},
       "workload skynet has no option \"laeves\" (did you mean leaves?); it has: leaves, children, expect"},
      {{{"leaves", "few"}}, "workload skynet: leaves=few is not a whole number"},
      {{{"leaves", "0"}}, "workload skynet: leaves=0 is out of range; it may be from 1 to 1000000000"},
      {{{"leaves", "1"}, {"leaves", "2"}}, "workload skynet: option \"leaves\" is given twice"},
  };
  for (const auto& [written, message] : mistakes)
    EXPECT_EQ(std::string(CheckParameters(skynet, written).status().message()), message);
}

TEST(CheckParameters, AsksTheWorkload) {
  EXPECT_EQ(CheckParameters(**FindWorkload("hashtree"), {{"folder", "/no/such/folder"}}).status().message(),
            "workload hashtree: folder=/no/such/folder is no folder: No such file or directory");
  const absl::Status many = CheckParameters(**FindWorkload("service"), {{"rate", "1e9"}, {"seconds", "3600"}}).status();
  EXPECT_TRUE(absl::StrContains(many.message(), "at most 100M can be kept")) << many.message();
}

// ---- Results ----

RunResult SomeResult() {
  RunResult result;
  result.workload = "service";
  result.parameters = {{"load", "0.5"}, {"name", "it's \"x\", y"}};
  result.config.scheduler = "chaos(gmp:steal=one):rate=1";
  result.config.procs = 3;
  result.config.seed = 18446744073709551615u;
  result.config.plugins = {"a.so", "b.so"};
  result.answer = "42";
  result.operation = "request";
  result.figures = {{"time_ns", 2e6}, {"switches", 7}, {"peak_memory_bytes", 1 << 20}, {"sojourn_p50_ns", 1500}};
  return result;
}

std::string JsonOf(const RunResult& result) {
  JsonWriter json;
  json.BeginObject();
  WriteProvenance(json, "run", DateNow(), Machine::ThisOne());
  WriteIdentity(json, result);
  WriteEnding(json, result);
  json.EndObject();
  return json.text();
}

TEST(PowerLaws, AreFitted) {
  const std::vector<double> x = {1, 2, 4, 8}, halves = {80, 40, 20, 10}, squares = {3, 12, 48, 192}, flat = {5, 5, 5, 5};
  EXPECT_NEAR(FitPowerLaw(x, halves).exponent, -1, 1e-9);
  EXPECT_NEAR(FitPowerLaw(x, squares).exponent, 2, 1e-9);
  EXPECT_NEAR(FitPowerLaw(x, squares).r_squared, 1, 1e-9);
  EXPECT_NEAR(FitPowerLaw(x, flat).exponent, 0, 1e-9);
  EXPECT_FALSE(FitPowerLaw({1, 2}, {1, 2}).known) << "two points are on every line";
  EXPECT_FALSE(FitPowerLaw(x, {1, 2, 0, 4}).known);
}

TEST(RunResult, SurvivesJson) {
  for (Outcome outcome : {Outcome::kOk, Outcome::kFailed, Outcome::kRefused}) {
    RunResult written = SomeResult();
    written.outcome = outcome;
    if (outcome != Outcome::kOk) written.error = "a\nb";
    const std::string text = JsonOf(written);
    ASSERT_EQ(WhyNotJson(text), "");
    const absl::StatusOr<RunResult> read = ReadResult(*JsonValue::Parse(text));
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(JsonOf(*read), text);
    EXPECT_EQ(read->config.ToString(), written.config.ToString());
    EXPECT_EQ(read->config.seed, written.config.seed);
  }
  EXPECT_FALSE(ReadResult(*JsonValue::Parse("{}")).ok());
  EXPECT_FALSE(ReadResult(*JsonValue::Parse(R"({"workload": "x", "seed": 1, "outcome": "fine"})")).ok());
}

TEST(RunResult, NamesTheCommandThatRepeatsIt) {
  EXPECT_EQ(ShellCommand(ArgumentsOf(SomeResult())),
            "bazel run //lab -- run service load=0.5 'name=it'\\''s \"x\", y' --plugin=a.so,b.so --engine=threads "
            "'--scheduler=chaos(gmp:steal=one):rate=1' --stack=contiguous --preemption=cooperative --procs=3 "
            "--max_threads=10000 --seed=18446744073709551615");
}

TEST(RunResult, KnowsItsFigures) {
  const RunResult result = SomeResult();
  ASSERT_NE(result.Find("switches"), nullptr);
  EXPECT_EQ(*result.Find("switches"), 7);
  EXPECT_EQ(result.Find("steals"), nullptr);
}

// ---- Comparisons ----

Comparison SomeComparison() {
  Comparison comparison;
  comparison.date = "2024-05-01T12:34:56Z";
  comparison.machine = {"Abacus", 2, int64_t{4} << 30, "Linux 6", "gcc 12", "optimised"};
  comparison.arguments = {"compare"};
  comparison.rounds = 2;
  for (const char* scheduler : {"gmp", "global"}) {
    ComparisonRow row;
    row.identity = SomeResult();
    row.identity.config.scheduler = scheduler;
    for (double time : {2e6, 4e6}) {
      row.runs.push_back(row.identity);
      row.runs.back().figures[0].value = time;
    }
    comparison.rows.push_back(row);
  }
  return comparison;
}

TEST(Comparison, IsShownAsATable) {
  const std::string text = ComparisonText(SomeComparison());
  EXPECT_TRUE(absl::StrContains(text, "on Abacus, 2 cores, 4.00 GiB, Linux 6; gcc 12, optimised")) << text;
  EXPECT_TRUE(
      absl::StrContains(text, "2 runs of each, in turn; all with engine threads, preemption cooperative, procs 3"));
  EXPECT_TRUE(absl::StrContains(text,
                                "  scheduler  stack       time ms   +-  switches  steals  parks  wake-ups  peak MiB\n"
                                "  gmp        contiguous     3.00  67%         7       -      -         -      1.00\n"
                                "  global     contiguous     3.00  67%         7       -      -         -      1.00\n"))
      << text;
  EXPECT_TRUE(absl::StrContains(text, "p50 us  p99 us  p99.9 us")) << text;
  EXPECT_FALSE(absl::StrContains(text, "failed"));
  for (absl::string_view line : absl::StrSplit(text, '\n')) EXPECT_LE(line.size(), 120u) << line;
  for (char c : text) EXPECT_TRUE(c == '\n' || (c >= ' ' && c <= '~')) << static_cast<int>(c);
}

TEST(Comparison, ShowsWhatFailed) {
  Comparison comparison = SomeComparison();
  comparison.rows[0].runs[1].outcome = Outcome::kFailed;
  comparison.rows[0].runs[1].error = "it said 6 times 9";
  comparison.rows[1].runs.pop_back();
  comparison.rows[1].runs[0].outcome = Outcome::kRefused;
  comparison.rows[1].runs[0].error = "oil and water";
  const std::string text = ComparisonText(comparison);
  EXPECT_TRUE(absl::StrContains(text, "gmp        contiguous   1 of 2     2.00")) << text;
  EXPECT_TRUE(absl::StrContains(text, "global     contiguous  refused        -")) << text;
  EXPECT_TRUE(
      absl::StrContains(text, "FAILED: gmp, contiguous, cooperative, procs 3: it said 6 times 9\n    bazel run"));
  EXPECT_TRUE(absl::StrContains(text, "REFUSED: global, contiguous, cooperative, procs 3: oil and water\n"));
}

TEST(Comparison, ShowsAColumnForEachAxisThatRowsDifferIn) {
  Comparison comparison = SomeComparison();
  comparison.rows[1].identity.config.procs = 4;
  comparison.rows[1].identity.config.preemption = "none";
  const std::string text = ComparisonText(comparison);
  EXPECT_TRUE(absl::StrContains(text, "scheduler  stack       preemption   procs  time ms")) << text;
  EXPECT_TRUE(absl::StrContains(text, "all with engine threads\n")) << text;
}

TEST(Comparison, IsWrittenAsJson) {
  const std::string text = ComparisonJson(SomeComparison());
  ASSERT_EQ(WhyNotJson(text), "");
  const JsonValue json = *JsonValue::Parse(text);
  EXPECT_EQ(json["gyre_lab"].text(), "compare");
  EXPECT_EQ(json["machine"]["cpu"].text(), "Abacus");
  ASSERT_EQ(json["rows"].items().size(), 2u);
  const JsonValue& row = json["rows"].items()[1];
  EXPECT_EQ(row["configuration"]["scheduler"].text(), "global");
  EXPECT_EQ(row["summary"]["time_ns"]["median"].number(), 3e6);
  EXPECT_EQ(row["summary"]["time_ns"]["max"].number(), 4e6);
  ASSERT_EQ(row["runs"].items().size(), 2u);
  EXPECT_EQ(row["runs"].items()[1]["figures"]["time_ns"].number(), 4e6);
  EXPECT_TRUE(absl::StartsWith(row["runs"].items()[1]["command"].text(), "bazel run //lab -- run service load=0.5"));
}

TEST(Comparison, IsWrittenAsCsv) {
  const Strings lines = absl::StrSplit(ComparisonCsv(SomeComparison()), "\r\n");
  ASSERT_EQ(lines.size(), 4u);
  EXPECT_TRUE(absl::StartsWith(lines[0],
                               "workload,parameters,engine,scheduler,stack,preemption,procs,seed,ok,failed,refused,"
                               "time_spread,time_ns,switches,peak_memory_bytes,sojourn_p50_ns,version,"))
      << lines[0];
  EXPECT_TRUE(absl::StartsWith(lines[2],
                               "service,\"load=0.5 name=it's \"\"x\"\", y\",threads,global,contiguous,cooperative,3,"
                               "18446744073709551615,2,0,0,0.6666666666666666,3e+06,7,1048576,1500,"))
      << lines[2];
}

}  // namespace
}  // namespace gyre::lab
