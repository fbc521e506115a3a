// The lab as a user runs it: the program, its output, its exit codes.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <regex>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "lab/json.h"
#include "tests/lab/json_checker.h"

namespace gyre::lab {
namespace {

constexpr char kLab[] = "lab/lab";
constexpr char kFaultyLab[] = "tests/lab/faulty_lab";
constexpr char kRacyProgram[] = "tests/lab/racy_program";

struct Ended {
  int code;
  std::string out;
  std::string err;
};

std::string Contents(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string TempFile(const char* name) {
  return absl::StrCat(::testing::TempDir(), "/", name, getpid());
}

// `words` as a shell reads them. `environment`: "GYRE=..." or nothing.
Ended RunProgram(const char* program, const std::string& words, const std::string& environment = "") {
  const std::string out = TempFile("out"), err = TempFile("err");
  const int status =
      std::system(absl::StrCat("env -u GYRE ", environment, " ", program, " ", words, " >", out, " 2>", err).c_str());
  Ended ended{WIFEXITED(status) ? WEXITSTATUS(status) : -1, Contents(out), Contents(err)};
  unlink(out.c_str());
  unlink(err.c_str());
  return ended;
}

Ended Lab(const std::string& words, const std::string& environment = "") {
  return RunProgram(kLab, words, environment);
}

JsonValue Json(const std::string& text) {
  EXPECT_EQ(WhyNotJson(text), "") << text;
  absl::StatusOr<JsonValue> value = JsonValue::Parse(text);
  EXPECT_TRUE(value.ok()) << value.status();
  return value.ok() ? *value : JsonValue();
}

// The names of the things in a list of objects.
std::vector<std::string> Names(const JsonValue& list) {
  std::vector<std::string> names;
  for (const JsonValue& item : list.items()) names.push_back(item["name"].text());
  return names;
}

// ---- simulate ----

TEST(Simulate, RepeatsItself) {
  const Ended ended = Lab("simulate pingpong rounds=100 sieve primes=20 --procs=64 --schedulers=gmp,las --twice");
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_TRUE(absl::StrContains(ended.out, "Each of the 4 runs was done twice, and was the same, event for event."))
      << ended.out;
  EXPECT_TRUE(absl::StrContains(ended.out, "all with engine simulation")) << ended.out;
  EXPECT_TRUE(absl::StrContains(ended.out, "events/s")) << ended.out;
}

TEST(Simulate, HasAThousandProcessors) {
  const Ended ended =
      Lab("simulate service requests=3000 load=0.5 --procs_list=256,1024 --schedulers=gmp,global --json");
  EXPECT_EQ(ended.code, 0) << ended.err;
  const JsonValue rows = Json(ended.out)["rows"];
  ASSERT_EQ(rows.items().size(), 4u);
  for (const JsonValue& row : rows.items()) {
    EXPECT_EQ(row["ok"].number(), 1);
    EXPECT_EQ(row["runs"].items().at(0)["trace"].text().size(), 16u);
  }
}

TEST(Simulate, RefusesWhatCannotBe) {
  EXPECT_TRUE(absl::StrContains(Lab("simulate sieve --engine=threads").err, "runs on virtual processors"));
  EXPECT_TRUE(absl::StrContains(Lab("simulate ./nothing").err, "cannot run ./nothing: No such file"));
  const Ended other = Lab("simulate /bin/true");
  EXPECT_EQ(other.code, 2);
  EXPECT_TRUE(absl::StrContains(other.err, "must be a program of gyre::Main")) << other.err;
  EXPECT_EQ(Lab("run service requests=10 generator=thread --engine=simulation").code, 2);
  EXPECT_TRUE(
      absl::StrContains(Lab("run service requests=10 generator=thread --engine=simulation").err, "kernel thread"));
}

// ---- sweep ----

TEST(Sweep, ShowsHowItGrows) {
  const std::string page = TempFile("sweep.html");
  const Ended ended =
      Lab(absl::StrCat("sweep skynet leaves=300 --over=procs=1..4 --schedulers=gmp,global --figures=time_ns,switches "
                       "--engine=simulation --json --html=",
                       page));
  EXPECT_EQ(ended.code, 0) << ended.err;
  const JsonValue workload = Json(ended.out)["workloads"].items().at(0);
  ASSERT_EQ(workload["series"].items().size(), 2u);
  for (const JsonValue& series : workload["series"].items()) {
    ASSERT_EQ(series["points"].items().size(), 3u);
    EXPECT_LT(series["growth"]["time_ns"]["exponent"].number(), 0) << "more processors need less time";
  }
  const std::string html = Contents(page);
  EXPECT_TRUE(absl::StrContains(html, "<svg ")) << html;
  EXPECT_FALSE(absl::StrContains(html, "<script"));
  unlink(page.c_str());
  const Ended csv =
      Lab("sweep service requests=200 --over=load=0.2..0.8+0.2 --engine=simulation --procs=8 --schedulers=gmp --csv");
  EXPECT_EQ(csv.code, 0) << csv.err;
  EXPECT_TRUE(absl::StrContains(csv.out, "sojourn_p99_ns_exponent")) << csv.out;
}

TEST(Sweep, MistakesGetASentence) {
  for (const auto& [words, sentence] : std::vector<std::pair<const char*, const char*>>{
           {"sweep", "sweep needs a workload"},
           {"sweep sieve --over=procs", "write NAME=1,2,4"},
           {"sweep sieve --over=procs=1..9999", "not a number of processors"},
           {"sweep sieve --over=primse=1..4", "did you mean primes?"},
           {"sweep sieve --over=procs=1..4 --procs=2", "leave out --procs"},
           {"sweep sieve primes=5 --over=procs=1..2 --figures=nosuch", "no run has a figure \"nosuch\""}}) {
    const Ended ended = Lab(words);
    EXPECT_EQ(ended.code, 2) << words;
    EXPECT_TRUE(absl::StrContains(ended.err, sentence)) << words << ": " << ended.err;
  }
}

// ---- calibrate ----

TEST(Calibrate, PrintsAFlagThatTheSimulatorTakes) {
  const Ended ended = Lab("calibrate");
  EXPECT_EQ(ended.code, 0) << ended.err;
  const size_t at = ended.out.find("--engine=simulation:switch=");
  ASSERT_NE(at, std::string::npos) << ended.out;
  const std::string flag = ended.out.substr(at, ended.out.find('\n', at) - at);
  EXPECT_EQ(Lab(absl::StrCat("run sieve primes=10 --procs=4 ", flag)).code, 0) << flag;
}

// ---- explore ----

TEST(Explore, FindsShrinksAndShowsAgain) {
  const Ended found = Lab("explore lock-order --seed=3");
  EXPECT_EQ(found.code, 1) << found.err;
  EXPECT_TRUE(absl::StrContains(found.out, "fatal error: all goroutines are asleep - deadlock!")) << found.out;
  EXPECT_TRUE(absl::StrContains(found.out, "with 1 preemptions")) << found.out;
  EXPECT_TRUE(absl::StrContains(found.out, "(bugs.cc:")) << "source lines\n" << found.out;
  const size_t at = found.out.find("\nreplay: ");
  ASSERT_NE(at, std::string::npos);
  const std::string schedule = found.out.substr(at + 9, found.out.find('\n', at + 1) - at - 9);
  const Ended again = Lab(absl::StrCat("explore lock-order --json --replay=", schedule));
  EXPECT_EQ(again.code, 1);
  const JsonValue json = Json(again.out);
  EXPECT_EQ(json["schedule"].text(), schedule);
  EXPECT_EQ(json["runs"].number(), 1);
}

TEST(Explore, CorrectedProgramsPass) {
  const Ended ended = Lab("explore lock-order-corrected --strategy=dfs:bound=1");
  EXPECT_EQ(ended.code, 0) << ended.out;
  EXPECT_TRUE(absl::StrContains(ended.out, "which are all that the strategy has")) << ended.out;
}

TEST(Explore, CountsSchedules) {
  const Ended ended = Lab("explore lock-order two-locks --seeds=5 --strategies=random,pct:depth=2 --json");
  EXPECT_EQ(ended.code, 1) << ended.err;
  const JsonValue programs = Json(ended.out)["programs"];
  ASSERT_EQ(programs.items().size(), 2u);
  for (const JsonValue& program : programs.items()) {
    ASSERT_EQ(program["strategies"].items().size(), 2u);
    for (const JsonValue& strategy : program["strategies"].items()) EXPECT_EQ(strategy["found"].number(), 5);
  }
}

TEST(Explore, TakesAProgramThatKnowsNothingOfIt) {
  const Ended found = Lab(absl::StrCat("explore ", kRacyProgram, " --runs=500 -- 80"));
  EXPECT_EQ(found.code, 1) << found.err;
  EXPECT_TRUE(absl::StrContains(found.out, "panic: the balance is")) << found.out;
  EXPECT_TRUE(absl::StrContains(found.out, "(racy_program.cc:")) << found.out;
  const size_t at = found.out.find("\nreplay: ");
  ASSERT_NE(at, std::string::npos) << found.out;
  const std::string schedule = found.out.substr(at + 9, found.out.find('\n', at + 1) - at - 9);
  EXPECT_EQ(Lab(absl::StrCat("explore ", kRacyProgram, " --replay=", schedule, " -- 80")).code, 1);
  // The program alone, told by its environment.
  const Ended alone =
      RunProgram(kRacyProgram, "80", absl::StrCat("'GYRE=engine=simulation(replay:schedule=", schedule, ")'"));
  EXPECT_EQ(alone.code, 2);
  EXPECT_TRUE(absl::StrContains(alone.err, "to see it again: --engine='simulation(replay:schedule=")) << alone.err;
}

TEST(Explore, MistakesGetASentence) {
  for (const auto& [words, sentence] : std::vector<std::pair<const char*, const char*>>{
           {"explore", "there are: aba, "},
           {"explore lock-ordre", "did you mean lock-order?"},
           {"explore aba --strategy=pct:depht=2", "did you mean depth?"},
           {"explore aba --procs=4", "one virtual processor"},
           {"explore aba --replay=5", "\"5\" is no decision"},
           {"explore aba --runs=0", "must be above 0"},
           {"explore aba lock-order", "--seeds=N"},
           {"explore /bin/true", "must be a program of gyre::Main"},
           {"explore ./x --strategy=dfs", "process of its own"},
           {"run sieve --engine='simulation(random)' --procs=4", "one virtual processor"},
           {"run sieve --engine='threads(random)'", "holds no other one"}}) {
    const Ended ended = Lab(words);
    EXPECT_EQ(ended.code, 2) << words << ended.out;
    EXPECT_TRUE(absl::StrContains(ended.err, sentence)) << words << ": " << ended.err;
  }
}

// ---- list ----

TEST(List, ShowsEverythingThereIs) {
  const Ended ended = Lab("list");
  EXPECT_EQ(ended.code, 0);
  EXPECT_EQ(ended.err, "");
  for (const char* part :
       {"Engines (--engine)\n", "  threads\n", "Schedulers (--scheduler)\n", "  gmp\n", "      steal=half\n",
        "  global\n", "Stacks (--stack)\n", "  contiguous\n", "  fixed\n", "Preemption (--preemption)\n", "  none\n",
        "  cooperative\n", "      quantum=10ms\n", "Workloads\n", "  skynet\n", "      leaves=1000000\n",
        "          children of each node (integer, 2 to 1000000)\n"}) {
    EXPECT_TRUE(absl::StrContains(ended.out, part)) << part;
  }
  for (absl::string_view line : absl::StrSplit(ended.out, '\n')) EXPECT_LE(line.size(), 120u) << line;
}

// What a preemption takes is measured each time that it is shown.
std::string WithoutMeasured(const std::string& text) {
  return std::regex_replace(text, std::regex("[0-9.]+ (ns|us|ms)"), "some $1");
}

TEST(List, IsWrittenAsJson) {
  const Ended ended = Lab("list --json");
  EXPECT_EQ(ended.code, 0);
  const JsonValue json = Json(ended.out);
  EXPECT_EQ(Names(json["workloads"]), (std::vector<std::string>{"deepstack", "echo", "hashtree", "hotsplit", "parked",
                                                                "pingpong", "pipeline", "service", "sieve", "skynet"}));
  for (const JsonValue& scheduler : json["schedulers"].items()) {
    EXPECT_FALSE(scheduler["help"].text().empty());
    if (scheduler["name"].text() != "gmp") continue;
    const JsonValue& steal = scheduler["options"].items().at(0);
    EXPECT_EQ(steal["name"].text(), "steal");
    EXPECT_EQ(steal["type"].text(), "choice");
    EXPECT_EQ(steal["default"].text(), "half");
    EXPECT_GE(steal["choices"].items().size(), 2u);
  }
  const JsonValue& leaves = json["workloads"].items().back()["options"].items().at(0);
  EXPECT_EQ(leaves["min"].number(), 1);
  EXPECT_EQ(leaves["max"].number(), 1e9);

  const std::string file = TempFile("list");
  const Ended both = Lab(absl::StrCat("list --json=", file));
  EXPECT_TRUE(absl::StrContains(both.out, "Workloads\n"));
  EXPECT_EQ(WithoutMeasured(Contents(file)), WithoutMeasured(ended.out));
  unlink(file.c_str());
}

// ---- run ----

TEST(Run, ShowsTheResult) {
  const Ended ended = Lab("run skynet leaves=1000 --scheduler=global --stack=fixed --procs=2 --seed=9");
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_EQ(ended.err, "");
  for (const char* part :
       {"leaves=1000 children=10\n", "engine threads, scheduler global, stack fixed, preemption ",
        "2 processors, seed 9\n", "499500, which is right\n", " for 1111 goroutines, ", "switches", "peak_memory_bytes",
        "bazel run //lab -- run skynet leaves=1000 children=10 --engine=threads --scheduler=global --stack=fixed "}) {
    EXPECT_TRUE(absl::StrContains(ended.out, part)) << part << " is not in\n" << ended.out;
  }
}

TEST(Run, WritesJsonThatCanBeRunAgain) {
  const JsonValue json = Json(Lab("run pipeline items=100 --scheduler=gmp:steal=one,runnext=off --procs=1 --json").out);
  EXPECT_EQ(json["gyre_lab"].text(), "run");
  EXPECT_EQ(json["workload"].text(), "pipeline");
  EXPECT_EQ(json["parameters"]["items"].text(), "100");
  EXPECT_EQ(json["configuration"]["scheduler"].text(), "gmp:steal=one,runnext=off");
  EXPECT_EQ(json["configuration"]["procs"].number(), 1);
  EXPECT_EQ(json["outcome"].text(), "ok");
  EXPECT_GT(json["seed"].number(), 0);
  EXPECT_FALSE(json["version"].text().empty());
  EXPECT_FALSE(json["machine"]["cpu"].text().empty());
  EXPECT_GT(json["figures"]["time_ns"].number(), 0);
  EXPECT_EQ(json["figures"]["operations"].number(), 100);

  std::string command = json["command"].text();
  ASSERT_TRUE(absl::StartsWith(command, "bazel run //lab -- ")) << command;
  command = absl::StrReplaceAll(command, {{"bazel run //lab -- ", ""}});
  const JsonValue again = Json(Lab(absl::StrCat(command, " --json")).out);
  EXPECT_EQ(again["command"].text(), json["command"].text());
  EXPECT_EQ(again["answer"].text(), json["answer"].text());
}

TEST(Run, TakesItsConfigurationFromTheEnvironmentAndFlagsOverIt) {
  const JsonValue json =
      Json(Lab("run pingpong rounds=10 --procs=3 --json", "GYRE=scheduler=global,stack=fixed,procs=2,seed=4").out);
  EXPECT_EQ(json["configuration"]["scheduler"].text(), "global");
  EXPECT_EQ(json["configuration"]["stack"].text(), "fixed");
  EXPECT_EQ(json["configuration"]["procs"].number(), 3);
  EXPECT_EQ(json["seed"].number(), 4);
}

TEST(Run, RunsWhereBazelRunWasCalled) {
  const std::string folder = TempFile("folder");
  ASSERT_EQ(std::system(absl::StrCat("mkdir -p ", folder, "/sources && echo x > ", folder, "/sources/file").c_str()),
            0);
  const Ended ended =
      Lab("run hashtree folder=sources --json=result", absl::StrCat("BUILD_WORKING_DIRECTORY=", folder));
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_EQ(Json(Contents(absl::StrCat(folder, "/result")))["figures"]["operations"].number(), 1);
  // Under `bazel run`, the sources of the workspace are what is hashed.
  const Ended sources = Lab("run hashtree --json", absl::StrCat("BUILD_WORKSPACE_DIRECTORY=", folder));
  EXPECT_EQ(Json(sources.out)["parameters"]["folder"].text(), folder);
  ASSERT_EQ(std::system(absl::StrCat("rm -r ", folder).c_str()), 0);
}

TEST(Run, FailsForAWrongAnswer) {
  const Ended ended = Lab("run sieve primes=10 expect=28");
  EXPECT_EQ(ended.code, 1);
  EXPECT_EQ(ended.err, "lab: workload sieve: wrong answer: it is \"29\", and should be \"28\"\n");
  const JsonValue json = Json(Lab("run sieve primes=10 expect=28 --json").out);
  EXPECT_EQ(json["outcome"].text(), "failed");
  EXPECT_EQ(json["error"].text(), "workload sieve: wrong answer: it is \"29\", and should be \"28\"");
}

TEST(Run, FailsInTheWayOfItsWorkload) {
  EXPECT_EQ(RunProgram(kFaultyLab, "run error").code, 1);
  EXPECT_EQ(RunProgram(kFaultyLab, "run error").err, "lab: workload error: the dog ate the result\n");
  EXPECT_EQ(RunProgram(kFaultyLab, "run unusable").code, 2);
  const Ended panic = RunProgram(kFaultyLab, "run panics");
  EXPECT_EQ(panic.code, 2);
  EXPECT_TRUE(absl::StartsWith(panic.err, "panic: on purpose\n")) << panic.err;
}

// ---- compare ----

TEST(Compare, ShowsATableForEachWorkload) {
  const std::string json_file = TempFile("json"), csv_file = TempFile("csv");
  const Ended ended =
      Lab(absl::StrCat("compare skynet leaves=100 pingpong rounds=20 --schedulers=gmp,gmp:steal=one,runnext=off,global "
                       "--procs_list=1,2 --repeat=2 --seed=5 --json=",
                       json_file, " --csv=", csv_file));
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_EQ(ended.err, "");  // no progress where there is no terminal
  EXPECT_TRUE(
      absl::StrContains(ended.out, "2 runs of each, in turn; all with engine threads, preemption cooperative\n"))
      << ended.out;
  EXPECT_TRUE(absl::StrContains(ended.out, "\nskynet leaves=100 children=10\n  scheduler "));
  EXPECT_TRUE(absl::StrContains(ended.out, "\npingpong rounds=20 pairs=1\n  scheduler "));
  EXPECT_TRUE(absl::StrContains(ended.out, "  gmp:steal=one,runnext=off  fixed           2  "));
  EXPECT_TRUE(absl::StrContains(ended.out, "steals  parks  wake-ups  peak MiB\n"));

  const JsonValue json = Json(Contents(json_file));
  const std::vector<JsonValue>& rows = json["rows"].items();
  ASSERT_EQ(rows.size(), 2u * 3 * 2 * 2);
  EXPECT_EQ(rows[0]["configuration"]["scheduler"].text(), "gmp");
  EXPECT_EQ(rows.back()["configuration"]["procs"].number(), 2);
  for (const JsonValue& row : rows) {
    EXPECT_EQ(row["ok"].number(), 2);
    EXPECT_EQ(row["failed"].number(), 0);
    ASSERT_EQ(row["runs"].items().size(), 2u);
    EXPECT_EQ(row["runs"].items()[0]["seed"].number(), 5);
    EXPECT_EQ(row["runs"].items()[1]["seed"].number(), 6);
    const JsonValue& time = row["summary"]["time_ns"];
    EXPECT_GT(time["min"].number(), 0);
    EXPECT_LE(time["min"].number(), time["median"].number());
    EXPECT_LE(time["median"].number(), time["max"].number());
    EXPECT_GT(row["summary"]["peak_memory_bytes"]["min"].number(), 1 << 20);
    for (const char* name : {"switches", "steals", "parks", "wakeups"}) {
      EXPECT_EQ(row["summary"][name]["median"].type(), JsonValue::Type::kNumber) << name;
    }
  }
  const std::vector<std::string> lines = absl::StrSplit(Contents(csv_file), "\r\n", absl::SkipEmpty());
  ASSERT_EQ(lines.size(), rows.size() + 1);
  EXPECT_TRUE(absl::StartsWith(lines[1], "skynet,leaves=100 children=10,threads,gmp,contiguous,cooperative,1,5,2,0,0,"))
      << lines[1];
  unlink(json_file.c_str());
  unlink(csv_file.c_str());
}

TEST(Compare, ComparesTwoSchedulersAndTwoStacksUnlessToldOtherwise) {
  const auto configurations = [](const std::string& flags, const std::string& environment) {
    const JsonValue json = Json(Lab(absl::StrCat("compare sieve primes=5 --repeat=1 --json ", flags), environment).out);
    std::string text;
    for (const JsonValue& row : json["rows"].items()) {
      absl::StrAppend(&text, row["configuration"]["scheduler"].text(), "/", row["configuration"]["stack"].text(), " ");
    }
    return text;
  };
  EXPECT_EQ(configurations("", ""), "gmp/contiguous gmp/fixed global/contiguous global/fixed ");
  EXPECT_EQ(configurations("--scheduler=lifo", ""), "lifo/contiguous lifo/fixed ");
  EXPECT_EQ(configurations("--stacks=fixed", "GYRE=scheduler=gmp"), "gmp/fixed ");
  EXPECT_EQ(configurations("--schedulers=global", "GYRE=scheduler=gmp,stack=fixed"), "global/fixed ");
}

TEST(Compare, HasPercentilesOfAService) {
  const Ended ended =
      Lab("compare service mean=5us rate=10000 requests=50 --scheduler=gmp --stack=fixed --repeat=1 --procs=1");
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_TRUE(absl::StrContains(ended.out, "  scheduler  stack  served/s  late  p50 ")) << ended.out;
  EXPECT_TRUE(absl::StrContains(ended.out, "  slowdown p50  ")) << ended.out;
}

TEST(Compare, ReportsRunsThatFailed) {
  const Ended ended = RunProgram(
      kFaultyLab,
      "compare wrong panics aborts exits deadlocks noisy --scheduler=gmp --stack=fixed --repeat=2 --procs=1");
  EXPECT_EQ(ended.code, 1);
  for (const char* part : {"procs 1: workload wrong: wrong answer: it is \"left\", and should be \"right\"\n",
                           "procs 1: it exited with code 2: panic: on purpose\n",
                           "procs 1: it exited with code 2: fatal error: all goroutines are asleep",
                           "procs 1: it was killed by signal 6 (Aborted)", "procs 1: it exited with code 7\n",
                           "    bazel run //lab -- run panics --engine=threads --scheduler=gmp ", "  2 of 2  "}) {
    EXPECT_TRUE(absl::StrContains(ended.out, part)) << part << " is not in\n" << ended.out;
  }
  // What a workload prints does not get between a result and its reader.
  EXPECT_FALSE(absl::StrContains(ended.out, "noisy: ")) << ended.out;
  EXPECT_FALSE(absl::StrContains(ended.out, "run noisy")) << ended.out;
}

TEST(Compare, KillsRunsThatTakeTooLong) {
  const Ended ended = RunProgram(
      kFaultyLab, "compare hangs noisy --scheduler=gmp --stack=fixed --repeat=3 --timeout=2s --procs=1 --json");
  EXPECT_EQ(ended.code, 1);
  const JsonValue json = Json(ended.out);
  const JsonValue& hangs = json["rows"].items().at(0);
  ASSERT_EQ(hangs["runs"].items().size(), 1u);  // the rest was not tried
  EXPECT_EQ(hangs["runs"].items()[0]["error"].text(), "it took longer than 2s and was killed");
  EXPECT_EQ(json["rows"].items().at(1)["ok"].number(), 3);
}

TEST(Compare, ShowsCombinationsThatAreRefused) {
  const std::string impossible = "fair:granularity=10ms,latency=1ms";
  const Ended some = Lab(absl::StrCat("compare sieve primes=5 --stack=fixed --repeat=2 --schedulers=gmp,", impossible));
  EXPECT_EQ(some.code, 0) << some.err;
  EXPECT_TRUE(absl::StrContains(some.out, "REFUSED: fair:granularity=10ms,latency=1ms, fixed")) << some.out;
  const Ended all = Lab(absl::StrCat("compare sieve primes=5 --stack=fixed --repeat=2 --schedulers=", impossible));
  EXPECT_EQ(all.code, 2);
}

// ---- Mistakes ----

TEST(Mistakes, GetASentenceAndExitCode2) {
  const std::pair<const char*, const char*> mistakes[] = {
      {"runn", "there is no subcommand \"runn\" (did you mean run?); there are: list, run, compare"},
      {"help runn", "there is no subcommand \"runn\" (did you mean run?); there are: list, run, compare"},
      {"run",
       "run needs a workload; there are: deepstack, echo, hashtree, hotsplit, parked, pingpong, pipeline, service, "
       "sieve, "
       "skynet"},
      {"run skyent", "there is no workload \"skyent\" (did you mean skynet?); there are: deepstack, echo, hashtree, "},
      {"run skynet sieve", "run takes one workload; compare takes several; there are: deepstack, echo, hashtree, "},
      {"run leaves=5", "the parameter leaves=5 comes before any workload"},
      {"run skynet leafs=5", "workload skynet has no option \"leafs\""},
      {"run skynet leaves=0", "workload skynet: leaves=0 is out of range; it may be from 1 to 1000000000"},
      {"run service distribution=normal",
       "workload service: distribution=normal is not one of: fixed, exponential, lognormal, bim1"},
      {"run hashtree folder=/no/such", "workload hashtree: folder=/no/such is no folder: No such file or directory"},
      {"run skynet --scheduler=gpm", "unknown scheduler \"gpm\" (did you mean gmp?); there are: "},
      {"run skynet --scheduler=gmp:steel=one",
       "scheduler gmp has no option \"steel\" (did you mean steal?); it has: steal"},
      {"run skynet --scheduler=gmp:steal=all", "scheduler gmp: steal=all is not one of: half, one"},
      {"run skynet --stack=fixd", "unknown stack \"fixd\" (did you mean fixed?); there are: "},
      {"run skynet --preemption=never", "unknown preemption \"never\""},
      {"run skynet --engine=diesel", "unknown engine \"diesel\""},
      {"run skynet --procs=0", "--procs=0 is not a number of processors: it may be from 1 to 4096"},
      {"run skynet --procs=5000", "--procs=5000 is not a number of processors: it may be from 1 to 4096"},
      {"run skynet --porcs=2", "run has no flag --porcs (did you mean procs?); it has: --scheduler"},
      {"run skynet --plugin=/no/such.so", "plug-in /no/such.so: "},
      {"run skynet leaves=5 --json=/no/such/file", "cannot write /no/such/file: No such file or directory"},
      {"list everything", "list takes no words, and there is \"everything\""},
      {"list --repeat=2", "list has no flag --repeat; it has: --json, --plugin"},
      {"compare --schedulers=gmp,globe", "unknown scheduler \"globe\""},
      {"compare --schedulers=gmp,,global", "--schedulers=gmp,,global: a name is missing beside a comma"},
      {"compare --engines=threads,diesel", "unknown engine \"diesel\""},
      {"compare --procs_list=1,none", "--procs_list=1,none: \"none\" is not a number of processors from 1 to 4096"},
      {"compare --scheduler=gmp --schedulers=gmp", "--schedulers and --scheduler say the same thing"},
      {"compare --repeat=0", "--repeat=0 is out of range; it may be from 1 to 10000"},
      {"compare --repeat=often", "--repeat=often: "},
      {"compare --timeout=0s", "--timeout must be above 0"},
      {"compare --timeout=3parsecs", "--timeout=3parsecs is not a duration such as 50us, 1.5ms or 2s"},
      {"compare --json --csv", "--json and --csv cannot both go to standard output"},
      {"compare --csv=/no/such/file", "cannot write /no/such/file: No such file or directory"},
      {"compare skynet leaves=many", "workload skynet: leaves=many is not a whole number"},
  };
  for (const auto& [words, sentence] : mistakes) {
    const Ended ended = Lab(words);
    EXPECT_EQ(ended.code, 2) << words;
    EXPECT_TRUE(absl::StartsWith(ended.err, absl::StrCat("lab: ", sentence))) << words << " says " << ended.err;
  }
  const Ended environment = Lab("run skynet leaves=5", "GYRE=sheduler=gmp");
  EXPECT_EQ(environment.code, 2);
  EXPECT_TRUE(absl::StrContains(environment.err, "environment variable GYRE")) << environment.err;
}

TEST(Help, IsThereForEverySubcommand) {
  const Ended nothing = Lab("");
  EXPECT_EQ(nothing.code, 2);
  EXPECT_TRUE(absl::StrContains(nothing.err, "Usage: bazel run //lab -- SUBCOMMAND"));
  for (const char* words : {"help", "--help", "-h"}) {
    const Ended ended = Lab(words);
    EXPECT_EQ(ended.code, 0);
    EXPECT_EQ(ended.out, nothing.err);
  }
  for (const char* name : {"list", "run", "compare"}) {
    const Ended ended = Lab(absl::StrCat("help ", name));
    EXPECT_EQ(ended.code, 0);
    EXPECT_EQ(Lab(absl::StrCat(name, " --help")).out, ended.out);
    EXPECT_TRUE(absl::StrContains(ended.out, absl::StrCat("Usage: bazel run //lab -- ", name))) << ended.out;
    EXPECT_TRUE(absl::StrContains(ended.out, "\nFlags:\n"));
    for (absl::string_view line : absl::StrSplit(ended.out, '\n')) EXPECT_LE(line.size(), 120u) << line;
  }
}

}  // namespace
}  // namespace gyre::lab
