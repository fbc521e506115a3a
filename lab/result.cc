#include "lab/result.h"

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "lab/version.h"

namespace gyre::lab {

namespace {

constexpr const char* kOutcomeNames[] = {"ok", "failed", "refused"};

std::string ShellQuote(const std::string& word) {
  constexpr absl::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=:,./@%";
  if (!word.empty() && absl::string_view(word).find_first_not_of(kPlain) == absl::string_view::npos) return word;
  return absl::StrCat("'", absl::StrReplaceAll(word, {{"'", "'\\''"}}), "'");
}

}  // namespace

const double* RunResult::Find(absl::string_view name) const {
  for (const Figure& figure : figures) {
    if (figure.name == name) return &figure.value;
  }
  return nullptr;
}

std::string ToWords(const Parameters& parameters) {
  return absl::StrJoin(parameters, " ", absl::PairFormatter("="));
}

std::vector<std::string> ArgumentsOf(const RunResult& result) {
  std::vector<std::string> arguments = {"run", result.workload};
  for (const auto& [name, value] : result.parameters) arguments.push_back(absl::StrCat(name, "=", value));
  const Config& config = result.config;
  if (!config.plugins.empty()) arguments.push_back(absl::StrCat("--plugin=", absl::StrJoin(config.plugins, ",")));
  arguments.push_back(absl::StrCat("--engine=", config.engine));
  arguments.push_back(absl::StrCat("--scheduler=", config.scheduler));
  arguments.push_back(absl::StrCat("--stack=", config.stack));
  arguments.push_back(absl::StrCat("--preemption=", config.preemption));
  arguments.push_back(absl::StrCat("--procs=", config.procs));
  arguments.push_back(absl::StrCat("--max_threads=", config.max_threads));
  arguments.push_back(absl::StrCat("--seed=", config.seed));
  if (config.intercept) arguments.push_back("--intercept=on");
  return arguments;
}

std::string ShellCommand(const std::vector<std::string>& arguments) {
  std::string line = "bazel run //lab --";
  for (const std::string& argument : arguments) absl::StrAppend(&line, " ", ShellQuote(argument));
  return line;
}

void WriteProvenance(JsonWriter& json, absl::string_view subcommand, absl::string_view date, const Machine& machine) {
  json.Key("gyre_lab").String(subcommand);
  json.Key("format").Integer(1);
  json.Key("version").String(kVersion);
  json.Key("date").String(date);
  json.Key("machine").BeginObject();
  json.Key("cpu").String(machine.cpu);
  json.Key("cores").Integer(machine.cores);
  json.Key("memory_bytes").Integer(machine.memory_bytes);
  json.Key("kernel").String(machine.kernel);
  json.Key("compiler").String(machine.compiler);
  json.Key("build").String(machine.build);
  json.EndObject();
}

void WriteIdentity(JsonWriter& json, const RunResult& result) {
  json.Key("workload").String(result.workload);
  json.Key("parameters").BeginObject();
  for (const auto& [name, value] : result.parameters) json.Key(name).String(value);
  json.EndObject();
  const Config& config = result.config;
  json.Key("configuration").BeginObject();
  json.Key("engine").String(config.engine);
  json.Key("scheduler").String(config.scheduler);
  json.Key("stack").String(config.stack);
  json.Key("preemption").String(config.preemption);
  json.Key("procs").Integer(config.procs);
  json.Key("max_threads").Integer(config.max_threads);
  json.Key("plugins").BeginArray();
  for (const std::string& plugin : config.plugins) json.String(plugin);
  json.EndArray();
  json.EndObject();
}

void WriteEnding(JsonWriter& json, const RunResult& result) {
  json.Key("command").String(ShellCommand(ArgumentsOf(result)));
  json.Key("seed").Unsigned(result.config.seed);
  json.Key("outcome").String(kOutcomeNames[static_cast<int>(result.outcome)]);
  if (result.outcome != Outcome::kOk) json.Key("error").String(result.error);
  json.Key("answer").String(result.answer);
  json.Key("operation").String(result.operation);
  if (!result.trace.empty()) json.Key("trace").String(result.trace);
  json.Key("figures").BeginObject();
  for (const Figure& figure : result.figures) json.Key(figure.name).Number(figure.value);
  json.EndObject();
}

absl::StatusOr<RunResult> ReadResult(const JsonValue& object) {
  RunResult result;
  result.workload = object["workload"].text();
  for (const auto& [name, value] : object["parameters"].members()) result.parameters.emplace_back(name, value.text());
  const JsonValue& config = object["configuration"];
  result.config.engine = config["engine"].text();
  result.config.scheduler = config["scheduler"].text();
  result.config.stack = config["stack"].text();
  result.config.preemption = config["preemption"].text();
  result.config.procs = static_cast<int>(config["procs"].number());
  result.config.max_threads = static_cast<int>(config["max_threads"].number());
  for (const JsonValue& plugin : config["plugins"].items()) result.config.plugins.push_back(plugin.text());
  uint64_t seed = 0;
  const std::string& outcome = object["outcome"].text();
  int which = 0;
  for (const char* name : kOutcomeNames) {
    if (outcome == name) break;
    ++which;
  }
  if (result.workload.empty() || which > 2 || !absl::SimpleAtoi(object["seed"].text(), &seed)) {
    return absl::InvalidArgumentError("this is no result of a run");
  }
  result.config.seed = seed;
  result.outcome = static_cast<Outcome>(which);
  result.error = object["error"].text();
  result.answer = object["answer"].text();
  result.operation = object["operation"].text();
  result.trace = object["trace"].text();
  for (const auto& [name, value] : object["figures"].members()) result.figures.push_back({name, value.number()});
  return result;
}

}  // namespace gyre::lab
