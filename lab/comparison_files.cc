#include <algorithm>
#include <charconv>

#include "absl/strings/str_cat.h"
#include "lab/comparison.h"
#include "lab/csv.h"
#include "lab/version.h"

namespace gyre::lab {

namespace {

// The names of all figures that any run has, in the order of their first appearance.
std::vector<std::string> FigureNames(const std::vector<ComparisonRow>& rows) {
  std::vector<std::string> names;
  for (const ComparisonRow& row : rows) {
    for (const RunResult& run : row.runs) {
      for (const Figure& figure : run.figures) {
        if (std::find(names.begin(), names.end(), figure.name) == names.end()) names.push_back(figure.name);
      }
    }
  }
  return names;
}

std::string Exactly(double value) {
  char digits[32];
  return std::string(digits, std::to_chars(digits, digits + sizeof(digits), value).ptr);
}

}  // namespace

std::string ComparisonJson(const Comparison& comparison) {
  JsonWriter json;
  json.BeginObject();
  WriteProvenance(json, "compare", comparison.date, comparison.machine);
  json.Key("command").String(ShellCommand(comparison.arguments));
  json.Key("rounds").Integer(comparison.rounds);
  json.Key("rows").BeginArray();
  for (const ComparisonRow& row : comparison.rows) {
    json.BeginObject();
    WriteIdentity(json, row.identity);
    json.Key("command").String(ShellCommand(ArgumentsOf(row.identity)));
    json.Key("ok").Integer(row.Count(Outcome::kOk));
    json.Key("failed").Integer(row.Count(Outcome::kFailed));
    json.Key("refused").Integer(row.Count(Outcome::kRefused));
    json.Key("summary").BeginObject();
    for (const std::string& name : FigureNames({row})) {
      const Summary summary = row.Of(name);
      if (summary.count == 0) continue;
      json.Key(name).BeginObject();
      json.Key("median").Number(summary.median);
      json.Key("min").Number(summary.min);
      json.Key("max").Number(summary.max);
      json.EndObject();
    }
    json.EndObject();
    json.Key("runs").BeginArray();
    for (const RunResult& run : row.runs) {
      json.BeginObject();
      WriteEnding(json, run);
      json.EndObject();
    }
    json.EndArray();
    json.EndObject();
  }
  json.EndArray();
  json.EndObject();
  return json.text();
}

std::string ComparisonCsv(const Comparison& comparison) {
  const std::vector<std::string> names = FigureNames(comparison.rows);
  std::vector<std::string> heading = {"workload", "parameters", "engine", "scheduler", "stack",   "preemption",
                                      "procs",    "seed",       "ok",     "failed",    "refused", "time_spread"};
  heading.insert(heading.end(), names.begin(), names.end());
  for (const char* last : {"version", "date", "machine", "command", "error"}) heading.push_back(last);
  std::string text = CsvLine(heading);
  for (const ComparisonRow& row : comparison.rows) {
    const Config& config = row.identity.config;
    std::vector<std::string> fields = {row.identity.workload,
                                       ToWords(row.identity.parameters),
                                       config.engine,
                                       config.scheduler,
                                       config.stack,
                                       config.preemption,
                                       absl::StrCat(config.procs),
                                       absl::StrCat(config.seed),
                                       absl::StrCat(row.Count(Outcome::kOk)),
                                       absl::StrCat(row.Count(Outcome::kFailed)),
                                       absl::StrCat(row.Count(Outcome::kRefused)),
                                       Exactly(row.Of("time_ns").spread())};
    for (const std::string& name : names) {
      const Summary summary = row.Of(name);
      fields.push_back(summary.count == 0 ? "" : Exactly(summary.median));
    }
    fields.push_back(kVersion);
    fields.push_back(comparison.date);
    fields.push_back(comparison.machine.ToString());
    fields.push_back(ShellCommand(ArgumentsOf(row.identity)));
    std::string error;
    for (const RunResult& run : row.runs) {
      if (error.empty()) error = run.error;
    }
    fields.push_back(error);
    text += CsvLine(fields);
  }
  return text;
}

}  // namespace gyre::lab
