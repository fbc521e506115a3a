// lab explore: one program under schedule after schedule until it fails; or several, and how long each strategy needs.
#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "lab/command.h"
#include "lab/explore_program.h"
#include "lab/json.h"
#include "lab/machine.h"
#include "lab/matrix.h"
#include "lab/numbers.h"
#include "lab/output_flags.h"
#include "lab/program.h"
#include "lab/result.h"
#include "lab/table.h"
#include "lab/version.h"
#include "plugins/flags.h"
#include "plugins/options.h"
#include "plugins/registry.h"
#include "runtime/simulation/explore.h"

ABSL_FLAG(std::string, strategy, "random", "the exploration strategy, with options: random, pct:depth=2, dfs:bound=1");
ABSL_FLAG(std::string, strategies, "", "several strategies: shows how many schedules each needs");
ABSL_FLAG(int32_t, seeds, 0, "shows how many schedules are needed over so many seeds, from --seed on (default 100)");
ABSL_FLAG(int32_t, runs, 10'000, "how many schedules are tried, at most");
ABSL_FLAG(std::string, budget, "10m", "how long is searched for a failure, at most");
ABSL_FLAG(std::string, replay, "", "runs this schedule, which an exploration has printed, once");
ABSL_FLAG(bool, shrink, true, "makes a failing schedule as small as it can be");
ABSL_FLAG(bool, leaks, false, "a goroutine that is left behind is a failure");

namespace gyre::lab {

namespace {

// Explore throws what is wrong with its options.
absl::StatusOr<Exploration> TryExplore(const ExploreOptions& options, const Program& program) {
  try {
    return Explore(options, program.run);
  } catch (const std::invalid_argument& error) {
    return absl::InvalidArgumentError(error.what());
  }
}

absl::StatusOr<ExploreOptions> ReadOptions(const Arguments& arguments) {
  ExploreOptions options;
  absl::StatusOr<Config> config = ConfigFromFlags();
  if (!config.ok()) return config.status();
  if (config->procs > 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("--procs=", config->procs,
                     ": an exploration runs on one virtual processor, which its strategy gives to any goroutine"));
  }
  if (!arguments.Given("engine") && !absl::StartsWith(config->engine, "simulation")) config->engine = "simulation";
  options.seed = config->seed != 0 ? config->seed : 1;
  options.config = *std::move(config);
  options.strategy = absl::GetFlag(FLAGS_strategy);
  options.runs = absl::GetFlag(FLAGS_runs);
  if (options.runs < 1) return absl::InvalidArgumentError(absl::StrCat("--runs=", options.runs, " must be above 0"));
  const absl::StatusOr<Nanos> budget = ParseDuration("--budget", absl::GetFlag(FLAGS_budget));
  if (!budget.ok()) return budget.status();
  if (*budget <= 0) return absl::InvalidArgumentError("--budget must be above 0: 30s, 10m");
  options.budget = absl::Nanoseconds(*budget);
  options.replay = absl::GetFlag(FLAGS_replay);
  options.shrink = absl::GetFlag(FLAGS_shrink);
  return options;
}

// ---- one program ----

std::string Json(const std::string& name, const ExploreOptions& options, const Exploration& found) {
  JsonWriter json;
  json.BeginObject();
  WriteProvenance(json, "explore", DateNow(), Machine::ThisOne());
  json.Key("program").String(name);
  json.Key("strategy").String(options.replay.empty() ? options.strategy : "replay");
  json.Key("seed").Unsigned(options.seed);
  json.Key("failed").Bool(found.failed);
  json.Key("exhausted").Bool(found.exhausted);
  json.Key("runs").Integer(found.runs);
  json.Key("shrinking_runs").Integer(found.shrinking_runs);
  json.Key("schedule").String(found.schedule);
  json.Key("preemptions").Integer(found.preemptions);
  json.Key("decisions").Unsigned(found.decisions);
  json.Key("interleaving").String(found.interleaving);
  json.Key("failure").String(found.failure);
  json.EndObject();
  return json.text();
}

std::string Text(const Arguments& arguments, const ExploreOptions& options, const Exploration& found) {
  if (!found.failed) return found.ToString();
  std::string text = found.ToString();
  if (!options.replay.empty()) return text;
  // The same command, but for what chose the schedule.
  std::vector<std::string> again;
  for (const std::string& word : arguments.all) {
    const bool chooses = absl::StartsWith(word, "--strategy") || absl::StartsWith(word, "--seed") ||
                         absl::StartsWith(word, "--runs") || absl::StartsWith(word, "--budget") ||
                         absl::StartsWith(word, "--noshrink") || absl::StartsWith(word, "--json");
    if (!chooses) again.push_back(word);
  }
  again.insert(again.begin() + 2, absl::StrCat("--replay=", found.schedule));
  return absl::StrCat(text, "\nagain: ", ShellCommand(again), "\n");
}

int Show(const std::string& text, const std::string& json, bool failed, absl::Status* status) {
  const std::string file = absl::GetFlag(FLAGS_json);
  if (file != "-") absl::PrintF("%s", text);
  if (!file.empty()) *status = WriteOutput(file, json);
  return failed ? kExitFailed : kExitOk;
}

absl::StatusOr<int> ExploreOne(const Arguments& arguments) {
  absl::StatusOr<ExploreOptions> options = ReadOptions(arguments);
  if (!options.ok()) return options.status();
  absl::StatusOr<Exploration> found = absl::UnknownError("");
  if (absl::StrContains(arguments.words[0], '/')) {
    if (absl::GetFlag(FLAGS_leaks)) {
      return absl::InvalidArgumentError(
          "--leaks is for the lab's own programs; one of yours panics where it counts too many");
    }
    found = ExploreProgram(*options, arguments.words);
  } else {
    if (arguments.words.size() > 1) {
      return absl::InvalidArgumentError(
          absl::StrCat("there is \"", arguments.words[1], "\" behind the program ", arguments.words[0],
                       "; several programs are for --seeds=N, which shows how many schedules they need"));
    }
    const absl::StatusOr<const Program*> program = FindProgram(arguments.words[0]);
    if (!program.ok()) return program.status();
    options->leaks = (*program)->leaks || absl::GetFlag(FLAGS_leaks);
    found = TryExplore(*options, **program);
  }
  if (!found.ok()) return found.status();
  absl::Status status;
  const int code =
      Show(Text(arguments, *options, *found), Json(arguments.words[0], *options, *found), found->failed, &status);
  if (!status.ok()) return status;
  return code;
}

// ---- a table ----

struct Cell {
  int found = 0;
  Summary runs;          // until it was found, over the seeds that did
  Exploration smallest;  // the smallest schedule of all
};

struct Row {
  const Program* program;
  std::vector<Cell> cells;  // one for each strategy
};

absl::StatusOr<Cell> Measure(const Program& program, ExploreOptions options, const std::string& strategy, int seeds) {
  Cell cell;
  std::vector<double> runs;
  options.strategy = strategy;
  options.leaks = program.leaks;
  options.shrink = false;
  const uint64_t first = options.seed;
  for (int i = 0; i < seeds; ++i) {
    options.seed = first + static_cast<uint64_t>(i);
    const absl::StatusOr<Exploration> found = TryExplore(options, program);
    if (!found.ok()) return found.status();
    if (!found->failed) continue;
    runs.push_back(found->runs);
    if (++cell.found == 1) {
      options.shrink = true;
      absl::StatusOr<Exploration> shrunk = TryExplore(options, program);
      if (!shrunk.ok()) return shrunk.status();
      cell.smallest = *std::move(shrunk);
      options.shrink = false;
    }
  }
  cell.runs = Summarize(runs);
  return cell;
}

std::string TableText(const std::vector<Row>& rows, const std::vector<std::string>& strategies,
                      const ExploreOptions& options, int seeds) {
  std::string text =
      absl::StrCat("gyre ", kVersion, ", ", DateNow(), ": schedules that were tried until the failure, over ", seeds,
                   " seeds from ", options.seed, " on, at most ", options.runs, " each\n\n");
  std::vector<TableColumn> columns = {{"program"}};
  for (const std::string& strategy : strategies) {
    columns.push_back({strategy, Align::kRight});
    columns.push_back({"least", Align::kRight});
    columns.push_back({"most", Align::kRight});
    columns.push_back({"found", Align::kRight});
  }
  for (const char* heading : {"preemptions", "decisions"}) columns.push_back({heading, Align::kRight});
  columns.push_back({"replay"});
  TextTable table(std::move(columns));
  for (const Row& row : rows) {
    std::vector<std::string> cells = {row.program->name};
    const Exploration* smallest = nullptr;
    for (const Cell& cell : row.cells) {
      const bool any = cell.found > 0;
      cells.push_back(any ? absl::StrCat(cell.runs.median) : "-");
      cells.push_back(any ? absl::StrCat(cell.runs.min) : "-");
      cells.push_back(any ? absl::StrCat(cell.runs.max) : "-");
      cells.push_back(absl::StrFormat("%d%%", 100 * cell.found / seeds));
      if (any && (smallest == nullptr || cell.smallest.schedule.size() < smallest->schedule.size()))
        smallest = &cell.smallest;
    }
    if (smallest != nullptr) {
      cells.push_back(absl::StrCat(smallest->preemptions));
      cells.push_back(absl::StrCat(smallest->decisions));
      cells.push_back(smallest->schedule);
    }
    table.AddRow(std::move(cells));
  }
  return absl::StrCat(
      text, table.Text("  "), "\n",
      "The column of a strategy is the median. The rest is about the smallest schedule that fails: how many "
      "preemptions it\nhas, how many decisions, and what explore PROGRAM --replay=... takes to show it again.\n");
}

std::string TableJson(const std::vector<Row>& rows, const std::vector<std::string>& strategies,
                      const ExploreOptions& options, int seeds) {
  JsonWriter json;
  json.BeginObject();
  WriteProvenance(json, "explore", DateNow(), Machine::ThisOne());
  json.Key("seeds").Integer(seeds);
  json.Key("first_seed").Unsigned(options.seed);
  json.Key("most_runs").Integer(options.runs);
  json.Key("programs").BeginArray();
  for (const Row& row : rows) {
    json.BeginObject();
    json.Key("program").String(row.program->name);
    json.Key("strategies").BeginArray();
    for (size_t i = 0; i < strategies.size(); ++i) {
      const Cell& cell = row.cells[i];
      json.BeginObject();
      json.Key("strategy").String(strategies[i]);
      json.Key("found").Integer(cell.found);
      json.Key("median_runs").Number(cell.runs.median);
      json.Key("least_runs").Number(cell.runs.min);
      json.Key("most_runs").Number(cell.runs.max);
      json.Key("schedule").String(cell.smallest.schedule);
      json.Key("preemptions").Integer(cell.smallest.preemptions);
      json.Key("interleaving").String(cell.smallest.interleaving);
      json.EndObject();
    }
    json.EndArray();
    json.EndObject();
  }
  json.EndArray();
  json.EndObject();
  return json.text();
}

absl::StatusOr<int> ExploreSeveral(const Arguments& arguments) {
  if (arguments.Given("replay"))
    return absl::InvalidArgumentError("--replay is one run of one program, without --seeds");
  const absl::StatusOr<ExploreOptions> options = ReadOptions(arguments);
  if (!options.ok()) return options.status();
  const int seeds = arguments.Given("seeds") ? absl::GetFlag(FLAGS_seeds) : 100;
  if (seeds < 1 || seeds > 1'000'000) {
    return absl::InvalidArgumentError(absl::StrCat("--seeds=", seeds, " is out of range; it may be from 1 to 1000000"));
  }
  std::vector<std::string> strategies = {options->strategy};
  if (arguments.Given("strategies")) {
    absl::StatusOr<std::vector<std::string>> list = SplitSpecs("strategies", absl::GetFlag(FLAGS_strategies));
    if (!list.ok()) return list.status();
    strategies = *std::move(list);
  }
  for (const std::string& strategy : strategies) {
    if (absl::Status status = MakeStrategy(strategy).status(); !status.ok()) return status;
  }
  std::vector<Row> rows;
  for (const std::string& word : arguments.words) {
    const absl::StatusOr<const Program*> program = FindProgram(word);
    if (!program.ok()) return program.status();
    rows.push_back({*program, {}});
  }
  if (rows.empty()) {
    for (const Program& program : Programs()) rows.push_back({&program, {}});
  }
  bool failed = false;
  for (Row& row : rows) {
    for (const std::string& strategy : strategies) {
      absl::StatusOr<Cell> cell = Measure(*row.program, *options, strategy, seeds);
      if (!cell.ok()) return cell.status();
      failed |= cell->found != 0;
      row.cells.push_back(*std::move(cell));
    }
  }
  absl::Status status;
  const int code =
      Show(TableText(rows, strategies, *options, seeds), TableJson(rows, strategies, *options, seeds), failed, &status);
  if (!status.ok()) return status;
  return code;
}

absl::StatusOr<int> Run(const Arguments& arguments) {
  if (arguments.Given("seeds") || arguments.Given("strategies")) return ExploreSeveral(arguments);
  if (!arguments.words.empty()) return ExploreOne(arguments);
  return absl::InvalidArgumentError(FindProgram("").status().message());
}

}  // namespace

Command ExploreCommand() {
  std::vector<FlagUse> flags = {{"strategy", "NAME[:OPTION=VALUE,...]"},
                                {"runs", "N"},
                                {"budget", "DURATION"},
                                {"replay", "SCHEDULE"},
                                {"shrink", "BOOL", "true"},
                                {"leaks", nullptr},
                                {"seeds", "N"},
                                {"strategies", "LIST"},
                                kJsonFlag};
  flags.insert(flags.end(), ConfigurationFlags().begin(), ConfigurationFlags().end());
  return {
      .name = "explore",
      .arguments = "PROGRAM [--strategy=...] [--seed=N] | PROGRAM --replay=SCHEDULE | [PROGRAM ...] --seeds=N",
      .summary = "runs a program under schedule after schedule until it fails, and shows the smallest one that does",
      .description =
          "At each runtime call any goroutine that can run may go on; a strategy says which. A run that panics, "
          "deadlocks or\n"
          "exits with another code than 0 has failed. It is run again until nothing more can be left out of its "
          "schedule,\n"
          "and what is left is shown with source lines, and as a word for --replay. For example:\n"
          "  explore lost-wake-up\n"
          "  explore lost-wake-up --strategy=pct:depth=2 --seed=7\n"
          "  explore ./my-program --runs=1000 -- --its-own-flag\n"
          "The lab's own programs are ten classic bugs, and each of them corrected; the subcommand list shows them. A "
          "word\n"
          "with a slash is a program that uses gyre::Main: each run of it is a process, which finds its schedule in "
          "the\n"
          "environment variable GYRE. With --seeds, or several --strategies, a table shows how many schedules were "
          "tried\n"
          "until the failure.\n"
          "Exit codes: 0 if no run failed; 1 if one did; 2 if the command line is wrong.\n",
      .flags = std::move(flags),
      .run = Run,
  };
}

}  // namespace gyre::lab
